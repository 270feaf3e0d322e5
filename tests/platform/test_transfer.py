"""Transfer sources: which runs of the log warm-start an experiment, and which are refused."""

import logging

import pytest

import heliostat as hs
from heliostat.engine import check_sources, sources
from heliostat.errors import InvalidValue, NotFound
from heliostat.experiment import read_experiment
from heliostat.trial import Measurement, State
from heliostat.writes import CreateExperiment, CreateRun, FinishRun, UpdateRun


class Watcher:
    """Remembers what it was told, proposes what it was told to."""

    capabilities = frozenset({"transfer"})

    def __init__(self):
        self.seen = []

    def suggest(self, spec, history, count, rng):
        from heliostat.trial import Proposal

        self.seen.append(history)
        return [Proposal({"x": float(rng.random())}) for _ in range(count)]


def wire(**more):
    return {
        "name": "target",
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "budget": 5,
        **more,
    }


def ended(log, experiment, x, state=State.COMPLETED, **more):
    project = "default" if experiment is not None else "elsewhere"
    write = CreateRun(experiment, {"x": x, "other": "a"}, time=1.0, project=project, **more)
    run = log.apply(write).run
    values = {"loss": Measurement(x)} if state is State.COMPLETED else {}
    log.apply(FinishRun(run, state, "ended", time=2.0, values=values))
    return run


def warmed(log, *transfer):
    reply = log.apply(CreateExperiment(wire(transfer=list(transfer)), time=3.0))
    experiment = hs.Experiment.open(reply.experiment, log)
    watcher = Watcher()
    experiment.engine.use(watcher)
    experiment.ask()
    return watcher.seen[-1].sources


def test_completed_and_failed_runs_of_experiments_and_of_any_others_come_in_declared_order(log_url):
    log = hs.open_log(log_url)
    first, second = (log.apply(CreateExperiment(wire(name=name), time=1.0)).experiment for name in "ab")
    one = ended(log, first, 0.1)
    two = ended(log, first, 0.2, State.FAILED)
    ended(log, first, 0.3, State.CANCELLED)
    gone = ended(log, first, 0.4)
    log.apply(UpdateRun(gone, time=3.0, archived=True))
    log.apply(CreateRun(first, {"x": 0.5}, time=1.0))
    three = ended(log, second, 0.6)
    alone = ended(log, None, 0.7, origin="optuna", metadata={"study": "old"})
    found = warmed(log, "metadata.study = 'old' and origin = optuna", second, first, f"id = {one}")
    assert [run.id for run in found] == [alone, three, one, two]
    assert [run.experiment for run in found] == [None, second, first, first]
    assert found[0].assignments == {"x": 0.7, "other": "a"}


def test_only_the_newest_of_a_large_source_count_and_that_is_said(log_url, monkeypatch, caplog):
    monkeypatch.setattr(sources, "MOST", 3)
    log = hs.open_log(log_url)
    first = log.apply(CreateExperiment(wire(), time=1.0)).experiment
    runs = [ended(log, first, x / 10) for x in range(5)]
    with caplog.at_level(logging.WARNING):
        assert [run.id for run in warmed(log, first)] == runs[2:]
    assert "has 5 runs: the newest 3 count" in caplog.text


def test_an_experiment_does_not_teach_itself(log_url):
    log = hs.open_log(log_url)
    ended(log, None, 0.5)
    reply = log.apply(CreateExperiment(wire(transfer=["params.x >= 0"]), time=3.0))
    ended(log, reply.experiment, 0.9)
    experiment = hs.Experiment.open(reply.experiment, log)
    assert [run.assignments["x"] for run in experiment.engine.history.sources] == [0.5]


@pytest.mark.parametrize(
    ("transfer", "kind", "words"),
    [
        ([77], NotFound, "no such experiment"),
        (["state ="], InvalidValue, "where: at the end"),
        (["params.x > 5"], InvalidValue, "no ended run meets the condition"),
        (["params.y > 0"], InvalidValue, "has no parameter of this experiment"),
        (["metrics.profit > 0"], InvalidValue, "has no metric of this experiment"),
    ],
)
def test_sources_that_teach_nothing_are_refused(log_url, transfer, kind, words):
    log = hs.open_log(log_url)
    for assignments, metric in (({"y": 1.0}, "loss"), ({"x": 1.0}, "profit")):
        run = log.apply(CreateRun(None, assignments, time=1.0)).run
        log.apply(FinishRun(run, State.COMPLETED, "ok", time=2.0, values={metric: Measurement(1.0)}))
    with pytest.raises(kind, match=words):
        check_sources(read_experiment(wire(transfer=transfer)), log)


def test_an_experiment_without_common_names_is_refused(log_url):
    log = hs.open_log(log_url)
    stranger = {**wire(), "metrics": ["auc"]}
    id = log.apply(CreateExperiment(stranger, time=1.0)).experiment
    with pytest.raises(InvalidValue, match=r"transfer\[0\]: the source has no metric.*It has auc"):
        check_sources(read_experiment(wire(transfer=[id])), log)
    near = log.apply(CreateExperiment(wire(), time=1.0)).experiment
    check_sources(read_experiment(wire(transfer=[near])), log)


def test_sources_are_declared_by_id_or_condition():
    spec = read_experiment(wire(transfer=[3, "4", "state = completed"]))
    assert spec.transfer == (3, 4, "state = completed")
    assert read_experiment(spec.to_dict()) == spec
    for wrong in ([" "], [0], [1.5], [None]):
        with pytest.raises(InvalidValue, match="transfer"):
            read_experiment(wire(transfer=wrong))
