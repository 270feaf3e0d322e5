"""Convergence: a verdict with a reason, that holds, and that is never given too early."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli.main import main
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics
from heliostat.space import Double, Space
from heliostat.trial import Failure, History, Measurement, Prediction, Run, State

PLAIN = (hs.minimize("loss"),)


def spec(*metrics, d=2, **fields):
    space = Space(tuple(Double(f"x{place}", 0, 1) for place in range(d)))
    return ExperimentSpec("search", space, Metrics(metrics or PLAIN), budget=1000, **fields)


def run(number, values, *, at=None, errors=None, predicted=None, **more):
    measured = {name: Measurement(value, (errors or {}).get(name)) for name, value in values.items()}
    place = at if at is not None else np.random.default_rng(number).random(2)
    assignments = {f"x{index}": float(item) for index, item in enumerate(place)}
    beliefs = {name: Prediction(*belief) for name, belief in (predicted or {}).items()}
    made = Run(number=number, assignments=assignments, state=State.COMPLETED, values=measured)
    return replace(made, predicted=beliefs, **more)


def losses(values, **more):
    return [run(number, {"loss": float(value)}, **more) for number, value in enumerate(values, 1)]


FALLING = [10, 8, 9, 5, 7, 3, 2, 1]


def first_yes(declared, runs):
    return next((count for count in range(len(runs) + 1) if converged(declared, runs[:count])), None)


def test_a_search_without_gains_converges_and_says_why():
    found = converged(spec(), losses(FALLING + [1.5] * 14))
    assert found.is_converged
    assert "no gain of loss above 0.07 in the last 14 runs, 14 are enough" in found.reason
    assert found.evidence["last_gain_run"] == 8
    assert found.evidence["runs_since_gain"] == found.evidence["runs_needed"] == 14
    assert json.loads(json.dumps(found.to_dict()))["is_converged"] is True


def test_a_search_that_gains_goes_on_and_says_what_is_missing():
    found = converged(spec(), losses(FALLING + [1.5] * 6))
    assert not found
    assert found.reason == "goes on: loss gained by run 8, 6 runs ago; 14 without a gain are needed"
    assert found.evidence["runs_needed"] == 14


def test_it_is_a_function_of_spec_and_history_in_either_form():
    runs = losses(FALLING + [1.5] * 14)
    assert converged(spec(), History(tuple(runs))) == converged(spec(), tuple(runs))


def test_nothing_and_the_initial_design_do_not_converge():
    assert "no run has completed yet" in converged(spec(), []).reason
    design = losses([1.0] * 60, why="initial design")
    assert not converged(spec(), design)


def test_it_never_converges_while_nothing_is_feasible():
    declared = spec(hs.minimize("loss"), hs.guardrail("cost", at_most=1))
    runs = [run(number, {"loss": 1.0, "cost": 2.0}) for number in range(1, 80)]
    assert converged(declared, runs).reason == "goes on: no run keeps all limits yet"
    runs[3] = run(4, {"loss": 2.0, "cost": 0.5})
    assert converged(declared, runs)


def test_small_gains_add_up_until_they_mean_something():
    creeping = FALLING + [1 - 0.02 * step for step in range(1, 40)]
    assert first_yes(spec(), losses(creeping)) is None
    flat = FALLING + [1 - 0.0001 * step for step in range(1, 40)]
    assert first_yes(spec(), losses(flat)) == 22


def test_a_verdict_holds_until_the_next_gain_that_counts():
    """The model hopes again after the verdict: that alone takes nothing back (ax.md saw a rule flicker)."""
    certain, hopeful = {"loss": (1.5, 0.001)}, {"loss": (0.2, 0.5)}
    runs = losses(FALLING)
    for number in range(9, 60):
        belief = certain if number < 18 else hopeful
        runs.append(run(number, {"loss": 1.5}, predicted=belief))
    verdicts = [bool(converged(spec(), runs[:count])) for count in range(len(runs) + 1)]
    start = verdicts.index(True)
    assert all(verdicts[start:])
    again = [*runs, run(60, {"loss": 0.1})]
    assert not converged(spec(), again)


def test_a_model_that_expects_nothing_shortens_the_wait_and_one_that_expects_more_prolongs_it():
    def waited(belief):
        tail = [run(number, {"loss": 1.5}, predicted=belief) for number in range(9, 80)]
        return first_yes(spec(), losses(FALLING) + tail) - 8

    assert waited({"loss": (1.5, 0.001)}) < waited(None) == 14 < waited({"loss": (0.5, 0.5)})


def test_patience_grows_with_dimensions_parallel_runs_and_solutions():
    runs = losses(FALLING + [1.5] * 300, at=np.full(30, 0.5))
    small, high = first_yes(spec(d=2), runs), first_yes(spec(d=10), runs)
    wide = first_yes(spec(parallel_bandwidth=16), runs)
    several = first_yes(spec(num_solutions=3), runs)
    assert small < high
    assert small < wide
    assert small < several


def test_open_and_cancelled_runs_take_no_verdict_back():
    runs = losses(FALLING + [1.5] * 14)
    assert converged(spec(), runs)
    belief = {"loss": Prediction(0.0, 1.0)}
    hopeful = Run(number=23, assignments={"x0": 0.1, "x1": 0.2}, predicted=belief)
    assert converged(spec(), [*runs, hopeful])
    assert converged(spec(), [*runs, replace(hopeful, state=State.CANCELLED)])


def test_gains_within_noise_are_no_gains():
    rng = np.random.default_rng(0)
    noisy = FALLING + list(1 - abs(rng.normal(0, 0.15, 60)))
    known = [run(place, {"loss": value}, errors={"loss": 0.5}) for place, value in enumerate(noisy, 1)]
    found = converged(spec(), known)
    assert found
    assert "or the noise" in found.reason
    assert found.evidence["noise"] == 0.5


def test_failed_and_stopped_runs_wait_too_but_lost_cancelled_and_archived_ones_do_not():
    failure = Failure("user_error", "no")
    base = losses(FALLING)
    for state, counts in (("failed", 1), ("early_stopped", 1), ("lost", 0), ("cancelled", 0)):
        tail = [Run(number=number, state=State(state), failure=failure) for number in range(9, 40)]
        assert bool(converged(spec(), base + tail)) == bool(counts), state
    hidden = [run(number, {"loss": 1.5}, archived=True) for number in range(9, 40)]
    assert not converged(spec(), base + hidden)


def test_several_objectives_converge_with_the_hypervolume_of_the_feasible_front():
    declared = spec(hs.minimize("a"), hs.minimize("b"), hs.guardrail("c", at_most=1))
    front = [run(n, {"a": n, "b": 10.0 - n, "c": 0.0}) for n in range(1, 10)]
    beyond = [run(n, {"a": 0.0, "b": 0.0, "c": 2.0}) for n in range(10, 40)]  # better, but over the limit
    found = converged(declared, front + beyond)
    assert found
    assert "no gain of hypervolume" in found.reason
    belief = {"a": (1.0, 0.3), "b": (1.0, 0.3)}
    beaten = [run(n, {"a": 9.0, "b": 9.5, "c": 0.0}, predicted=belief) for n in range(10, 30)]
    hoping = converged(declared, front + beaten)
    assert not hoping
    assert hoping.evidence["expected_gain"] > hoping.evidence["meaningful_gain"]


def test_a_search_for_a_region_converges_when_new_places_are_near_known_ones():
    declared = spec(hs.guardrail("cost", at_most=0.5))
    rng = np.random.default_rng(1)
    places = rng.random((150, 2))
    runs = [run(n, {"cost": float(at.sum() / 3)}, at=at) for n, at in enumerate(places, 1)]
    stop = first_yes(declared, runs)
    assert stop is not None
    assert stop > 25
    assert "no satisfactory run far from the known" in converged(declared, runs[:stop]).reason


@pytest.fixture
def bowl(log_url):
    return hs.Experiment(
        "bowl", parameters=[hs.Double("x", 0, 1), hs.Double("y", 0, 1)], metrics=[hs.minimize("loss")],
        budget=100, searcher="bayesian", log=log_url,
    )  # fmt: skip


def test_a_loop_ends_when_converged_and_every_door_says_why(bowl, tmp_path):
    for run in bowl.loop(stop_when_converged=True):
        with run:
            run.log_metric("loss", (run.params["x"] - 0.3) ** 2 + (run.params["y"] - 0.6) ** 2)
    assert 15 < len(bowl.runs()) < 60
    assert bowl.best().numbers["loss"] < 1e-3
    found = bowl.convergence()
    assert found.is_converged
    shown = CliRunner().invoke(main, ["show", str(bowl.id), "--log", bowl.log.url])
    assert found.reason in shown.output
    page = bowl.report(tmp_path / "report.html").read_text()
    assert "Converged" in page
    assert found.reason in page
    more = len(list(bowl.loop(budget=1)))
    assert more == 1  # without the option a converged search goes on
