"""Sweeps on Ray Tune with queued points, tasks, and a declaration that changes on the way."""

import pytest

import heliostat as hs
from heliostat.writes import CreateExperiment

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_a_sweep_hands_out_queued_points_and_takes_a_raised_budget(ray_cluster, log_url):
    experiment = hs.Experiment(
        "sweep",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss")],
        budget=3,
        searcher="sobol",
        log=log_url,
    )
    experiment.queue({"x": 0.125})
    id = experiment.id

    def trainable(config):
        if config["x"] == 0.125:
            elsewhere = hs.Experiment.open(id, hs.open_log(log_url))
            elsewhere.update(budget=5)
            elsewhere.queue({"x": 0.875})
            elsewhere.log.close()
        return {"loss": config["x"]}

    result = experiment.sweep(trainable, parallel=1)
    xs = [run.assignments["x"] for run in result.runs]
    assert (len(xs), xs[0], 0.875 in xs, result.is_complete) == (5, 0.125, True, True)
    assert experiment.queued() == []


@pytest.mark.slow
def test_a_trainable_is_told_its_task(ray_cluster, log_url):
    spec = {
        "name": "tasks",
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "tasks": [{"name": "half", "cost": 0.5}, {"name": "full", "cost": 1}],
        "budget": 2,
    }
    log = hs.open_log(log_url)
    experiment = hs.Experiment.open(log.apply(CreateExperiment(spec, time=1.0)).experiment, log)
    for task in ("half", "full", "half", "full"):
        experiment.queue({"x": 0.5}, task=task)
    result = experiment.sweep(lambda config: {"loss": config["task"]["cost"]}, parallel=1)
    assert [(run.task, run.numbers["loss"]) for run in result.runs] == [
        ("half", 0.5),
        ("full", 1.0),
        ("half", 0.5),
    ]
    assert [run.task for run in result.best] == ["full"]
    assert result.is_complete
    assert len(experiment.queued()) == 1
