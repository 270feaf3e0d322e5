"""Experiment folders and results of Ray Tune become runs."""

import math

import pytest
from imported import tune_folder

from heliostat.errors import InvalidValue
from heliostat.imports import import_runs
from heliostat.trial import State


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
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "0")  # the files are what is imported

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
