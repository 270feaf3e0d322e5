"""What all importers share: a run is imported once, however often one asks, and as it was."""

import json
import math
import threading

import numpy as np
import pytest
from click.testing import CliRunner
from imported import SPEC, bring, table, tune_folder, written

import heliostat as hs
from heliostat.cli import main
from heliostat.errors import InvalidValue, NotFound
from heliostat.imports import ImportedRun, Skipped, import_runs
from heliostat.registry import open_log
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import CreateExperiment


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
