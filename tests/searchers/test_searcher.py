"""What each searcher promises beyond the contract."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from heliostat.errors import InvalidValue, Unsupported
from heliostat.experiment import ExperimentSpec, Task
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.registry import make_searcher
from heliostat.space import Double, Int, LinearConstraint, Space
from heliostat.testing.problems import SMALL, ZOO
from heliostat.testing.searchers import HISTORIES, completed
from heliostat.trial import History, Measurement, Run, State


def suggested(name, spec, history, count=1, seed=0):
    return list(make_searcher(name).suggest(spec, history, count, np.random.default_rng(seed)))


def opened(proposals, history=History()):  # noqa: B008
    runs = [Run(assignments=proposal.assignments) for proposal in proposals]
    return History((*history.runs, *runs))


@pytest.mark.parametrize("name", ["sobol", "bayesian"])
def test_one_sequence_whether_asked_once_or_often(name):
    spec = ZOO["one objective"]
    together = suggested(name, spec, History(), 4)
    history, single = History(), []
    for _ in range(4):
        single += suggested(name, spec, history, seed=len(history))
        history = opened(single)
    assert single == together


def test_sobol_depends_on_the_seed_of_the_experiment_alone():
    spec = ZOO["one objective"]
    assert suggested("sobol", spec, History(), seed=1) == suggested("sobol", spec, History(), seed=2)
    assert suggested("sobol", replace(spec, seed=9), History()) != suggested("sobol", spec, History())


def test_grid_is_lexicographic_and_brings_lost_points_again_at_the_end():
    points = [proposal.assignments for proposal in suggested("grid", SMALL, History(), 12)]
    assert points == list(SMALL.space.every())
    history = History((Run(assignments=points[0], state=State.LOST),))
    assert [proposal.assignments for proposal in suggested("grid", SMALL, history, 99)] == [
        *points[1:],
        points[0],
    ]


def test_grid_refuses_a_continuum():
    with pytest.raises(InvalidValue, match="grid"):
        suggested("grid", ZOO["one objective"], History())


def test_ax_refuses_what_it_cannot_express():
    space = Space(
        (Double("a", 0.1, 1, log=True), Double("b", 0, 1)),
        linear_constraints=(LinearConstraint("less_than", 1.0, (("a", 1), ("b", 1))),),
    )
    with pytest.raises(Unsupported, match="log"):
        suggested("ax", ExperimentSpec("log", space, Metrics((minimize("loss"),))), History())


def test_defaults_come_first():
    first, second = suggested("bayesian", ZOO["mixed"], History(), 2)
    assert first.assignments == ZOO["mixed"].space.defaults()
    assert second.assignments != first.assignments


def test_a_pool_of_workers_never_blocks():
    spec, history = ZOO["one objective"], History()
    proposals = suggested("bayesian", spec, history, 16)
    reasons = {proposal.why for proposal in proposals}
    assert len(proposals) == 16
    assert reasons == {"initial design", "explore: no run has completed"}


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ("all failed", "every run has failed"),
        ("constant", "all results are equal"),
        ("ten times the same point", "only 1 place has a result"),
    ],
)
def test_without_a_model_it_says_why(history, reason):
    spec = ZOO["one objective"]
    (proposal,) = suggested("bayesian", spec, HISTORIES[history](spec))
    assert reason in proposal.why
    assert not proposal.predicted


def test_no_feasible_point_means_looking_for_one():
    spec = ZOO["guarded"]
    runs = completed(spec, 12, seed=0).runs
    bad = [
        replace(run, values={**run.values, "cost": Measurement(1.0 + run.numbers["score"])}) for run in runs
    ]
    (proposal,) = suggested("bayesian", spec, History(tuple(bad)))
    assert proposal.why.startswith("feasibility")
    assert set(proposal.predicted) == {"score", "cost"}


@pytest.mark.parametrize("name", ["one objective", "two objectives", "five objectives"])
def test_predictions_are_in_natural_units(name):
    spec = ZOO[name]
    runs = completed(spec, 20, seed=0).runs
    scaled = [
        replace(run, values={key: Measurement(1000 + number) for key, number in run.numbers.items()})
        for run in runs
    ]
    spec = replace(
        spec,
        metrics=Metrics(tuple(replace(metric, threshold=None) for metric in spec.metrics.objectives)),
    )
    (proposal,) = suggested("bayesian", spec, History(tuple(scaled)))
    assert set(proposal.predicted) == {metric.name for metric in spec.metrics.steering}
    for predicted in proposal.predicted.values():
        assert 998 < predicted.mean < 1004
        assert 0 < predicted.stddev < 5


def test_a_batch_spreads_and_equals_one_by_one_with_open_runs():
    spec = ZOO["one objective"]
    history = completed(spec, 15, seed=0)
    proposals = suggested("bayesian", spec, history, 4)
    assert least_distance(spec, proposals) > 1e-3


def valley(*, seed, tasks=()):
    """Runs of a bowl of which some lie close to its end, so that the model is nearly sure there."""
    space = Space((Double("x", 0, 1), Double("y", 0, 1), Double("z", 0, 1)))
    spec = ExperimentSpec("bowl", space, Metrics((minimize("loss"),)), budget=60, tasks=tasks)
    draws = np.random.default_rng(seed)
    units = np.vstack([draws.random((20, 3)), 0.2 + 0.01 * draws.standard_normal((5, 3))])
    return spec, completed(spec, 25, seed=seed, places=[space.decode(unit) for unit in units])


@pytest.mark.parametrize("seed", [2, 10, 11])
def test_open_runs_are_not_asked_for_again_where_the_model_is_nearly_sure(seed):
    spec, history = valley(seed=seed)
    batch = suggested("bayesian", spec, history, 4, seed)
    batch += suggested("bayesian", spec, opened(batch, history), 4, seed + 1)
    assert not [item.why for item in batch if "nothing new" in item.why]
    assert least_distance(spec, batch) >= 1e-3


def test_an_open_run_on_a_cheap_task_is_as_open_as_any():
    spec, history = valley(seed=2, tasks=(Task("draft", 0.1), Task("full", 1.0)))
    history = History(tuple(replace(run, task="full") for run in history.runs))
    (first,) = suggested("bayesian", spec, history)
    started = Run(assignments=first.assignments, task="draft")
    (second,) = suggested("bayesian", spec, History((*history.runs, started)))
    assert least_distance(spec, [first, second]) >= 1e-3


def test_a_space_full_of_open_runs_still_gets_the_models_places():
    space = Space(
        (Double("x", 0, 1), Double("y", 0, 1)),
        linear_constraints=(LinearConstraint("greater_than", 1.9995, (("x", 1), ("y", 1))),),
    )
    spec = ExperimentSpec("corner", space, Metrics((minimize("loss"),)), budget=60)
    reasons = [item.why for item in suggested("bayesian", spec, completed(spec, 8, seed=0), 6)]
    assert not [reason for reason in reasons if "nothing new" in reason]


def least_distance(spec, proposals):
    places = np.array([spec.space.encode(proposal.assignments) for proposal in proposals])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return distances[np.triu_indices(len(places), 1)].min()


def test_the_optimum_on_a_linear_constraint_is_reached():
    space = Space(
        (Double("a", 0, 1), Double("b", 0, 1), Int("c", 0, 9)),
        linear_constraints=(LinearConstraint("less_than", 0.8, (("a", 1.0), ("b", 1.0))),),
    )
    spec = ExperimentSpec("edge", space, Metrics((minimize("loss"),)), seed=1)
    history = History()
    for number in range(20):
        (proposal,) = suggested("bayesian", spec, history, seed=number)
        values = space.check(proposal.assignments)
        loss = (values["a"] - 0.7) ** 2 + (values["b"] - 0.7) ** 2 + 0.05 * abs(values["c"] - 6)
        run = Run(assignments=values, state=State.COMPLETED, values={"loss": Measurement(loss)})
        history = History((*history.runs, run))
    assert min(run.numbers["loss"] for run in history.runs) < 0.18 + 0.02


def test_thresholds_that_nothing_meets_are_survived():
    spec = replace(
        ZOO["two objectives"],
        metrics=Metrics((minimize("loss", threshold=-99), minimize("size"), guardrail("cost <= 1"))),
    )
    (proposal,) = suggested("bayesian", spec, completed(spec, 12, seed=0))
    assert proposal.predicted


def test_loading_the_class_does_not_load_torch():
    code = (
        "import sys; import heliostat_searchers.bayesian, heliostat_searchers.ax_stock; "
        "assert not {'torch', 'botorch', 'ax', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
