"""Kinds of search compose: any legal experiment, any outcomes, one searcher."""

from dataclasses import replace
from math import inf, nan
from statistics import median

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec, Task
from heliostat.metrics import Metrics, guardrail, maximize, minimize, store
from heliostat.registry import make_searcher
from heliostat.space import Conditional, Double, Int, LinearConstraint, Space, sample
from heliostat.space.parameters import read_conditions
from heliostat.testing.problems import area
from heliostat.testing.spaces import spaces
from heliostat.trial import Checkpoint, Failure, History, Measurement, Run, State

BUDGET = 20
ODD = (nan, inf, -inf, 1e300, -1e300, 1e-300, 0.0, 1e9)
SWITCHED_OFF = (State.LOST, State.CANCELLED)


@st.composite
def metrics(draw):
    count = draw(st.integers(0, 4))
    objectives = [draw(st.sampled_from([minimize, maximize]))(f"o{place}") for place in range(count)]
    if count > 1 and draw(st.booleans()):
        objectives[0] = replace(objectives[0], threshold=draw(st.sampled_from([-1e3, -0.2, 0.5, 1e3])))
    limits = [
        guardrail(f"g{place}", **{draw(st.sampled_from(["at_most", "at_least"])): draw(st.floats(-2, 2))})
        for place in range(draw(st.integers(0 if count else 1, 2)))
    ]
    extra = [store("s")] if draw(st.booleans()) else []
    return Metrics(tuple(objectives + limits + extra))


@st.composite
def experiments(draw):
    chosen = draw(metrics())
    can_vary = len(chosen.objectives) == 1
    tasks = (Task("tiny", 0.05), Task("half", 0.5), Task("full", 1.0))
    return ExperimentSpec(
        "drawn",
        draw(spaces()),
        chosen,
        budget=BUDGET,
        num_solutions=draw(st.integers(1, 3)) if can_vary else 1,
        tasks=draw(st.sampled_from([(), (), tasks, tasks[1:]])),
        transfer=draw(st.sampled_from([(), (), (7,), (7, "metadata.study = 'old'")])),
        seed=draw(st.integers(0, 5)),
    )


def smooth(spec, assignments):
    unit = spec.space.encode(assignments)
    names = [metric.name for metric in spec.metrics.all]
    return {name: float(np.sum((unit - 0.15 * place) ** 2) - 0.3) for place, name in enumerate(names)}


def measured(spec, assignments, rng):
    """Mostly smooth values, some with a standard error; now and then an odd one, or none."""
    values = {}
    for name, value in smooth(spec, assignments).items():
        kind = rng.random()
        if kind < 0.04:
            continue
        shown = float(rng.choice(ODD)) if kind < 0.12 else value
        stddev = float(rng.choice([0.0, 0.1, 1e200])) if rng.random() < 0.2 else None
        values[name] = Measurement(shown, stddev)
    return values


def ended(spec, run, rng):
    """The run as its worker, its scheduler or the cluster may have left it."""
    state = rng.choice(
        [State.COMPLETED, State.EARLY_STOPPED, State.FAILED, *SWITCHED_OFF], p=[0.6, 0.15, 0.15, 0.05, 0.05]
    )
    values = measured(spec, run.assignments, rng)
    if state == State.COMPLETED:
        return replace(run, state=State.COMPLETED, values=values)
    if state == State.EARLY_STOPPED:
        curve = tuple(
            Checkpoint(step, {name: item.value + 1.0 / step for name, item in values.items()})
            for step in range(1, int(rng.integers(0, 6)) + 1)
        )
        return replace(
            run, state=State.EARLY_STOPPED, values=values if rng.random() < 0.5 else {}, curve=curve
        )
    failure = Failure("user_error" if state == State.FAILED else "lost", "ended")
    return replace(run, state=State(state), values=values if rng.random() < 0.3 else {}, failure=failure)


def reported(spec, runs, rng):
    """What a user reports without a suggestion: a point of theirs, or one that is known already."""
    known = runs[int(rng.integers(len(runs)))].assignments if runs and rng.random() < 0.6 else None
    assignments = known or sample(spec.space, rng, 1)[0]
    if rng.random() < 0.3:
        assignments = outside(spec, assignments, rng)
    task = str(rng.choice([item.name for item in spec.tasks])) if spec.tasks else None
    mine = Run(
        number=len(runs) + 1, id=len(runs) + 1, assignments=dict(assignments), task=task, origin="user"
    )
    return ended(spec, mine, rng)


def outside(spec, assignments, rng):
    """The same point with one number up to a width out of bounds: users report what they have."""
    numbers = [
        item
        for item in spec.space.parameters
        if isinstance(item, (Double, Int)) and item.grid is None and item.name in assignments
    ]
    if not numbers or spec.space.linear_constraints:
        return assignments
    item = numbers[int(rng.integers(len(numbers)))]
    low, high = item.bounds
    beyond = high + float(rng.random()) * (high - low)
    return {**assignments, item.name: int(beyond) + 1 if isinstance(item, Int) else beyond}


def declared_anew(spec, rng):
    """The experiment with a number's upper bound moved down; as it was where that is not allowed."""
    place = int(rng.integers(len(spec.space.parameters)))
    item = spec.space.parameters[place]
    if not isinstance(item, (Double, Int)) or item.grid is not None:
        return spec
    low, high = item.bounds
    middle = (low + high) // 2 if isinstance(item, Int) else low + 0.6 * (high - low)
    parameters = list(spec.space.parameters)
    try:
        parameters[place] = replace(item, max=middle)
        return replace(spec, space=replace(spec.space, parameters=tuple(parameters)))
    except InvalidValue:  # a default or a prior lies beyond, or a constraint needs the room
        return spec


def amended(spec, runs, rng):
    """The runs with one deleted, or one whose values were corrected."""
    place = int(rng.integers(len(runs)))
    if rng.random() < 0.5 or runs[place].state is not State.COMPLETED:
        return runs[:place] + runs[place + 1 :]
    values = measured(spec, runs[place].assignments, rng)
    return (*runs[:place], replace(runs[place], values=values), *runs[place + 1 :])


def source_runs(spec, rng):
    """Runs of other experiments whose parameters and metrics overlap partly with ours."""
    found = []
    for source, item in enumerate(spec.transfer):
        names = [name for name in spec.space.index if rng.random() < 0.7]
        for place, assignments in enumerate(sample(spec.space, rng, int(rng.integers(1, 12)))):
            values = measured(spec, assignments, rng)
            kept = {name: value for name, value in assignments.items() if name in names}
            origin = {"experiment": item} if isinstance(item, int) else {"project": "old"}
            run = Run(
                id=1000 * (source + 1) + place, number=place + 1, assignments={**kept, "elsewhere": 3.5}
            )
            found.append(replace(run, state=State.COMPLETED, values=values, **origin))
    return tuple(found)


def name_of(item):
    """What is measured: a place on a task, of a run or a proposal."""
    return tuple(sorted(item.assignments.items())), item.task


def check_proposals(spec, history, proposals, wanted):
    """Legal, new, distinct, on a task where there are tasks, and as many as were asked for."""
    used = {name_of(run) for run in history.runs if run.state not in SWITCHED_OFF}
    tasks = {task.name for task in spec.tasks} or {None}
    for proposal in proposals:
        assert spec.space.check(proposal.assignments) == dict(proposal.assignments)
        assert name_of(proposal) not in used
        assert proposal.task in tasks
        assert proposal.why
        assert np.isfinite([(item.mean, item.stddev) for item in proposal.predicted.values()]).all()
        used.add(name_of(proposal))
    if len(proposals) < wanted:
        places = {place for place, _ in used}
        assert all(tuple(sorted(values.items())) in places for values in spec.space.every())


def play_anything(spec, seed, asks):
    """Asks and tells in random order; each answer is asked for again from a searcher that knows nothing.

    Between them runs are deleted and corrected, points of the user's come in, and bounds move.
    """
    rng = np.random.default_rng(seed)
    searcher = make_searcher("bayesian")
    sources, runs = source_runs(spec, rng), ()
    for turn in range(asks):
        history, wanted = History(runs, sources), int(rng.choice([1, 1, 1, 2, 4]))
        proposals = searcher.suggest(spec, history, wanted, np.random.default_rng([seed, turn]))
        check_proposals(spec, history, proposals, wanted)
        again = make_searcher("bayesian").suggest(spec, history, wanted, np.random.default_rng([seed, turn]))
        assert list(again) == list(proposals)
        for item in proposals:
            number = len(runs) + 1
            runs += (Run(number=number, id=number, assignments=item.assignments, task=item.task),)
        runs = tuple(
            ended(spec, run, rng) if run.state.is_open and rng.random() < 0.5 else run for run in runs
        )
        if rng.random() < 0.2:
            runs += (reported(spec, runs, rng),)
        if runs and rng.random() < 0.1:
            runs = amended(spec, runs, rng)
        if rng.random() < 0.1:
            spec = declared_anew(spec, rng)


def legal_experiments(examples):
    return settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.timeout(900)
@legal_experiments(8)
@given(experiments(), st.integers(0, 99))
def test_random_experiments(spec, seed):
    play_anything(spec, seed, asks=20)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@legal_experiments(60)
@given(experiments(), st.integers(100, 999))
def test_many_random_experiments(spec, seed):
    play_anything(spec, seed, asks=20)


WORKERS = 8
SEEDS = (0, 1, 2, 3, 4)
CORNER = (1.0, 0.0)
"""Loss and speed from which hypervolume counts."""


def everything(budget):
    """Two objectives, two limits, a switch, a linear constraint, tasks and a source; some of it fails."""
    space = Space(
        (
            Double("x", 0, 1),
            Double("y", 0, 1),
            Double("rate", 1e-4, 1, log=True),
            Int("width", 1, 64, conditions=read_conditions({"model": "net"}, "model")),
            Double("depth", 1, 12, conditions=read_conditions({"model": "forest"}, "model")),
        ),
        (Conditional("model", ("net", "forest")),),
        (LinearConstraint("less_than", 1.4, (("x", 1.0), ("y", 1.0))),),
    )
    limits = guardrail("memory", at_most=0.9), guardrail("margin", at_least=0.1)
    wanted = Metrics((minimize("loss", threshold=CORNER[0]), maximize("speed", threshold=CORNER[1]), *limits))
    tasks = (Task("sample", 0.1), Task("full", 1.0))
    return ExperimentSpec(
        "all", space, wanted, budget=budget, tasks=tasks, transfer=(7,), parallel_bandwidth=8
    )


def outcome(values, task):
    """What the run on this task shows; None where the user's code fails."""
    x, y, rate = values["x"], values["y"], np.log10(values["rate"]) + 2.0
    if x < 0.2 and y < 0.5:
        return None
    is_net = values["model"] == "net"
    size = ((values["width"] - 40) / 32) ** 2 if is_net else 0.2 + ((values["depth"] - 5) / 6) ** 2
    bias = 0.1 * np.sin(5 * x) if task == "sample" else 0.0
    return {
        "loss": (x - 0.8) ** 2 + (y - 0.3) ** 2 + 0.15 * rate**2 + 0.5 * size + bias,
        "speed": 1.2 - (x - 0.4) ** 2 - 2 * (y - 0.6) ** 2 - 0.1 * rate**2 - 0.3 * size + bias,
        "memory": 0.6 * x + 0.4 * y + (values["width"] / 160 if is_net else 0.1),
        "margin": 0.5 - abs(x - y) + 0.05 * rate,
    }


def source(spec, rng):
    """An older study of the same code, with a shifted outcome and without limits."""
    found = []
    for place, values in enumerate(sample(spec.space, rng, 30)):
        shown = outcome(values, "full")
        if shown is not None:
            numbers = {name: Measurement(1.3 * shown[name] + 0.2) for name in ("loss", "speed")}
            run = Run(id=1000 + place, number=place + 1, experiment=7, assignments=values, values=numbers)
            found.append(replace(run, state=State.COMPLETED))
    return tuple(found)


def swept(name, spec, seed):
    """The history after the budget, with eight workers whose runs take as long as they cost, give or take."""
    rng, searcher = np.random.default_rng([seed, 77]), make_searcher(name)
    sources = source(spec, np.random.default_rng(9)) if spec.transfer else ()
    runs, ends, spent, clock = [], {}, 0.0, 0.0
    while spent < spec.budget - 1e-9 or ends:
        if spent < spec.budget - 1e-9 and len(ends) < WORKERS:
            draws = np.random.default_rng([seed, len(runs)])
            (item,) = searcher.suggest(spec, History(tuple(runs), sources), 1, draws)
            spec.space.check(item.assignments)
            ends[len(runs)] = clock + spec.cost(item.task) * rng.uniform(0.5, 2.0)
            spent += spec.cost(item.task)
            runs.append(
                Run(number=len(runs) + 1, id=len(runs) + 1, assignments=item.assignments, task=item.task)
            )
            continue
        place = min(ends, key=lambda waiting: ends[waiting])
        clock = ends.pop(place)
        shown = outcome(runs[place].assignments, runs[place].task)
        if shown is None:
            runs[place] = replace(runs[place], state=State.FAILED, failure=Failure("user_error", "boom"))
        else:
            values = {name: Measurement(value) for name, value in shown.items()}
            runs[place] = replace(runs[place], state=State.COMPLETED, values=values)
    return History(tuple(runs), sources)


def hypervolume(spec, history):
    full = [run.numbers for run in history.completed if run.task in (None, "full")]
    good = [(-found["loss"], found["speed"]) for found in full if spec.metrics.is_feasible(found)]
    return area(np.array(good).reshape(len(good), 2), [-CORNER[0], CORNER[1]])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_kinds_at_once_beat_random():
    ours, random = [], []
    for seed in SEEDS:
        spec = replace(everything(20), seed=seed)
        plain = replace(spec, tasks=(), transfer=(), searcher="random")
        history = swept("bayesian", spec, seed)
        assert {run.task for run in history.runs} == {"sample", "full"}
        assert not history.open
        ours.append(hypervolume(spec, history))
        # Random has no notion of tasks or sources: all its budget goes into full runs.
        random.append(hypervolume(spec, swept("random", plain, seed)))
    assert median(ours) > 1.1 * median(random)
