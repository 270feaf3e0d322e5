"""Optuna and Hyperopt as searchers: what they promise beyond the contract."""

import subprocess
import sys
from dataclasses import replace
from statistics import median

import hyperopt
import numpy as np
import optuna
import pytest

import heliostat as hs
from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, maximize, minimize
from heliostat.registry import make_searcher
from heliostat.space import Categorical, Conditional, Double, Int, LinearConstraint, Space
from heliostat.testing.problems import BRANIN_CURRIN, HARTMANN6, MIXED, ZOO
from heliostat.testing.searchers import HISTORIES, completed
from heliostat.trial import Checkpoint, Failure, History, Measurement, Run, State
from heliostat_searchers.hosted.asking import require
from heliostat_searchers.hosted.optuna import OptunaSearcher

NAMES = ("hyperopt", "optuna")
PEOPLE = {"hyperopt": "Hyperopt", "optuna": "Optuna"}
ENOUGH = 30
"""Runs after which neither library draws at random any more."""

SQUARE = ZOO["one objective"]


def suggested(searcher, spec, history, count=1, seed=0):
    searcher = make_searcher(searcher) if isinstance(searcher, str) else searcher
    return list(searcher.suggest(spec, history, count, np.random.default_rng(seed)))


def told(spec, values):
    """Runs at random places of which `values` makes the metrics."""
    runs = completed(spec, ENOUGH, seed=4).runs
    measured = [{name: Measurement(value) for name, value in values(run).items()} for run in runs]
    return History(tuple(replace(run, values=item) for run, item in zip(runs, measured, strict=True)))


def searched(name, problem, seed, budget):
    spec, history = replace(problem.spec, seed=seed), History()
    searcher = make_searcher(name)
    for number in range(budget):
        (proposal,) = searcher.suggest(spec, history, 1, np.random.default_rng([seed, number]))
        history = History((*history.runs, problem.run(number + 1, proposal)))
    return problem.best(history)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zoo_name", sorted(ZOO))
def test_the_library_itself_answers(name, zoo_name):
    spec = ZOO[zoo_name]
    if not spec.needs <= make_searcher(name).capabilities:
        pytest.skip("refused when the experiment is created")
    found = suggested(name, spec, completed(spec, ENOUGH, seed=1), 3)
    assert [proposal.why for proposal in found] == [PEOPLE[name]] * 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odd", sorted(HISTORIES))
def test_the_library_itself_survives_odd_histories(name, odd):
    runs = HISTORIES[odd](SQUARE).runs
    history = History(tuple(replace(run, number=place + 1) for place, run in enumerate(runs * 3)))
    assert [proposal.why for proposal in suggested(name, SQUARE, history, 2)] == [PEOPLE[name]] * 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("problem", [HARTMANN6, MIXED], ids=lambda problem: problem.spec.name)
def test_better_than_random(name, problem):
    theirs = median(searched(name, problem, seed, 45) for seed in range(5))
    assert theirs < median(searched("random", problem, seed, 45) for seed in range(5))


def test_optuna_is_better_than_random_with_two_objectives_and_a_guardrail():
    theirs = [searched("optuna", BRANIN_CURRIN, seed, 45) for seed in range(3)]
    assert median(theirs) > median(searched("random", BRANIN_CURRIN, seed, 45) for seed in range(3))


def test_the_answer_is_that_of_a_study_of_ones_own():
    history = completed(SQUARE, ENOUGH, seed=2)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=7))
    ranges = {
        "x": optuna.distributions.FloatDistribution(-1, 3),
        "y": optuna.distributions.FloatDistribution(0, 1),
    }
    for run in history.runs:
        params, value = dict(run.assignments), run.numbers["loss"]
        study.add_trial(optuna.create_trial(params=params, distributions=ranges, value=value))
    hosted = OptunaSearcher(lambda seed: optuna.samplers.TPESampler(seed=7))
    assert suggested(hosted, SQUARE, history)[0].assignments == study.ask(ranges).params


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", [minimize("m"), maximize("m")], ids=["minimize", "maximize"])
def test_the_objective_has_the_right_sign(name, metric):
    spec = replace(SQUARE, metrics=Metrics((metric,)))
    history = told(spec, lambda run: {"m": run.assignments["x"]})
    found = [suggested(name, spec, history, seed=seed)[0].assignments["x"] for seed in range(9)]
    assert (median(found) > 1) == (metric.sign > 0)


@pytest.mark.parametrize("side", [{"at_most": 0.3}, {"at_least": 0.7}], ids=str)
def test_optuna_looks_on_the_feasible_side_of_a_guardrail(side):
    spec = replace(SQUARE, metrics=Metrics((minimize("loss"), guardrail("place", **side))))
    history = told(spec, lambda run: {"loss": 0.0, "place": run.assignments["y"]})
    places = [suggested("optuna", spec, history, seed=seed)[0].assignments["y"] for seed in range(9)]
    assert median(places) < 0.45 if "at_most" in side else median(places) > 0.55


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", [State.ACTIVE, State.FAILED])
def test_open_runs_are_kept_away_from_and_by_hyperopt_failed_ones_too(name, state):
    history = told(SQUARE, lambda run: {"loss": abs(run.assignments["x"] - 2) + run.assignments["y"]})
    failure = Failure("user_error", "boom") if state is State.FAILED else None
    there = [
        Run(number=99 + place, assignments={"x": 2 + place / 200, "y": 0.05}, state=state, failure=failure)
        for place in range(-20, 20)
    ]
    both = (history, History((*history.runs, *there)))
    free, crowded = (
        [suggested(name, SQUARE, given, seed=seed)[0].assignments["x"] for seed in range(9)] for given in both
    )
    distance = [median(abs(place - 2) for place in found) for found in (free, crowded)]
    if (name, state) == ("optuna", State.FAILED):
        assert free == crowded
    else:
        assert distance[1] > 1.5 * distance[0]


@pytest.mark.parametrize("name", NAMES)
def test_lost_and_cancelled_runs_teach_nothing(name):
    history = completed(SQUARE, ENOUGH, seed=1)
    dead = [replace(run, state=state) for run in history.runs for state in (State.LOST, State.CANCELLED)]
    known = suggested(name, SQUARE, history)
    assert suggested(name, SQUARE, History((*dead, *history.runs))) == known


@pytest.mark.parametrize("name", NAMES)
def test_stopped_runs_teach_by_their_curves(name):
    runs = completed(SQUARE, ENOUGH, seed=1).runs
    stopped = [
        replace(
            run,
            state=State.EARLY_STOPPED,
            values={},
            curve=tuple(Checkpoint(step, {"loss": run.assignments["x"]}) for step in (1, 2)),
        )
        for run in runs
    ]
    places = [suggested(name, SQUARE, History(tuple(stopped)), seed=seed)[0] for seed in range(9)]
    assert median(proposal.assignments["x"] for proposal in places) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_runs_from_outside_the_space_are_survived(name):
    space = Space((Double("x", 0, 1), Int("n", grid=(1, 2, 8)), Categorical("kind", ("a", "b"))))
    spec = ExperimentSpec("moved", space, Metrics((minimize("loss"),)))
    odd = [
        {"x": 7.0, "n": 4, "kind": "a"},
        {"x": 0.5, "n": 1, "kind": "gone"},
        {"x": 0.5, "n": 1},
        {"x": "text", "n": 1, "kind": "a"},
    ]
    extra = [
        Run(assignments=values, state=State.COMPLETED, values={"loss": Measurement(0)}) for values in odd
    ]
    history = History((*extra, *completed(spec, ENOUGH, seed=1).runs))
    (proposal,) = suggested(name, spec, history)
    assert proposal.why == PEOPLE[name]
    space.check(proposal.assignments)


def test_hyperopt_lets_any_conditions_live():
    space = Space(
        (
            Double("always", 0, 1),
            Double("either", 0, 1, conditions={"first": ["a", "b"]}),
            Int("both", 1, 900, log=True, conditions={"first": "a", "second": "y"}),
            Double("deep", 1e-4, 1, log=True, conditions={"inner": "p"}),
        ),
        (
            Conditional("first", ("a", "b", "c")),
            Conditional("second", ("x", "y")),
            Conditional("inner", ("p", "q"), conditions={"first": ["b", "c"]}),
        ),
    )
    spec = ExperimentSpec("deep", space, Metrics((minimize("loss"),)))
    seen = set()
    for seed in range(25):
        history = completed(spec, ENOUGH, seed=seed)
        for proposal in suggested("hyperopt", spec, history, 4, seed=seed):
            assert proposal.why == "Hyperopt"
            seen.add(tuple(space.check(proposal.assignments)))
    assert {name for names in seen for name in names} == set(space.by_name)


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_corner_is_left_to_our_own_sampler_and_said_so(name):
    space = Space(
        tuple(Double(f"x{place}", 0, 1) for place in range(4)),
        linear_constraints=(LinearConstraint("less_than", 0.05, {f"x{place}": 1 for place in range(4)}),),
    )
    spec = ExperimentSpec("corner", space, Metrics((minimize("loss"),)))
    found = suggested(name, spec, History(), 2)
    assert len(found) == 2
    for proposal in found:
        space.check(proposal.assignments)
        assert proposal.why == f"explore: 64 answers of {PEOPLE[name]} broke a linear constraint"


@pytest.mark.parametrize("name", NAMES)
def test_ranges_that_overflow_do_not_end_a_sweep(name):
    space = Space((Double("x", -1e308, 1e308), Int("n", -(10**17), 10**17), Double("y", 0, 1)))
    spec = ExperimentSpec("wide", space, Metrics((minimize("loss"),)))
    for history in (History(), completed(spec, ENOUGH, seed=1)):
        for proposal in suggested(name, spec, history, 2):
            space.check(proposal.assignments)


def test_another_sampler_of_optuna():
    history = completed(SQUARE, 12, seed=1)
    drawn = OptunaSearcher(lambda seed: optuna.samplers.RandomSampler(seed=seed))
    learned = OptunaSearcher(lambda seed: optuna.samplers.GPSampler(seed=seed))
    for searcher in (drawn, learned):
        (proposal,) = suggested(searcher, SQUARE, history)
        assert proposal.why == "Optuna"
        assert suggested(searcher, SQUARE, history) == [proposal]


def test_a_library_that_fails_is_logged_and_replaced(caplog):
    def broken(seed):
        raise RuntimeError("no sampler today")

    (proposal,) = suggested(OptunaSearcher(broken), SQUARE, History())
    SQUARE.space.check(proposal.assignments)
    assert proposal.why == "explore: Optuna failed (RuntimeError)"
    assert "no sampler today" in caplog.text


def test_a_missing_or_old_library_is_named_with_its_remedy():
    with pytest.raises(Unsupported, match=r"heliostat\[no-such-library\]") as missing:
        require("no-such-library", 0)
    assert missing.value.code == "HS-UNSUPPORTED-002"
    with pytest.raises(Unsupported, match=r"optuna 99 or later, got .* pip install -U"):
        require("optuna", 99)


def test_an_experiment_is_refused_where_its_library_is_missing(log_url, monkeypatch):
    monkeypatch.setattr("heliostat_searchers.hosted.optuna.MAJOR", 99)
    with pytest.raises(Unsupported, match="needs the package optuna 99"):
        hs.Experiment(
            "t", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("y")], searcher="optuna", log=log_url
        )


@pytest.mark.parametrize("name", NAMES)
def test_the_users_defaults_come_first(name):
    spec = ZOO["mixed"]
    first, second = suggested(name, spec, History(), 2)
    assert (first.assignments, first.why) == (spec.space.defaults(), "the user's defaults")
    assert second.assignments != first.assignments
    (later,) = suggested(name, spec, History((Run(assignments=first.assignments),)))
    assert later.why == PEOPLE[name]


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_names_it(name, log_url):
    experiment = hs.Experiment(
        "bowl", parameters=[hs.Double("x", -5, 5)], metrics=["loss"], budget=4, searcher=name, log=log_url
    )
    for run in experiment.loop():
        run.log_metric("loss", run["x"] ** 2)
    assert [(run.searcher, run.why) for run in experiment.runs()] == [(name, PEOPLE[name])] * 4
    experiment.log.close()


def test_hyperopt_refuses_guardrails_when_the_experiment_is_created(log_url):
    metrics = [hs.minimize("loss"), hs.guardrail("cost <= 1")]
    with pytest.raises(Unsupported, match=r"guardrails.*'optuna'"):
        hs.Experiment(
            "guarded", parameters=[hs.Double("x", 0, 1)], metrics=metrics, budget=4, searcher="hyperopt",
            log=log_url,
        )  # fmt: skip


def test_the_libraries_stay_as_the_user_left_them():
    before = optuna.logging.get_verbosity()
    suggested("optuna", SQUARE, completed(SQUARE, 12, seed=1))
    assert optuna.logging.get_verbosity() == before
    assert hyperopt.Trials().trials == []


def test_nothing_is_imported_before_it_is_asked():
    code = (
        "import sys; from heliostat.registry import make_searcher; make_searcher('optuna');"
        "make_searcher('hyperopt'); assert not {'optuna', 'hyperopt'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
