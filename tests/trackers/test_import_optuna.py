"""Studies become runs."""

import sqlite3
import time

import pytest
from imported import written

from heliostat.errors import InvalidValue, NotFound
from heliostat.imports import import_runs
from heliostat.registry import open_log
from heliostat.trial import State


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
