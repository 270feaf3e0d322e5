"""Importers: what each source's runs become, and that a run is imported once, however often one asks."""

import csv
import hashlib
import json
import math
import sqlite3
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli import main
from heliostat.errors import InvalidValue, NotFound
from heliostat.imports import ImportedRun, Skipped, import_runs, record
from heliostat.registry import open_log
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import CreateExperiment

SPEC = {
    "name": "bowl",
    "parameters": [
        {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 4}},
    ],
    "metrics": [{"name": "loss", "objective": "minimize"}],
}


@pytest.fixture
def log(tmp_path):
    opened = open_log(tmp_path / "runs.db")
    yield opened
    opened.close()


def bring(log, items, **where):
    return record(log, items, kind="test", **({"project": "p"} | where))


def written(log):
    return len(log.events(limit=10**6))


# What all importers share


def test_a_second_import_adds_nothing_and_a_later_one_only_what_is_new(log):
    first = [
        ImportedRun("a", {"x": 1}, {"loss": Measurement(0.5, 0.1)}, [Checkpoint(1, {"loss": 1.0})], name="A"),
        ImportedRun("b", {"x": 2}, state=State.ACTIVE, started=5.0),
    ]
    assert str(bring(log, first)) == "2 added, 0 already there, 0 skipped"
    before = written(log)
    assert str(bring(log, first)) == "0 added, 2 already there, 0 skipped"
    assert written(log) == before
    grown = [
        first[0],
        ImportedRun("b", {"x": 2, "y": 3}, {"loss": Measurement(0.1)}, started=5.0, ended=9.0),
        ImportedRun("c", state=State.FAILED, failure=Failure("user_error", "boom", "Traceback")),
    ]
    done = bring(log, grown)
    assert (done.added, done.finished, done.known) == (1, 1, 1)
    a, b, c = log.runs(project="p")
    assert (a.name, a.values["loss"]) == ("A", Measurement(0.5, 0.1))
    assert (b.state, b.assignments, b.seconds) == (State.COMPLETED, {"x": 2, "y": 3}, 4.0)
    assert (c.state, c.failure, c.end_reason) == (
        State.FAILED,
        Failure("user_error", "boom", "Traceback"),
        "boom",
    )
    assert done.runs == (b.id, c.id)


def test_what_an_open_run_has_learnt_is_added(log):
    bring(log, [ImportedRun("a", state=State.ACTIVE, started=1.0)])
    points = [Checkpoint(step, {"loss": 1 / step}) for step in (1, 2)]
    later = ImportedRun("a", {"x": 1}, {"loss": Measurement(0.5)}, points, State.ACTIVE, started=1.0)
    assert bring(log, [later]).known == 1
    (run,) = log.runs(curves=True)
    assert (run.state, run.assignments, run.numbers, len(run.curve)) == (
        State.ACTIVE,
        {"x": 1},
        {"loss": 0.5},
        2,
    )


def test_a_curve_that_must_be_asked_for_is_asked_for_once(log):
    asked = []

    def read_curve():
        asked.append(1)
        return [Checkpoint(1, {"loss": 1.0}), Checkpoint(2, {"loss": 0.5})]

    for _ in range(2):
        bring(log, [ImportedRun("a", read_curve=read_curve)])
    assert asked == [1]
    assert len(log.runs(curves=True)[0].curve) == 2


def test_each_project_has_its_own_copy(log):
    item = ImportedRun("a", {"x": 1})
    assert [bring(log, [item], project=name).added for name in "pqp"] == [1, 1, 0]


def test_all_fields_arrive(log):
    item = ImportedRun(
        "a", name="n", origin="grid", user="ann", metadata={"k": 1}, dev_metadata={"d": [1]}, tags=["t", "s"],
        sys_metadata={"feature_importances": {"type": "gain", "scores": {"x": 1.0}}}, model="tree",
        datasets={"iris": {"rows": 150}}, parameter_sources={"x": "Defaults"}, source_hash="abc", note="*hi*",
        favorite=True, archived=True, texts={"stdout": "hello"}, created=3.0, started=4.0, ended=9.0,
        params={"x": 1},
    )  # fmt: skip
    (id,) = bring(log, [item]).runs
    run = log.run(id)
    others = {
        "key",
        "params",
        "values",
        "curve",
        "read_curve",
        "reason",
        "dev_metadata",
        "tags",
        "texts",
        "project",
    }
    for name in vars(item).keys() - others - {"experiment"}:
        assert getattr(run, name) == getattr(item, name), name
    assert run.tags == ("s", "t")
    assert run.dev_metadata == {"d": [1], "imported_from": "test a"}
    assert log.texts(id) == {"stdout": "hello"}


def test_an_import_that_broke_off_is_completed_by_the_next(log):
    items = [ImportedRun(str(place), {"x": place}, {"loss": Measurement(place)}) for place in range(500)]

    def breaking():
        yield from items[:300]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(log, breaking())
    assert 0 < len(log.runs()) < 300
    bring(log, items)
    assert [run.assignments["x"] for run in log.runs()] == list(range(500))
    assert {run.state for run in log.runs()} == {State.COMPLETED}


def test_two_imports_at_once_make_one_set(log):
    items = [ImportedRun(str(place), {"x": place}, {"loss": Measurement(1.0)}) for place in range(300)]
    threads = [threading.Thread(target=bring, args=(log, items)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.runs()) == 300
    assert {run.state for run in log.runs()} == {State.COMPLETED}


def test_a_long_curve_comes_whole(log):
    curve = [Checkpoint(step, {"loss": float(step)}) for step in range(25_000)]
    bring(log, [ImportedRun("a", curve=curve)])
    (run,) = log.runs(curves=True)
    assert [point.step for point in run.curve] == list(range(25_000))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "None"), (True, True), (np.float64(0.5), 0.5), (np.int64(3), 3), (10**30, 10**30),
        ("🦉 雪", "🦉 雪"), ("a\0b", "a�b"), ("\ud800", "�"), ("x" * 10**6, "x" * 10**6), (b"raw", "b'raw'"),
        ([1, "a", None], '[1, "a", null]'), ({"k": (1, 2)}, '{"k": [1, 2]}'), (math.inf, math.inf),
    ],
    ids=lambda value: f"{value!r:.20}",
)  # fmt: skip
def test_odd_values_have_a_form(log, given, kept):
    bring(log, [ImportedRun("a", {"p": given}, metadata={"m": given}, name=str(given)[:50])])
    (run,) = log.runs()
    assert run.assignments == {"p": kept}
    assert type(run.assignments["p"]) is type(kept)


def test_nan_is_kept(log):
    bring(
        log,
        [
            ImportedRun(
                "a",
                {"p": math.nan},
                {"loss": Measurement(math.nan, math.inf)},
                [Checkpoint(1, {"loss": math.nan}), Checkpoint(2, {"loss": 1.0})],
            )
        ],
    )
    (run,) = log.runs(curves=True)
    assert math.isnan(run.assignments["p"])
    assert math.isnan(run.numbers["loss"])
    assert math.isnan(run.curve[0].values["loss"])


@pytest.mark.parametrize(("choice", "state"), [("keep", State.ACTIVE), ("lost", State.LOST), ("skip", None)])
def test_runs_that_have_not_ended(log, choice, state):
    item = ImportedRun("a", {"x": 1}, state=State.ACTIVE)
    done = bring(log, [item], still_open=choice)
    assert [run.state for run in log.runs()] == ([] if state is None else [state])
    assert sum(done.skipped.values()) == (state is None)
    bring(log, [item], still_open=choice)
    bring(log, [ImportedRun("a", {"x": 1}, {"loss": Measurement(1.0)})], still_open=choice)
    (run,) = log.runs()
    assert (run.state, run.numbers) == (State.COMPLETED, {"loss": 1.0})


def test_what_is_skipped_is_counted_by_reason(log):
    done = bring(
        log, [Skipped("a", "is old"), Skipped("b", "is old"), ImportedRun("c"), Skipped("d", "is odd")]
    )
    assert done.skipped == {"is old": 2, "is odd": 1}


def test_runs_join_an_experiment_if_they_fit_it(log):
    id = log.apply(CreateExperiment(SPEC, time=1.0)).experiment
    items = [
        ImportedRun("fits", {"x": 0.5, "n": 2.0, "extra": "e"}, {"loss": Measurement(1.0)}),
        ImportedRun("outside", {"x": 7.0, "n": 2}, {"loss": Measurement(2.0)}),
        ImportedRun("no metric", {"x": 0.1, "n": 1}),
        ImportedRun("no n", {"x": 0.5}, {"loss": Measurement(1.0)}),
        ImportedRun("no number", {"x": "a", "n": 1}, {"loss": Measurement(1.0)}),
        ImportedRun("open", {"x": 0.5, "n": 2}, state=State.ACTIVE),
    ]
    done = bring(log, items, project=None, into=id)
    assert (done.added, done.experiments) == (3, (id,))
    assert sorted(done.skipped.values()) == [1, 1, 1]
    fits, outside, metricless = log.runs(id)
    assert (fits.number, fits.assignments) == (1, {"x": 0.5, "n": 2, "extra": "e"})
    assert type(fits.assignments["n"]) is int
    assert outside.assignments["x"] == 7.0
    assert (metricless.state, metricless.failure.kind) == (State.FAILED, "missing_metric")
    assert bring(log, items, project=None, into=id).known == 3
    with pytest.raises(InvalidValue, match="project or into"):
        bring(log, items, into=id)
    with pytest.raises(NotFound):
        bring(log, items, project=None, into=id + 1)


def test_a_searcher_learns_from_what_was_imported(tmp_path):
    experiment = hs.Experiment.create({**SPEC, "budget": 5, "searcher": "sobol"}, tmp_path / "runs.db")
    path = tmp_path / "old.csv"
    path.write_text("params.x,params.n,metrics.loss\n0.5,2,0.1\n0.7,3,0.2\n")
    import_runs("csv", path, into=experiment.id, log=experiment.log, origin="grid")
    again = hs.Experiment.open(experiment.id, experiment.log)
    assert len(list(again.loop())) == 3
    assert again.best().origin == "grid"


def test_bad_questions_are_answered_by_name(tmp_path):
    missing = tmp_path / "new.db"
    table = tmp_path / "t.csv"
    table.write_text("params.x\n1\n")
    with pytest.raises(InvalidValue, match="no importer has this name"):
        import_runs("excel", table, log=missing)
    with pytest.raises(InvalidValue, match=r"the csv importer has no option 'study'.*params, metrics"):
        import_runs("csv", table, study="s", log=missing)
    with pytest.raises(InvalidValue, match="still_open"):
        import_runs("csv", table, still_open="maybe", log=missing)
    for kind in ("csv", "optuna", "sigopt", "tune"):
        with pytest.raises(NotFound):
            import_runs(kind, tmp_path / "nowhere", log=tmp_path / f"{kind}.db")
        assert not (tmp_path / f"{kind}.db").exists()


# Tables


def table(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_becomes_runs(tmp_path, log):
    path = table(
        tmp_path / "t.csv",
        ["id", "params.lr", "params.act", "params.flag", "params.zip", "metrics.acc", "metrics.acc.stddev",
         "metadata.note", "state", "end_reason", "name", "created", "started", "ended", "tags", "origin"],
        ["1", "1e-3", "relu", "true", "007", "0.9", "0.01",
         "hi", "", "", "one", "2024-01-01T00:00:00Z", "1704067201", "1704067205.5", "a b", "grid"],
        ["2", "0.1", "", "False", "", "", "", "", "failed", "out of memory", "", "", "", "", "", ""],
        ["3", "0.2", "", "", "", "nan", "", "", "Early-Stopped", "", "", "", "", "", '["x y"]', ""],
        [],
    )  # fmt: skip
    assert import_runs("csv", path, project="p", log=log).added == 3
    one, two, three = log.runs()
    assert one.assignments == {"lr": 0.001, "act": "relu", "flag": True, "zip": "007"}
    assert (one.values, one.metadata, one.name) == ({"acc": Measurement(0.9, 0.01)}, {"note": "hi"}, "one")
    assert (one.created, one.seconds, one.tags, one.origin) == (1704067200.0, 4.5, ("a", "b"), "grid")
    assert (two.assignments, two.values, two.origin) == ({"lr": 0.1, "flag": False}, {}, "user")
    assert (two.state, two.failure) == (State.FAILED, Failure("user_error", "out of memory"))
    assert (three.state, three.tags) == (State.EARLY_STOPPED, ("x y",))
    assert math.isnan(three.numbers["acc"])
    assert math.isnan(three.seconds)


def test_a_table_with_plain_columns_is_told_which_is_which(tmp_path, log):
    path = table(tmp_path / "t.csv", ["lr", "loss", "host"], ["0.1", "2", "n1"])
    with pytest.raises(InvalidValue, match=r"\['lr', 'loss', 'host'\].*--params a,b"):
        import_runs("csv", path, log=log)
    with pytest.raises(InvalidValue, match=r"\['host'\]"):
        import_runs("csv", path, params=["lr"], metrics=["loss"], log=log)
    with pytest.raises(InvalidValue, match=r"must be there, got \['los'\].*lr, loss, host"):
        import_runs("csv", path, params=["lr", "host"], metrics=["los"], log=log)
    import_runs("csv", path, params=["lr", "host"], metrics=["loss"], log=log)
    (run,) = log.runs()
    assert (run.assignments, run.numbers) == ({"lr": 0.1, "host": "n1"}, {"loss": 2.0})


def test_a_table_that_grows(tmp_path, log):
    head = ["params.x", "metrics.loss"]
    rows = [["1", "0.5"], ["1", "0.5"], ["2", "0.4"]]
    path = table(tmp_path / "t.csv", head, *rows)
    assert import_runs("csv", path, log=log).added == 3  # the second equal row is a repetition, not a copy
    table(path, head, ["3", "0.1"], *reversed(rows))
    done = import_runs("csv", path, log=log)
    assert (done.added, done.known) == (1, 3)
    (tmp_path / "moved").mkdir()
    assert import_runs("csv", path.rename(tmp_path / "moved" / "t.csv"), log=log).known == 4


def test_rows_with_ids_are_ended_later(tmp_path, log):
    head = ["id", "params.x", "metrics.loss", "state"]
    path = table(tmp_path / "t.csv", head, ["a", "1", "", "running"])
    assert import_runs("csv", path, log=log).added == 1
    table(path, head, ["a", "1", "0.5", "completed"])
    assert import_runs("csv", path, log=log).finished == 1
    assert [(run.state, run.numbers) for run in log.runs()] == [(State.COMPLETED, {"loss": 0.5})]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["params.x", "metrics.a"], ["1", "good"]], "line 2, metrics.a: must be a number, got 'good'"),
        ([["params.x", "state"], ["1", "great"]], "line 2, state"),
        ([["params.x", "created"], ["1", "yesterday"]], "line 2, created"),
        ([["params.x"], ["1", "2"]], "line 2: has 1 columns, got 2"),
        ([["params.x", "params.x"], ["1", "2"]], r"different names, got \['params.x'\]"),
        ([], "columns"),
    ],
)
def test_bad_cells_are_named_and_nothing_is_half_imported(tmp_path, log, rows, told):
    good = [["1"] + [""] * (len(rows[0]) - 1)] if rows else []
    path = table(tmp_path / "t.csv", *rows[:1], *rows[1:], *good)
    with pytest.raises(InvalidValue, match=told):
        import_runs("csv", path, log=log)
    assert log.runs() == []


def test_a_binary_file_is_no_table(tmp_path, log):
    (tmp_path / "t.csv").write_bytes(b"params.x\n\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="is not a CSV file"):
        import_runs("csv", tmp_path / "t.csv", log=log)


def test_semicolons_and_a_byte_order_mark(tmp_path, log):
    (tmp_path / "t.csv").write_bytes("params.x;metrics.b\n1;2\n".encode("utf-8-sig"))
    import_runs("csv", tmp_path / "t.csv", log=log)
    assert log.runs()[0].assignments == {"x": 1}


def test_our_own_export_can_be_imported(tmp_path, log):
    made = hs.Experiment.create({**SPEC, "budget": 4, "searcher": "sobol"}, tmp_path / "a.db")
    for run in made.loop():
        with run:
            if run.number == 2:
                raise ValueError("boom")
            run.log_metric("loss", run["x"] / 3)
    path = tmp_path / "out.csv"
    CliRunner().invoke(
        main,
        ["export", str(made.id), "--csv", "-o", str(path), "--log", str(tmp_path / "a.db")],
        catch_exceptions=False,
    )
    assert import_runs("csv", path, project="p", log=log).added == 4
    for before, after in zip(made.runs(), log.runs(), strict=True):
        assert (after.assignments, after.values, after.state) == (
            before.assignments,
            before.values,
            before.state,
        )
        assert (after.end_reason, after.origin) == (before.end_reason, before.origin)


# Optuna


def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    n = trial.suggest_int("n", 1, 3)
    kind = trial.suggest_categorical("kind", ["a", None, True])
    if trial.number == 1:
        raise RuntimeError("boom")
    for step in range(3):
        trial.report(x * step, step)
        if trial.number == 2 and step == 1:
            raise optuna_pruned()
    trial.set_user_attr("layers", [n, 2])
    return x + (kind is None)


def optuna_pruned():
    import optuna

    return optuna.TrialPruned()


def studied(storage, name="s", **options):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(
        storage=storage, study_name=name, sampler=sampler, load_if_exists=True, **options
    )
    study.optimize(objective, n_trials=4, catch=(RuntimeError,))
    return study


@pytest.fixture(params=["database", "file", "journal"])
def optuna_place(request, tmp_path):
    """A storage to write to, and what names it to the importer."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if request.param == "journal":
        path = str(tmp_path / "study.log")
        return JournalStorage(JournalFileBackend(path)), path
    url = f"sqlite:///{tmp_path / 'study.db'}"
    return url, url if request.param == "database" else str(tmp_path / "study.db")


def test_a_study_becomes_runs(optuna_place, log):
    storage, source = optuna_place
    study = studied(storage)
    open_trial = study.ask()
    study.enqueue_trial({"x": 0.5})
    done = import_runs("optuna", source, project="p", log=log)
    assert (done.added, done.skipped) == (5, {"waits in the study's queue": 1})
    runs = log.runs(project="p", curves=True)
    states = [State.COMPLETED, State.FAILED, State.EARLY_STOPPED, State.COMPLETED, State.ACTIVE]
    assert [run.state for run in runs] == states
    for run, trial in zip(runs, study.trials, strict=False):
        wanted = {name: "None" if value is None else value for name, value in trial.params.items()}
        assert run.assignments == wanted
        assert run.numbers == ({} if trial.value is None else {"value": trial.value})
        assert [point.values["value"] for point in run.curve] == list(trial.intermediate_values.values())
        assert run.created == trial.datetime_start.timestamp()
        assert run.metadata == {"study": "s", "trial": trial.number, **trial.user_attrs}
        assert run.origin == "optuna"
    assert runs[1].failure.kind == "user_error"

    before = written(log)
    assert import_runs("optuna", source, project="p", log=log).known == 5
    assert written(log) == before
    study.tell(open_trial, 0.25)
    study.optimize(objective, n_trials=2)
    done = import_runs("optuna", source, project="p", log=log)
    assert (done.added, done.finished) == (2, 1)
    assert log.run(runs[4].id).numbers == {"value": 0.25}


def test_studies_are_told_apart(tmp_path, log):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    studied(url, "a"), studied(url, "b")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    studied(other, "a")
    assert import_runs("optuna", url, study="b", log=log).added == 4
    assert import_runs("optuna", url, log=log).added == 4
    assert import_runs("optuna", other, log=log).added == 4
    with pytest.raises(NotFound, match=r"no study 'c'.*a, b"):
        import_runs("optuna", url, study="c", log=log)


def test_the_same_study_from_another_time_zone(tmp_path, log, monkeypatch):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    studied(url)
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        import_runs("optuna", url, log=log)
    monkeypatch.undo()
    time.tzset()
    assert len(log.runs()) == 4


def test_objectives_have_names(tmp_path, log):
    import optuna

    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=url, study_name="s", directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 2.0), n_trials=1)
    import_runs("optuna", url, project="plain", log=log)
    import_runs("optuna", url, project="named", metrics=["loss", "accuracy"], log=log)
    assert [sorted(run.numbers) for run in log.runs()] == [["value_0", "value_1"], ["accuracy", "loss"]]
    with pytest.raises(InvalidValue, match="must name the 2 values"):
        import_runs("optuna", url, metrics=["loss"], log=log)


def test_a_study_that_was_tracked_live_is_not_doubled(tmp_path, log):
    import optuna

    from heliostat_trackers.adapters.optuna import track

    url = f"sqlite:///{tmp_path / 'study.db'}"
    studied(url)
    study = track(optuna.load_study(storage=url, study_name="s"), log, project="p")
    study.optimize(objective, n_trials=2)
    log.flush()
    assert import_runs("optuna", url, project="p", log=log).known == 6
    assert len(log.runs()) == 6


@pytest.mark.parametrize("name", ["text.db", "heliostat.db", "other.db"])
def test_other_files_are_no_studies_and_stay_as_they_are(tmp_path, log, name):
    path = tmp_path / name
    if name == "text.db":
        path.write_text("hello")
    elif name == "heliostat.db":
        open_log(path).close()
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE mine (id INTEGER)")
        connection.commit()
        connection.close()
    before = path.read_bytes()
    with pytest.raises(InvalidValue, match=r"is no|is not an"):
        import_runs("optuna", path, log=log)
    with pytest.raises(InvalidValue, match=r"is no|is not an"):
        import_runs("mlflow", f"sqlite:///{path}", log=log)
    assert path.read_bytes() == before


# MLflow


@pytest.fixture(scope="module")
def mlflow_database(tmp_path_factory):
    """A tracking database with one run of each kind."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput

    folder = tmp_path_factory.mktemp("mlflow")
    path = folder / "ml.db"
    client = MlflowClient(f"sqlite:///{path}")
    experiment = client.create_experiment("nets", artifact_location=str(folder / "artifacts"))
    client.create_experiment("empty", artifact_location=str(folder / "more"))
    tags = {
        "team": "blue",
        "mlflow.user": "ann",
        "mlflow.source.git.commit": "abc",
        "mlflow.note.content": "*hi*",
    }
    run = client.create_run(experiment, run_name="one", tags=tags).info.run_id
    params = {
        "lr": "0.1",
        "n": "3",
        "flag": "True",
        "act": "relu",
        "zip": "007",
        "none": "None",
        "tiny": "1e-08",
    }
    for name, text in params.items():
        client.log_param(run, name, text)
    for step in range(4):
        client.log_metric(run, "loss", 1 / (step + 1), step=step)
    client.log_metric(run, "nan", math.nan)
    client.log_metric(run, "inf", math.inf)
    client.log_inputs(run, [DatasetInput(Dataset("iris", "d1", "local", "here"), [])])
    client.set_terminated(run)
    for status in ("FAILED", "KILLED"):
        other = client.create_run(experiment).info.run_id
        for value in (3.0, 2.0, 1.0):  # whoever never passes a step
            client.log_metric(other, "loss", value)
        client.set_terminated(other, status)
    client.create_run(experiment, run_name="open")
    client.create_run(experiment, run_name="ours", tags={"heliostat.run": "7"})
    return path, client, experiment


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_mlflow_runs_become_runs(mlflow_database, tmp_path, log):
    path, client, experiment = mlflow_database
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    source = f"sqlite:///{path}"
    done = import_runs("mlflow", source, experiment="nets", project="p", log=log)
    assert (done.added, done.skipped) == (4, {"Heliostat wrote it there itself": 1})
    one, failed, killed, active = log.runs(curves=True)
    assert one.assignments == {
        "lr": 0.1,
        "n": 3,
        "flag": True,
        "act": "relu",
        "zip": "007",
        "none": "None",
        "tiny": 1e-8,
    }
    assert type(one.assignments["n"]) is int
    assert (one.numbers["loss"], one.numbers["inf"]) == (0.25, math.inf)
    assert math.isnan(one.numbers["nan"])
    assert [point.values.get("loss") for point in one.curve] == [1.0, 0.5, 1 / 3, 0.25]
    assert (one.name, one.user, one.source_hash, one.note) == ("one", "ann", "abc", "*hi*")
    assert one.metadata == {"study": "nets", "team": "blue"}
    assert one.datasets == {"iris": {"digest": "d1", "source_type": "local"}}
    assert one.origin == "mlflow"
    assert one.seconds >= 0
    assert [run.state for run in (failed, killed, active)] == [State.FAILED, State.CANCELLED, State.ACTIVE]
    assert [(point.step, point.values["loss"]) for point in failed.curve] == [(0, 3.0), (1, 2.0), (2, 1.0)]

    assert import_runs("mlflow", source, experiment=experiment, project="p", log=log).known == 4
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    found = client.search_runs([experiment], "attributes.run_name = 'open'")
    client.set_terminated(found[0].info.run_id)
    assert import_runs("mlflow", source, project="p", log=log).finished == 1
    assert import_runs("mlflow", source, mirrored=True, curves=False, project="p", log=log).added == 1


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_mlflow_sources_that_are_not_there(mlflow_database, tmp_path, log):
    with pytest.raises(NotFound, match=r"no experiment 'net'.*nets"):
        import_runs("mlflow", f"sqlite:///{mlflow_database[0]}", experiment="net", log=log)
    with pytest.raises(NotFound):
        import_runs("mlflow", f"sqlite:///{tmp_path / 'none.db'}", log=log)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(NotFound, match="nothing answers"):
        import_runs("mlflow", "http://127.0.0.1:9", log=log)


# SigOpt


def sigopt_experiment(**fields):
    parameter = {"object": "parameter", "categorical_values": None, "conditions": {}, "default_value": None,
                 "prior": None, "transformation": None, "bounds": None}  # fmt: skip
    bounds = {"object": "bounds", "min": 0.01, "max": 1.0}
    kinds = [
        {"object": "categorical_value", "name": name, "enum_index": place + 1}
        for place, name in enumerate("ab")
    ]
    return {
        "object": "experiment", "id": "12", "client": "1", "user": "7", "project": "demo", "name": "Franke",
        "type": "offline", "state": "active", "created": 1000, "updated": 1001, "metadata": {"k": "v"},
        "metrics": [{"object": "metric", "name": None, "objective": "maximize", "strategy": "optimize",
                     "threshold": None}],
        "parameters": [
            {**parameter, "name": "x", "type": "double", "bounds": bounds, "transformation": "log"},
            {**parameter, "name": "kind", "type": "categorical", "categorical_values": kinds},
        ],
        "conditionals": [], "linear_constraints": [], "num_solutions": None, "parallel_bandwidth": None,
        "runs_only": False, "development": False, "observation_budget": 20,
        "tasks": [CHEAP, TRUE],
        "progress": {"object": "progress", "observation_count": 2},
    } | fields  # fmt: skip


def sigopt_run(id, **fields):
    return {
        "object": "training_run", "id": id, "client": "1", "project": "demo", "experiment": None,
        "suggestion": None, "observation": None, "user": "7", "name": f"run {id}",
        "state": "completed", "finished": True, "created": 2000, "updated": 2100, "completed": 2090,
        "deleted": False, "favorite": True,
        "checkpoint_count": 2, "assignments": {"max_depth": 3}, "metadata": {"note": "m"},
        "dev_metadata": {"d": 1},
        "assignments_meta": {"max_depth": {"object": "assignment_meta", "source": "User Specified"}},
        "assignments_sources": {
            "User Specified": {"object": "assignment_source", "sort": 2, "default_show": True}
        },
        "values": {
            "acc": {"object": "metric_evaluation", "name": "acc", "value": 0.9, "value_stddev": 0.01},
            "none": {"object": "metric_evaluation", "name": "none", "value": None, "value_stddev": None},
        },
        "sys_metadata": {"feature_importances": {"type": "weight", "scores": {"a": 2.0}}},
        "datasets": {"iris": {"object": "dataset"}}, "model": {"object": "model", "type": "xgb"},
        "logs": {"stdout": {"object": "log", "content": "hello"}},
        "source_code": {"object": "source_code", "content": "import x", "hash": "abc"},
        "tags": ["5"], "files": [],
    } | fields  # fmt: skip


CHECKPOINTS = [
    {"object": "checkpoint", "id": str(id), "training_run": "1", "created": 2000 + id, "metadata": None,
     "values": [{"name": "acc", "value": id / 100, "value_stddev": None}]}
    for id in (30, 31)
]  # fmt: skip


def suggestion(id, assignments, **fields):
    return {"object": "suggestion", "id": id, "experiment": "12", "assignments": assignments, "created": 1010,
            "deleted": False, "state": "open", "metadata": None} | fields  # fmt: skip


def observation(id, assignments, **fields):
    return {"object": "observation", "id": id, "experiment": "12", "suggestion": None, "failed": False,
            "assignments": assignments, "created": 1020, "metadata": None, "values": []} | fields  # fmt: skip


VALUE = {"object": "metric_evaluation", "name": None, "value": 3.5, "value_stddev": 0.2}
CHEAP, TRUE = ({"object": "task", "name": name, "cost": cost} for name, cost in (("cheap", 0.1), ("true", 1)))
OBSERVED = [
    suggestion("100", {"x": 0.5, "kind": "a"}, state="closed", task=TRUE),
    observation(
        "200", {"x": 0.5, "kind": "a"}, suggestion="100", task=TRUE, values=[VALUE], metadata={"host": "n1"}
    ),
    observation("201", {"x": 0.1, "kind": "b"}, failed=True, task=CHEAP, created=1030),
    suggestion("101", {"x": 0.7, "kind": "b"}, task=TRUE),
    suggestion("102", {"x": 0.7, "kind": "b"}, state="closed", deleted=True),
]


def page(items):
    return {
        "object": "pagination",
        "count": len(items),
        "data": items,
        "paging": {"before": None, "after": None},
    }


def test_sigopt_training_runs(tmp_path, log):
    tag = {"object": "tag", "id": "5", "name": "good", "color": "#123456", "client": "1"}
    path = tmp_path / "export.json"
    path.write_text(
        json.dumps(
            [page([sigopt_run("1"), sigopt_run("2", state="failed", tags=[])]), page(CHECKPOINTS), tag]
        )
    )
    assert import_runs("sigopt", path, log=log).added == 2
    one, two = log.runs(project="demo", curves=True)
    assert (one.name, one.state, one.origin, one.project) == ("run 1", State.COMPLETED, "sigopt", "demo")
    assert (one.assignments, one.values) == ({"max_depth": 3}, {"acc": Measurement(0.9, 0.01)})
    assert one.parameter_sources == {"max_depth": "User Specified"}
    assert [(point.step, dict(point.values)) for point in one.curve] == [
        (1, {"acc": 0.3}),
        (2, {"acc": 0.31}),
    ]
    assert (one.metadata, one.datasets, one.model) == ({"note": "m"}, {"iris": {}}, "xgb")
    assert one.sys_metadata == {"feature_importances": {"type": "weight", "scores": {"a": 2.0}}}
    assert (one.tags, one.favorite, one.source_hash) == (("good",), True, "abc")
    assert (one.created, one.ended, one.user) == (2000, 2090, "7")
    assert log.texts(one.id) == {"stdout": "hello", "source": "import x"}
    assert (two.state, two.failure.kind) == (State.FAILED, "user_error")
    assert import_runs("sigopt", path, log=log).known == 2


@pytest.mark.parametrize("form", ["page", "lines", "folder"])
def test_a_sigopt_core_experiment(tmp_path, log, form):
    items = [sigopt_experiment(), *OBSERVED]
    path = tmp_path / "export"
    if form == "page":
        path.write_text(json.dumps(page(items)))
    elif form == "lines":
        path.write_text("\n".join(json.dumps(item) for item in items))
    else:
        path.mkdir()
        (path / "observations.json").write_text(json.dumps(page(OBSERVED)))
        (path / "experiment.json").write_text(json.dumps(sigopt_experiment()))
    done = import_runs("sigopt", path, log=log)
    assert (done.added, sum(done.skipped.values())) == (2, 2)
    (record_,) = log.experiments()
    assert done.experiments == (record_.id,)
    spec = record_.spec
    assert (spec.name, spec.project, spec.budget, spec.searcher) == ("Franke", "demo", 20, "bayesian")
    assert [item.name for item in spec.space.parameters] == ["x", "kind"]
    assert [task.cost for task in spec.tasks] == [0.1, 1.0]
    assert (record_.created, spec.metadata["k"]) == (1000, "v")
    first, second = log.runs(record_.id)
    assert (first.number, first.task, first.values) == (1, "true", {"value": Measurement(3.5, 0.2)})
    assert (first.created, first.ended, first.metadata) == (1010, 1020, {"host": "n1"})
    assert (second.state, second.task) == (State.FAILED, "cheap")
    assert import_runs("sigopt", path, log=log).known == 2
    assert len(log.experiments()) == 1


def test_a_sigopt_ai_experiment_with_its_runs(tmp_path, log):
    named = [
        {
            "object": "metric",
            "name": "acc",
            "objective": "maximize",
            "strategy": "optimize",
            "threshold": None,
        }
    ]
    experiment = sigopt_experiment(object="aiexperiment", metrics=named, budget=5, state="deleted", tasks=[])
    given = {"x": 0.5, "kind": "a", "mine": 7}
    items = [
        sigopt_run("1", experiment="12", assignments=given, observation="200", suggestion="100"),
        sigopt_run("2", experiment="12", assignments=given, values={}),
        sigopt_run("3", experiment="99"),
        *OBSERVED[:2],
        experiment,
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(items))
    assert import_runs("sigopt", path, log=log).added == 3
    (record_,) = log.experiments()
    assert (record_.spec.budget, record_.archived) == (5, True)
    first, second = log.runs(record_.id)
    assert (first.assignments, first.numbers) == (given, {"acc": 0.9})
    assert (second.state, second.failure.kind) == (State.FAILED, "missing_metric")  # as SigOpt judged, too
    (third,) = [run for run in log.runs() if run.experiment is None]
    assert third.metadata["sigopt_experiment"] == "99"


def test_a_sigopt_experiment_that_ours_cannot_declare(tmp_path, log):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([sigopt_experiment(parameters=[]), *OBSERVED[:2]]))
    done = import_runs("sigopt", path, log=log)
    assert done.added == 1
    assert "cannot be declared here" in next(iter(done.skipped))
    assert log.runs()[0].experiment is None


def test_odd_sigopt_exports(tmp_path, log):
    path = tmp_path / "export.json"
    for text, told in (
        ("{", "is not JSON"),
        ("[1, 2]", "none of SigOpt"),
        ('{"object": "project"}', "none of SigOpt"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidValue, match=told):
            import_runs("sigopt", path, log=log)
    path.write_text(
        json.dumps([sigopt_run("1"), sigopt_run("2", values=[1, 2]), {"object": "riddle", "id": 1}])
    )
    done = import_runs("sigopt", path, log=log)
    assert (done.added, sum(done.skipped.values())) == (1, 2)


# Ray Tune


def tune_folder(folder, *trials, state=True):
    """An experiment's folder as Ray Tune 2.60 writes it, of ``(id, status, config, results, error)``."""
    folder.mkdir()
    listed = []
    for id, status, config, results, error in trials:
        facts = {
            "start_time": 1000.0,
            "last_result": results[-1] if results else {},
            "last_result_time": 1009.0,
        }
        pickled = {"_type": "CLOUDPICKLE_FALLBACK", "value": "80059500"}
        listed.append(
            [
                json.dumps({"trial_id": id, "status": status, "config": config, "storage": pickled}),
                json.dumps(facts),
            ]
        )
        if status == "PENDING":
            continue
        own = folder / f"train_{id}_0_x=1_2026-01-01_00-00-00"
        own.mkdir()
        (own / "params.json").write_text(json.dumps(config))
        (own / "result.json").write_text("".join(json.dumps(result) + "\n" for result in results))
        (own / "params.pkl").write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
        if error:
            (own / "error.txt").write_text(error)
    if state:
        (folder / "experiment_state-2026-01-01_00-00-00.json").write_text(json.dumps({"trial_data": listed}))
    (folder / "tuner.pkl").write_bytes(b"cos\nsystem\n(S'touch stolen'\ntR.")
    return folder


def tune_results(id, *losses, **more):
    return [
        {"loss": loss, "deep": {"a": 1}, "note": "text", "training_iteration": step, "trial_id": id,
         "timestamp": 1000 + step, "done": step == len(losses), "pid": 1, "hostname": "h",
         "time_total_s": step, **more}
        for step, loss in enumerate(losses, start=1)
    ]  # fmt: skip


RAISED = """Failure # 1 (occurred at 2026-01-01)
\x1b[36mray::ImplicitFunc.train()\x1b[39m (pid=1)
  File "t.py", line 3, in f
ValueError: too big
second line
"""
DIED = """Failure # 1 (occurred at 2026-01-01)
ValueError: an earlier attempt
Failure # 2 (occurred at 2026-01-01)
The actor died unexpectedly before finishing this task.
\tclass_name: ImplicitFunc
"""


def test_a_folder_of_ray_tune(tmp_path, log, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {
        "x": 1,
        "net": {"act": "relu", "sizes": [1, 2]},
        "fn": {"_type": "CLOUDPICKLE_FALLBACK", "value": "8005"},
    }
    folder = tune_folder(
        tmp_path / "sweep",
        ("aaaaa_00000", "TERMINATED", config, tune_results("aaaaa_00000", 3.0, 2.0, math.nan), ""),
        ("aaaaa_00001", "ERROR", {"x": 2}, tune_results("aaaaa_00001", 3.0), RAISED),
        ("aaaaa_00002", "ERROR", {"x": 3}, tune_results("aaaaa_00002", 3.0), DIED),
        ("aaaaa_00003", "ERROR", {"x": 4}, [], RAISED),
        ("aaaaa_00004", "RUNNING", {"x": 5}, tune_results("aaaaa_00004", 3.0, done=False), ""),
        ("aaaaa_00005", "PENDING", {"x": 6}, [], ""),
    )
    done = import_runs("tune", folder, project="p", log=log)
    assert (done.added, done.skipped) == (5, {"never began": 1})
    good, raised, died, early, active = log.runs(curves=True)
    assert good.assignments == {
        "x": 1,
        "net/act": "relu",
        "net/sizes": "[1, 2]",
        "fn": "(an object that Ray Tune pickled)",
    }
    assert sorted(good.numbers) == ["deep/a", "loss"]
    assert math.isnan(good.numbers["loss"])
    assert [point.step for point in good.curve] == [1, 2, 3]
    assert (good.started, good.ended, good.origin) == (1000.0, 1009.0, "tune")
    assert good.metadata == {"study": "sweep", "trial": "aaaaa_00000"}
    assert [run.state for run in (good, raised, died, early, active)] == [
        State.COMPLETED, State.FAILED, State.LOST, State.FAILED, State.ACTIVE
    ]  # fmt: skip
    assert raised.failure.message == "ValueError: too big"
    assert "t.py" in raised.failure.traceback
    assert died.failure.kind == "lost"
    assert early.values == {}
    assert import_runs("tune", folder, project="p", log=log).known == 5
    assert not (tmp_path / "stolen").exists()


def test_a_folder_without_a_snapshot_and_with_a_torn_line(tmp_path, log):
    folder = tune_folder(
        tmp_path / "sweep",
        ("aaaaa_00000", "", {"x": 1}, tune_results("aaaaa_00000", 3.0, 2.0), ""),
        ("aaaaa_00001", "", {"x": 2}, tune_results("aaaaa_00001", 3.0, 2.0, done=False), ""),
        state=False,
    )
    torn = next(folder.glob("*aaaaa_00001*")) / "result.json"
    torn.write_text(torn.read_text() + '{"loss": 0.')
    table_only = next(folder.glob("*aaaaa_00000*"))
    (table_only / "result.json").unlink()
    (table_only / "progress.csv").write_text(
        "loss,deep/a,done,training_iteration,trial_id\n3.0,1,False,1,aaaaa_00000\n2.0,1,True,2,aaaaa_00000\n"
    )
    assert import_runs("tune", folder, log=log).added == 2
    whole, open_ = log.runs(curves=True)
    assert (whole.state, whole.numbers) == (State.COMPLETED, {"loss": 2.0, "deep/a": 1.0})
    assert (open_.state, len(open_.curve)) == (State.ACTIVE, 2)


def test_odd_folders_of_ray_tune(tmp_path, log):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValue, match="folder of one experiment"):
        import_runs("tune", tmp_path / "empty", log=log)
    folder = tune_folder(
        tmp_path / "sweep", ("aaaaa_00000", "TERMINATED", {"x": 1}, tune_results("a", 1.0), "")
    )
    next(folder.glob("experiment_state*")).write_text("[1, 2")
    with pytest.raises(InvalidValue, match="experiment_state"):
        import_runs("tune", folder, log=log)


@pytest.mark.ray
def test_a_real_sweep_from_its_grid_its_folder_and_its_memory(tmp_path, log, ray_cluster, monkeypatch):
    import shutil

    from ray import tune

    from heliostat_trackers.importers.tune import import_results

    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")

    def train(config):
        for step in range(1, 4):
            if config["x"] == 2 and step == 2:
                raise ValueError("too big")
            tune.report({"loss": config["x"] * step})

    tuner = tune.Tuner(
        train,
        param_space={"x": tune.grid_search([0, 1, 2]), "fn": train},
        run_config=tune.RunConfig(storage_path=str(tmp_path), name="sweep", verbose=0),
    )
    grid = tuner.fit()
    assert import_results(grid, project="p", log=log).added == 3
    runs = log.runs(curves=True)
    assert sorted((run.assignments["x"], run.numbers["loss"], len(run.curve)) for run in runs) == [
        (0, 0.0, 3),
        (1, 3.0, 3),
        (2, 2.0, 0),
    ]
    (failed,) = [run for run in runs if run.state is State.FAILED]
    assert failed.failure.message == "ValueError: too big"
    assert import_runs("tune", tmp_path / "sweep", project="p", log=log).known == 3
    shutil.rmtree(tmp_path / "sweep")
    assert import_results(grid, project="p", log=log).known == 3
    import_results(grid, project="memory", log=log)
    assert sorted(run.numbers["loss"] for run in log.runs(project="memory")) == [0.0, 2.0, 3.0]
    assert sum(run.state is State.FAILED for run in log.runs(project="memory")) == 1


# The command


def call(*words, code=0):
    done = CliRunner().invoke(main, ["import", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def test_the_command_says_what_it_did(tmp_path):
    path = table(tmp_path / "t.csv", ["a", "b", "c"], ["1", "2", "3"])
    where = ("--project", "p", "--log", tmp_path / "runs.db")
    done = call("csv", path, "--params", "a, b", "--metrics", "c", "--origin", "grid", *where)
    assert done.stdout == "1 added, 0 already there, 0 skipped\n"
    told = json.loads(call("csv", path, "--params", "a,b", "--metrics", "c", "--json", *where).stdout)
    assert (told["added"], told["known"]) == (0, 1)
    folder = tune_folder(tmp_path / "sweep", ("aaaaa_00005", "PENDING", {"x": 6}, [], ""))
    assert (
        call("tune", folder, *where).stdout
        == "0 added, 0 already there, 1 skipped\n  skipped 1: never began\n"
    )
    log = open_log(tmp_path / "runs.db")
    assert [(run.project, run.origin) for run in log.runs()] == [("p", "grid")]
    log.close()
    assert "no option 'study'" in call("csv", path, "--study", "s", *where, code=2).output
    assert (
        "there is no CSV file at" in call("csv", tmp_path / "none", "--log", tmp_path / "x.db", code=2).output
    )
    assert not (tmp_path / "x.db").exists()
