"""Schedulers for Ray Tune: stops have reasons and teach what was shown, and a restart forgets nothing."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ray import tune
from ray.tune.schedulers import ASHAScheduler, HyperBandScheduler, MedianStoppingRule

import heliostat as hs
from heliostat import outcome as ends
from heliostat.early_stopping import EarlyStopping
from heliostat.errors import InvalidValue
from heliostat.metrics import Metrics
from heliostat.trial import Proposal, State
from heliostat_searchers.schedulers import (
    CostAwareHalving,
    CurveStopping,
    GuardedScheduler,
    GuardrailStopping,
    MultiObjectiveASHA,
)
from heliostat_searchers.stopping import FinishedCurves, OpenCurve, Rungs, lost_guardrail, ranked
from heliostat_trackers.tune import RunLogCallback

TWO = Metrics((hs.maximize("accuracy"), hs.minimize("cost"), hs.guardrail("memory", at_most=10)))


def curve(metrics, rows, *, is_finished=True):
    growing = OpenCurve(metrics)
    for step, row in enumerate(rows, 1):
        growing.add(step, row)
    return growing.finished() if is_finished else growing.open()


class TestRanks:
    def test_fronts_are_peeled_and_each_keeps_its_whole_width(self):
        front = [[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]
        behind = [[0.4, 0.4], [0.3, 0.3]]
        order = ranked(np.array(behind + front), np.zeros((6, 0))).tolist()
        assert order[:3] == [2, 5, 4]  # both ends, then the middle; the near neighbour of an end is last
        assert order[3:] == [3, 0, 1]

    def test_who_misses_a_guardrail_comes_after_all_who_miss_none_and_the_least_first(self):
        gains = np.array([[9.0], [1.0], [8.0], [2.0]])
        violations = np.array([[5.0], [0.0], [1.0], [0.0]])
        assert ranked(gains, violations).tolist() == [3, 1, 2, 0]

    def test_what_is_not_known_ranks_worst(self):
        assert ranked(np.array([[np.nan], [-5.0]]), np.zeros((2, 0))).tolist() == [1, 0]
        assert ranked(np.array([[3.0], [1.0]]), np.array([[np.nan], [7.0]])).tolist() == [1, 0]


class TestRungs:
    def test_a_run_is_recorded_once_at_each_rung_also_if_it_repeats_its_steps(self):
        rungs = Rungs(TWO, first=1, most=20, reduction=3)
        assert rungs.levels == [1, 3, 9]
        assert rungs.crossed("a", 0.5) is None
        rungs.record("a", rungs.crossed("a", 4), {"accuracy": 0.5})
        assert rungs.crossed("a", 4) is None
        assert rungs.crossed("a", 1) is None  # resumed from an older checkpoint
        assert rungs.crossed("a", 9.5) == 2
        rungs.drop("a")
        assert rungs.crossed("a", 1) == 0


class TestGuardrails:
    def lost(self, finished, present, **options):
        return lost_guardrail(TWO, FinishedCurves(finished), present, **options)

    def known(self, ends, begin=20.0, count=6):
        steps = np.linspace(0, 1, 10)
        rows = ([{"accuracy": 0.5, "cost": 1, "memory": begin + (ends - begin) * s} for s in steps],) * count
        return [curve(TWO, item) for item in rows]

    def test_an_irreversible_one_is_lost_when_it_is_missed_without_any_other_run(self):
        present = curve(TWO, [{"accuracy": 0.9, "cost": 1, "memory": 11}], is_finished=False)
        assert not self.lost([], present).is_stop
        decision = self.lost([], present, irreversible=["memory"], grace=5)
        assert decision.reason == (
            "early-stopped at step 1: memory = 11 misses the guardrail memory <= 10 for good: "
            "it never gets better within a run"
        )

    def test_one_that_never_changed_in_any_finished_run_is_lost_at_once(self):
        present = curve(TWO, [{"accuracy": 0.9, "cost": 1, "memory": 11}], is_finished=False)
        assert self.lost(self.known(ends=5.0, begin=5.0), present).is_stop
        assert not self.lost(self.known(ends=5.0, begin=5.0, count=3), present).is_stop  # too few to be sure

    def test_one_that_gets_better_is_lost_only_beyond_what_others_recovered_and_its_own_pace_allows(self):
        known = self.known(ends=8.0, begin=20.0)  # from the second step on they gained 10.7
        steady = [{"memory": 60.0, "accuracy": 0.9, "cost": 1}, {"memory": 59.9, "accuracy": 0.9, "cost": 1}]
        assert self.lost(known, curve(TWO, steady, is_finished=False)).is_stop
        fast = [{"memory": 70.0, "accuracy": 0.9, "cost": 1}, {"memory": 60.0, "accuracy": 0.9, "cost": 1}]
        assert not self.lost(known, curve(TWO, fast, is_finished=False)).is_stop
        near = [{"memory": 25.0, "accuracy": 0.9, "cost": 1}, {"memory": 25.0, "accuracy": 0.9, "cost": 1}]
        assert not self.lost(known, curve(TWO, near, is_finished=False)).is_stop

    def test_only_guardrails_can_be_irreversible(self):
        with pytest.raises(InvalidValue, match=r"must name guardrails, got 'cost'. Known: memory"):
            GuardrailStopping(TWO, irreversible=["cost"])


PARAMETERS = [hs.Double("x", 0, 1), hs.Double("y", 0, 1)]
METRICS = [hs.maximize("accuracy"), hs.minimize("cost"), hs.guardrail("memory", at_most=0.8)]
STEPS = 9


def shown(x, y, step):
    """What a trial reports: accuracy grows towards 1 - (x - 0.3)², cost is y, memory is x."""
    return {"accuracy": (1 - (x - 0.3) ** 2) * (1 - 0.5 / step) - 0.2 * y, "cost": 1 + y, "memory": x}


def declared(log, **more):
    fields = {"searcher": "random", "seed": 4, "budget": 14, **more}
    return hs.Experiment("curves", parameters=PARAMETERS, metrics=METRICS, log=log, **fields)


class Trial:
    def __init__(self, name):
        self.trial_id, self.status, self.checkpoint = name, "RUNNING", None
        self.is_saving, self.last_result = False, {}

    def get_trainable_cls(self):
        return None


class Controller:
    """Ray Tune's, with nothing waiting."""

    def get_live_trials(self):
        return []


def run_interleaved(experiment, scheduler, count, seed=0):
    """Trials side by side, three at a time, through a scheduler, recorded as a sweep records them."""
    engine, rng = experiment.engine, np.random.default_rng(seed)
    waiting, live = [rng.uniform(0, 1, 2) for _ in range(count)], []
    while waiting or live:
        while waiting and len(live) < 3:
            x, y = (float(value) for value in waiting.pop())
            (run,) = engine.admit([Proposal({"x": x, "y": y})])
            trial = Trial(f"trial {run.number}")
            engine.trials[trial.trial_id] = run.id
            engine.start(run.id)
            scheduler.on_trial_add(Controller(), trial)
            live.append([trial, run.id, x, y, 0])
        for item in list(live):
            trial, run, x, y, step = item
            item[4] = step = step + 1
            result = {**shown(x, y, step), "training_iteration": step}
            decision = scheduler.on_trial_result(Controller(), trial, result)
            engine.observe(run, shown(x, y, step), step=step)
            if decision == "STOP" or step == STEPS:
                live.remove(item)
                scheduler.on_trial_complete(Controller(), trial, {**result, "done": True})
                why = scheduler.stops.get(trial.trial_id)
                values = engine.reported(run)
                engine.finish(
                    run, ends.stopped(values, why) if why else ends.judge(engine.spec.metrics, values)
                )
    engine.flush()


class TestARestart:
    """Ray Tune never saves a scheduler's state: the run log is told to a new one."""

    def test_the_rungs_of_multi_objective_asha_are_those_of_before(self, log_url):
        before = MultiObjectiveASHA(experiment := declared(log_url), STEPS, min_runs=2)
        run_interleaved(experiment, before, 25)
        assert before.stops
        again = hs.Experiment.open(experiment.id, log_url)
        after = MultiObjectiveASHA(again, STEPS, min_runs=2)
        assert all(before.rungs.records)
        assert after.rungs.records == before.rungs.records

    @pytest.mark.parametrize("brackets", [1, 2])
    def test_the_rungs_of_tunes_own_asha_are_those_of_before(self, log_url, brackets):
        def make(experiment):
            options = {"metric": "accuracy", "mode": "max", "max_t": STEPS, "reduction_factor": 2}
            return GuardedScheduler(ASHAScheduler(brackets=brackets, **options), experiment)

        before = make(experiment := declared(log_url))
        run_interleaved(experiment, before, 25)
        assert all("early-stopped by" in reason for reason in before.stops.values())
        after = make(hs.Experiment.open(experiment.id, log_url))
        rungs = [
            [
                [(level, sorted(seen.values())) for level, seen in bracket._rungs]
                for bracket in item.inner._brackets
            ]
            for item in (before, after)
        ]
        assert any(seen for bracket in rungs[0] for _, seen in bracket)
        assert rungs[1] == rungs[0]

    def test_tunes_median_rule_goes_on_with_the_same_curves(self, log_url):
        def make(experiment):
            options = {"metric": "accuracy", "mode": "max", "grace_period": 1, "min_samples_required": 3}
            rule = MedianStoppingRule(time_attr="training_iteration", **options)
            return GuardedScheduler(rule, experiment)

        before = make(experiment := declared(log_url))
        run_interleaved(experiment, before, 12)
        after = make(hs.Experiment.open(experiment.id, log_url))
        curves = [
            sorted([row["accuracy"] for row in rows[:4]] for rows in item.inner._results.values())
            for item in (before, after)
        ]
        assert len(curves[0]) == 12
        assert curves[1] == curves[0]

    def test_curves_and_chances_are_those_of_before(self, log_url):
        before = CurveStopping(experiment := declared(log_url))
        run_interleaved(experiment, before, 25)
        after = CurveStopping(hs.Experiment.open(experiment.id, log_url))
        assert len(before._judge.known) == len(after._judge.known) > 5
        assert np.array_equal(before._judge.known.finals, after._judge.known.finals)


class TestOwnTime:
    def test_a_step_that_the_trial_reports_is_not_fooled_by_a_count_that_begins_anew(self):
        scheduler = MultiObjectiveASHA(TWO, 20, min_runs=0, step="epoch")
        trial = Trial("a")
        for epoch, iteration in ((1, 1), (2, 2), (3, 1), (4, 2)):  # restarted after the second epoch
            row = {"accuracy": 0.1 * epoch, "cost": 1, "memory": 1}
            scheduler.on_trial_result(None, trial, {**row, "epoch": epoch, "training_iteration": iteration})
        assert [list(rung.values()) for rung in scheduler.rungs.records] == [
            [(0.1, -1.0, -1.0)],
            [(pytest.approx(0.3), -1.0, -1.0)],
            [],
        ]

    def test_rungs_may_be_of_money_and_a_result_that_does_not_say_is_let_pass(self):
        scheduler = MultiObjectiveASHA(TWO, 5.0, grace=0.5, min_runs=0, resource="dollars")
        row = {"accuracy": 0.1, "cost": 1, "memory": 1, "training_iteration": 1}
        assert scheduler.on_trial_result(None, Trial("a"), row) == "CONTINUE"
        assert scheduler.on_trial_result(None, Trial("a"), {**row, "dollars": 0.7}) == "CONTINUE"
        assert scheduler.on_trial_result(None, Trial("a"), {**row, "dollars": 5.1}) == "STOP"  # has finished
        assert scheduler.stops == {}
        assert [len(rung) for rung in scheduler.rungs.records] == [1, 0, 0]


sys.path.insert(0, str(Path(__file__).parents[1] / "platform"))

on_ray = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def cluster(ray_cluster):
    ray_cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return ray_cluster


def resumable(config):
    """Has a checkpoint after each step, and notes each step that it really makes."""
    import json
    import tempfile

    first = 1
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            first = 1 + json.loads((Path(folder) / "step.json").read_text())
    for step in range(first, STEPS + 1):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step.json").write_text(json.dumps(step))
            row = {**shown(config["x"], config["y"], step), "epoch": step}
            tune.report(row, checkpoint=tune.Checkpoint.from_directory(folder))


def plain(config):
    for step in range(1, STEPS + 1):
        tune.report(shown(config["x"], config["y"], step))


RULES = {
    "auto": {"grace": 2, "irreversible": ["memory"]},
    "guardrails": {"irreversible": ["memory"]},
    "moasha": {"max_steps": STEPS, "min_runs": 2, "reduction": 2},
    "halving": {"max_steps": STEPS, "min_runs": 3, "reduction": 2},
    "asha": {"metric": "accuracy", "max_steps": STEPS, "min_runs": 2},
}


@pytest.mark.slow
class TestSweeps:
    pytestmark = on_ray

    @pytest.mark.parametrize("method", RULES)
    def test_stops_are_recorded_with_reasons_and_teach_what_was_shown(self, cluster, log_url, method):
        rule = EarlyStopping(method=method, **RULES[method])
        trainable = resumable if method == "halving" else plain
        experiment = declared(log_url)
        result = experiment.sweep(trainable, parallel=2, early_stopping=rule)
        by_end = Counter(str(run.state) for run in result.runs)
        assert by_end.keys() == {"completed", "early_stopped"}
        assert result.is_complete
        for run in result.runs:
            steps = [point.step for point in run.curve]
            assert steps == list(range(1, len(steps) + 1))  # none twice, none left out, paused or not
            last = shown(run.assignments["x"], run.assignments["y"], len(steps))
            assert {name: run.numbers[name] for name in last} == pytest.approx(last)
            assert (run.state is State.COMPLETED) == (len(steps) == STEPS)
            assert run.end_reason.startswith("early-stopped") == (run.state is State.EARLY_STOPPED)
        assert all(run.state is State.COMPLETED for run in result.best)

        from heliostat_searchers.bayesian.rows import read_rows

        rows = read_rows(experiment.spec, experiment.engine.history)
        assert rows.n == len(result.runs)  # each stopped run is a row, estimated from what it showed,
        completed = sum(run.state is State.COMPLETED for run in result.runs)
        assert rows.is_feasible.sum() <= completed  # and none of them counts as a feasible result

    def test_trials_pause_and_go_on_from_their_checkpoints_and_without_one_they_are_stopped(
        self, cluster, log_url
    ):
        experiment = declared(log_url, budget=16)
        scheduler = CostAwareHalving(experiment, STEPS, reduction=2, min_runs=3, price=5)
        waited = []
        decide = scheduler.on_trial_result

        def noted(*given):
            decision = decide(*given)
            waited.append(decision == "PAUSE")
            return decision

        scheduler.on_trial_result = noted
        scheduler._halving.next = scheduler._halving.best_waiting  # free workers go to waiting trials first
        fit(experiment, resumable, scheduler)
        runs = experiment.runs()
        assert len(runs) == 16
        assert not experiment.engine.paused  # all that ever waited went on,
        for run in runs:  # from where they were, unless a guardrail was lost
            assert [point.values["epoch"] for point in run.curve] == list(range(1, len(run.curve) + 1))
            assert len(run.curve) == STEPS or "misses the guardrail" in run.end_reason
        assert any(waited)

        other = declared(log_url, budget=10)
        fit(other, plain, CostAwareHalving(other, STEPS, reduction=2, min_runs=3, price=5))
        stopped = [run for run in other.runs() if run.state is State.EARLY_STOPPED]
        assert any("no checkpoint from which it could go on" in run.end_reason for run in stopped)
        assert not any("waited" in run.end_reason for run in stopped)

    def test_tunes_synchronous_hyperband_ends_every_run_with_a_reason(self, cluster, log_url):
        experiment = declared(log_url, budget=8)
        inner = HyperBandScheduler(metric="accuracy", mode="max", max_t=STEPS, reduction_factor=3)
        fit(experiment, resumable, GuardedScheduler(inner, experiment))
        ends_ = Counter(str(run.state) for run in experiment.runs())
        assert sum(ends_.values()) == 8
        assert ends_.keys() <= {"completed", "early_stopped"}
        assert ends_["early_stopped"]

    def test_a_script_without_an_experiment_gets_reasons_too(self, cluster, log_url):
        scheduler = GuardrailStopping(METRICS, irreversible=["memory"])
        tuner = tune.Tuner(
            plain,
            param_space={"x": tune.grid_search([0.1, 0.5, 0.95]), "y": 0.5},
            tune_config=tune.TuneConfig(scheduler=scheduler),
            run_config=tune.RunConfig(callbacks=[RunLogCallback(log=log_url)], verbose=0),
        )
        tuner.fit()
        runs = {run.assignments["x"]: run for run in hs.open_log(log_url).runs()}
        assert [str(runs[x].state) for x in (0.1, 0.5, 0.95)] == ["completed", "completed", "early_stopped"]
        assert "memory = 0.95 misses the guardrail" in runs[0.95].end_reason


def fit(experiment, trainable, scheduler):
    """A user's own Ray Tune script."""
    from heliostat_searchers.tune import HeliostatSearch

    search = HeliostatSearch(experiment, parallel=2)
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=search, scheduler=scheduler, num_samples=-1, reuse_actors=True
        ),
        run_config=tune.RunConfig(verbose=0),
    )
    tuner.fit()
    search.close()
