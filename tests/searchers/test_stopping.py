"""Early stopping by curves: hopeless runs end with a reason, all others go on."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

import heliostat as hs
from heliostat.early_stopping import METHODS, EarlyStopping, read_early_stopping
from heliostat.errors import InvalidValue
from heliostat.metrics import Metrics
from heliostat.trial import Checkpoint, Measurement, Run, State
from heliostat_searchers.schedulers import scheduler
from heliostat_searchers.stopping import FinishedCurves, OpenCurve, decide, read_curve

STEPS = 20
ONE = Metrics((hs.maximize("accuracy"),))
GUARDED = Metrics((hs.maximize("accuracy"), hs.guardrail("memory", at_most=10)))
TWO = Metrics((hs.maximize("accuracy"), hs.minimize("cost")))


def accuracy(quality, rng, steps=STEPS):
    """A power law towards `quality`, with a little noise."""
    step = np.arange(1, steps + 1)
    return quality - 0.5 * quality * step**-0.8 + rng.normal(0, 0.004, steps)


def finished_run(metrics, quality, seed, **others):
    rng = np.random.default_rng(seed)
    curve = [
        Checkpoint(step, {"accuracy": float(value), **others})
        for step, value in enumerate(accuracy(quality, rng), 1)
    ]
    values = {name: Measurement(value) for name, value in curve[-1].values.items()}
    return Run(number=seed, state=State.COMPLETED, curve=curve, values=values)


def known(metrics, count=12, **others):
    runs = [finished_run(metrics, 0.4 + 0.5 * seed / count, seed, **others) for seed in range(1, count + 1)]
    return FinishedCurves(read_curve(metrics, run) for run in runs)


def verdicts(metrics, finished, quality, *, seed=99, options=None, **others):
    """The decision after each step of a run."""
    growing, found = OpenCurve(metrics), []
    for step, value in enumerate(accuracy(quality, np.random.default_rng(seed)), 1):
        growing.add(step, {"accuracy": float(value), **others})
        found.append(decide(metrics, finished, growing.open(), **(options or {})))
    return found


def first_stop(found):
    return next((step for step, item in enumerate(found, 1) if item.is_stop), None)


def test_a_hopeless_run_is_stopped_early_with_a_reason_and_a_good_one_never():
    finished = known(ONE)
    bad = verdicts(ONE, finished, 0.5)
    assert first_stop(bad) is not None
    assert first_stop(bad) <= STEPS / 2
    reason = next(item.reason for item in bad if item.is_stop)
    assert "accuracy is expected to end at" in reason
    assert "the best finished run has 0.8" in reason
    assert "finished runs)" in reason
    assert first_stop(verdicts(ONE, finished, 0.93)) is None


def test_it_waits_for_grace_and_for_enough_finished_curves():
    early, late = (first_stop(verdicts(ONE, known(ONE), 0.45, options={"grace": grace})) for grace in (1, 10))
    assert early < 10 == late
    assert first_stop(verdicts(ONE, known(ONE, 4), 0.45)) is None
    assert first_stop(verdicts(ONE, FinishedCurves(), 0.45)) is None


def test_a_run_is_not_stopped_where_others_end_by_themselves():
    finished = known(ONE)
    growing = OpenCurve(ONE)
    for step in range(1, STEPS + 1):
        growing.add(step, {"accuracy": 0.1})
        is_near_its_end = step >= 0.9 * STEPS
        stop = decide(ONE, finished, growing.open()).is_stop
        assert not (stop and is_near_its_end)


def test_one_bad_step_is_forgiven():
    finished = known(ONE)
    growing = OpenCurve(ONE)
    for step, value in enumerate(accuracy(0.93, np.random.default_rng(5)), 1):
        growing.add(step, {"accuracy": 0.2 if step == 9 else float(value)})
        assert not decide(ONE, finished, growing.open()).is_stop


def test_a_guardrail_that_cannot_be_met_stops_the_best_run():
    runs = [finished_run(GUARDED, 0.5 + 0.03 * n, n, memory=float(n)) for n in range(1, 13)]
    finished = FinishedCurves(read_curve(GUARDED, run) for run in runs)
    over = verdicts(GUARDED, finished, 0.95, memory=40.0)
    assert first_stop(over) is not None
    reason = next(item.reason for item in over if item.is_stop)
    assert "over the guardrail memory <= 10" in reason
    assert first_stop(verdicts(GUARDED, finished, 0.95, memory=5.0)) is None


def test_without_a_feasible_run_only_guardrails_count():
    finished = known(GUARDED, memory=40.0)
    assert first_stop(verdicts(GUARDED, finished, 0.3, memory=5.0)) is None


def test_with_two_objectives_a_run_is_kept_for_either():
    runs = [finished_run(TWO, 0.5 + 0.03 * n, n, cost=float(n)) for n in range(1, 13)]
    finished = FinishedCurves(read_curve(TWO, run) for run in runs)
    assert first_stop(verdicts(TWO, finished, 0.5, cost=0.1)) is None  # cheapest
    assert first_stop(verdicts(TWO, finished, 0.95, cost=20.0)) is None  # best
    beaten = verdicts(TWO, finished, 0.45, cost=20.0)
    assert first_stop(beaten) is not None
    assert "no longer reaches the Pareto front" in next(item.reason for item in beaten if item.is_stop)


def flat_then_up(growing, steps, late):
    """A run that has shown little and then, at its last step, more than half of the others had."""
    for step in range(1, steps):
        growing.add(step, {"accuracy": 0.05})
    growing.add(steps, {"accuracy": late})
    return growing.open()


def test_who_is_better_than_half_of_the_others_by_then_goes_on_whatever_the_model_says():
    finished = known(ONE)
    shown = sorted(curve[0] for curve in finished.shown_by(8).best)
    assert decide(ONE, finished, flat_then_up(OpenCurve(ONE), 8, shown[4])).is_stop
    assert not decide(ONE, finished, flat_then_up(OpenCurve(ONE), 8, shown[7])).is_stop


def test_with_two_objectives_who_is_behind_few_in_both_goes_on():
    runs = [finished_run(TWO, 0.5 + 0.03 * n, n, cost=float(n)) for n in range(1, 13)]
    finished = FinishedCurves(read_curve(TWO, run) for run in runs)
    among = [item.is_stop for item in verdicts(TWO, finished, 0.78, cost=11.0)]
    behind = [item.is_stop for item in verdicts(TWO, finished, 0.55, cost=11.0)]
    assert not any(among)  # three of twelve are better in accuracy, one of them is cheaper too
    assert any(behind)


def test_decisions_do_not_depend_on_the_unit_or_the_direction():
    finished, metrics = known(ONE), Metrics((hs.minimize("error"),))
    turned = [OpenCurve(metrics) for _ in range(12)]
    for seed, growing in enumerate(turned, 1):
        for step, value in enumerate(accuracy(0.4 + 0.5 * seed / 12, np.random.default_rng(seed)), 1):
            growing.add(step, {"error": 1000 * (1 - float(value))})
    others = FinishedCurves(growing.finished() for growing in turned)
    growing = OpenCurve(metrics)
    for step, (value, ours) in enumerate(
        zip(accuracy(0.6, np.random.default_rng(99)), verdicts(ONE, finished, 0.6), strict=True), 1
    ):
        growing.add(step, {"error": 1000 * (1 - float(value))})
        assert decide(metrics, others, growing.open()).is_stop == ours.is_stop


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300, -1e300])
def test_odd_values_never_raise(odd):
    finished = known(ONE)
    growing = OpenCurve(ONE)
    for step in range(1, 8):
        growing.add(step, {"accuracy": odd} if step % 2 else {})
        decide(ONE, finished, growing.open())
    finished.add(growing.finished())
    verdicts(ONE, finished, 0.5)


def test_a_metric_that_some_finished_runs_never_showed_does_not_count_them():
    finished = known(ONE)
    for _ in range(3):
        growing = OpenCurve(ONE)
        growing.add(STEPS, {"accuracy": 0.9})  # reported at the end only
        finished.add(growing.finished())
    assert first_stop(verdicts(ONE, finished, 0.5)) <= STEPS / 2


def test_constant_curves_never_raise_and_stop_nothing_that_is_as_good():
    flat = OpenCurve(ONE)
    for step in range(1, STEPS):
        flat.add(step, {"accuracy": 0.5})
    finished = FinishedCurves([flat.finished()] * 6)
    growing = OpenCurve(ONE)
    for step in range(1, STEPS - 5):
        growing.add(step, {"accuracy": 0.5})
        assert not decide(ONE, finished, growing.open()).is_stop


@dataclass(eq=False)
class Trial:
    trial_id: str
    status: str = "RUNNING"
    checkpoint: None = None

    def get_trainable_cls(self):
        return None


@pytest.mark.parametrize("method", [name for name in METHODS if name != "guardrails"])
def test_every_method_saves_steps_and_keeps_the_best(method):
    fields = {"metric": "accuracy"} if method in ("asha", "hyperband", "median") else {}
    if method not in ("auto", "median"):
        fields["max_steps"] = STEPS
    judge = scheduler(EarlyStopping(method=method, **fields), ONE)
    rng, steps, ended = np.random.default_rng(3), 0, []
    for number, quality in enumerate(rng.uniform(0.3, 0.95, 60)):
        trial = Trial(str(number))
        judge.on_trial_add(None, trial)
        for step, value in enumerate(accuracy(quality, rng), 1):
            steps += 1
            result = {"accuracy": float(value), "training_iteration": step}
            if step == STEPS:
                judge.on_trial_complete(None, trial, {**result, "done": True})
                ended.append(quality)
            elif judge.on_trial_result(None, trial, result) == "STOP":
                judge.on_trial_complete(None, trial, {**result, "done": True})  # as Ray Tune does
                break
    assert steps < 0.7 * 60 * STEPS
    assert max(ended) > 0.92
    assert len(judge.stops) + len(ended) == 60
    assert all(reason.startswith("early-stopped") for reason in judge.stops.values())


def test_a_rule_reads_from_its_wire_form_and_refuses_what_means_nothing():
    assert EarlyStopping("loss", 9).method == "asha"
    assert EarlyStopping().method == read_early_stopping("auto").method == "auto"
    for rule in (
        EarlyStopping("loss", 9, grace=2),
        EarlyStopping(risk=0.1),
        EarlyStopping("a", method="median"),
        EarlyStopping(method="halving", max_steps=2.5, grace=0.1, resource="dollars", step="epoch"),
        EarlyStopping(method="guardrails", irreversible=("seconds",)),
    ):
        assert read_early_stopping(rule.to_dict()) == rule
    for value, message in (
        ({"method": "magic"}, "method"),
        ({"metric": "loss"}, "max_steps: is required by asha"),
        ({"method": "auto", "metric": "loss"}, "means nothing to auto"),
        ({"method": "median"}, "metric: is required by median"),
        ({"riks": 1}, "riks"),
        ({"method": "halving"}, "max_steps: is required by halving"),
        ({"method": "moasha", "max_steps": 9, "metric": "loss"}, "means nothing to moasha"),
        ({"method": "moasha", "max_steps": 0.5}, "max_steps"),
        ({"risk": 1.5}, "between 0 and 1"),
    ):
        with pytest.raises(InvalidValue, match=message):
            read_early_stopping(value)


def train(config):
    """Worse with distance from 0.3; half as much is still to come at the fourth step."""
    from ray import tune

    for step in range(1, 13):
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 0.2 / step, "size": config["x"]})


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*")
@pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_sweep_stops_by_curves_and_ends_when_converged(ray_cluster, log_url):
    import sys

    ray_cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    experiment = hs.Experiment(
        "stopped",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss"), hs.guardrail("size", at_most=0.8)],
        budget=60,
        log=log_url,
    )
    rule = {"method": "auto", "grace": 2}
    result = experiment.sweep(train, parallel=1, early_stopping=rule, stop_when_converged=True)
    ends = Counter(str(run.state) for run in result.runs)
    assert ends["early_stopped"] >= 1
    stopped = [run for run in result.runs if run.state is State.EARLY_STOPPED]
    assert all(2 <= len(run.curve) < 12 for run in stopped)
    assert min(len(run.curve) for run in stopped) <= 8
    reasons = ("is expected to end at", "misses the guardrail size <= 0.8 for good")
    assert all(any(reason in run.end_reason for reason in reasons) for run in stopped)
    assert result.is_complete
    assert result.convergence.is_converged
    assert len(result.runs) < 60
    assert min(abs(run.assignments["x"] - 0.3) for run in result.best) < 0.05
