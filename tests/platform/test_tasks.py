"""Cheaper tasks: what they cost, what the user's code is told, what counts as best."""

import pytest

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.trial import Proposal
from heliostat.writes import CreateExperiment

TASKS = [{"name": "tenth", "cost": 0.1}, {"name": "half", "cost": 0.5}, {"name": "full", "cost": 1}]


class InTurn:
    """Proposes each task in turn, whatever came back."""

    capabilities = frozenset({"tasks"})

    def suggest(self, spec, history, count, rng):
        names = [task.name for task in spec.tasks]
        places = range(len(history), len(history) + count)
        return [Proposal({"x": float(rng.random())}, names[place % len(names)]) for place in places]


def declared(log_url, budget):
    """An experiment with tasks, steered by the searcher above."""
    spec = {
        "name": "tasks",
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "tasks": TASKS,
        "budget": budget,
    }
    log = hs.open_log(log_url)
    experiment = hs.Experiment.open(log.apply(CreateExperiment(spec, time=1.0)).experiment, log)
    experiment.engine.use(InTurn())
    return experiment


def test_the_budget_is_counted_in_full_tasks(log_url):
    experiment = declared(log_url, 2)
    tasks = []
    for run in experiment.loop():
        tasks.append((run.task.name, run.task.cost))
        run.log_metric("loss", 1.0)
    assert tasks == [("tenth", 0.1), ("half", 0.5), ("full", 1.0), ("tenth", 0.1), ("half", 0.5)]
    assert (experiment.engine.used, experiment.engine.remaining) == (2.2, 0)
    assert experiment.is_finished()
    assert [run.task for run in experiment.runs()] == [name for name, _ in tasks]
    assert hs.Experiment.open(experiment.id, hs.open_log(log_url)).engine.used == 2.2


def test_several_at_once_stop_where_the_budget_ends(log_url):
    experiment = declared(log_url, 1)
    runs = experiment.engine.suggest(6)
    assert [run.task for run in runs] == ["tenth", "half", "full"]
    assert experiment.engine.suggest(1) == []
    assert not experiment.engine.is_exhausted


def test_the_best_run_is_one_of_the_full_task(log_url):
    experiment = declared(log_url, 2)
    for run in experiment.loop():
        run.log_metric("loss", run.task.cost)
    assert experiment.best().task == "full"
    assert [run.task for run in experiment.best_runs()] == ["full"]
    assert experiment.recommended().task == "full"


def test_queued_and_added_points_are_of_the_full_task_unless_said(log_url):
    experiment = declared(log_url, 4)
    experiment.queue({"x": 0.5})
    experiment.queue({"x": 0.5}, task="tenth")
    assert [experiment.ask().task.name for _ in range(2)] == ["full", "tenth"]
    assert experiment.add({"x": 0.1}, {"loss": 1.0}, task="half").task == "half"
    assert experiment.add({"x": 0.1}, {"loss": 1.0}).task == "full"
    with pytest.raises(InvalidValue, match="Its tasks: tenth, half, full"):
        experiment.add({"x": 0.1}, {"loss": 1.0}, task="quarter")
    assert experiment.engine.used == pytest.approx(2.6)


def test_without_tasks_there_is_none_and_a_run_costs_one(log_url):
    experiment = hs.Experiment(
        "plain",
        parameters=[hs.Double("task", 0, 1)],
        metrics=["auc"],
        budget=2,
        searcher="sobol",
        log=log_url,
    )
    assert experiment.ask().task is None
    assert (experiment.engine.used, experiment.engine.remaining) == (1, 1)


def test_a_parameter_may_not_take_the_name_of_the_task(log_url):
    with pytest.raises(InvalidValue, match="no parameter may"):
        hs.Experiment(
            "clash", parameters=[hs.Double("task", 0, 1)], metrics=["auc"], budget=2, tasks=TASKS, log=log_url
        )
