"""What schedulers cost on a real learning-curve problem with two objectives and a guardrail.

A sweep is replayed on the curves of ``data/digits_curves.npz`` (300 neural classifiers of handwritten digits,
40 epochs each; see its README): accuracy against the number of weights, under a guardrail. The schedulers are
the objects that Ray Tune calls, with their defaults; trials come in random order, four workers run them on a
virtual clock, an epoch a tick, and have a checkpoint after each. Two problems:

    loss      the log loss on unseen images ends at most at 0.25: this moves, and only its end counts
    size      at most 10,000 weights: this never changes, and is declared so

*The full-budget result* is the feasible hypervolume of 100 trials that all ran to their end (measured from
80 % accuracy and 100,000 weights). Reported is how many epochs a scheduler had run when its finished trials
reached 99 % of it, over the epochs after which the sweep without a scheduler got there. Where 100 trials do
not suffice, further ones come, up to 300; *reached* says in how many replays that was enough. One that never
gets there costs infinitely much.

Settings were chosen on other seeds (``--tune``).

    python tests/benchmarks/schedulers.py            stores the table (minutes)
    python tests/benchmarks/schedulers.py --quick    2 seeds of one problem
    python tests/benchmarks/schedulers.py --report   the stored table beside the goals
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule

from heliostat.analysis import hypervolume
from heliostat.metrics import Metrics, guardrail, maximize, minimize
from heliostat_searchers.schedulers import (
    CostAwareHalving,
    CurveStopping,
    GuardedScheduler,
    GuardrailStopping,
    MultiObjectiveASHA,
)

CURVES = Path(__file__).parent / "data" / "digits_curves.npz"
STORED = Path(__file__).parent / "results" / "schedulers.json"
EPOCHS = 40
CONFIGS = 300
TRIALS = 100
WORKERS = 4
WITHIN = 0.01
FIRST_SEED = 100
"""Those below are for choosing settings."""

OBJECTIVES = (maximize("accuracy", threshold=0.8), minimize("weights", threshold=100_000))
PROBLEMS = {
    "loss": Metrics((*OBJECTIVES, guardrail("loss", at_most=0.25))),
    "size": Metrics((*OBJECTIVES, guardrail("size", at_most=10_000))),
}


def schedulers(metrics):
    """Every scheduler by name; those of Ray Tune watch the accuracy."""
    fixed = {"irreversible": ["size"]} if metrics.guardrails[0].name == "size" else {}
    watch = {"metric": "accuracy", "mode": "max"}
    asha = {"max_t": EPOCHS, "grace_period": 1, "reduction_factor": 3}
    return {
        "none": FIFOScheduler,
        "Tune's ASHA": lambda: GuardedScheduler(ASHAScheduler(**watch, **asha), metrics),
        "Tune's Hyperband, asynchronous": lambda: GuardedScheduler(
            ASHAScheduler(**watch, **asha, brackets=3), metrics
        ),
        "Tune's median rule": lambda: GuardedScheduler(
            MedianStoppingRule("training_iteration", **watch, grace_period=1, min_samples_required=5),
            metrics,
        ),
        "guardrails": lambda: GuardrailStopping(metrics, **fixed),
        "auto": lambda: CurveStopping(metrics, **fixed),
        "moasha": lambda: MultiObjectiveASHA(metrics, EPOCHS),
        "halving": lambda: CostAwareHalving(metrics, EPOCHS, **fixed),
    }


OURS = "halving"


@dataclass(eq=False)
class Trial:
    """What schedulers see of a trial of Ray Tune."""

    trial_id: str
    config: int
    status: str = "RUNNING"
    epoch: int = 0
    checkpoint: str | None = None
    is_saving: bool = False
    last_result: dict = field(default_factory=dict)


class Table:
    """The curves of one problem, by configuration and epoch."""

    def __init__(self, metrics):
        stored = np.load(CURVES)
        self.metrics = metrics
        weights = np.broadcast_to(stored["weights"][:, None].astype(float), stored["accuracy"].shape)
        self.values = {
            "accuracy": stored["accuracy"] / 540.0,
            "loss": stored["loss"].astype(float),
            "weights": weights,
            "size": weights,
        }

    def result(self, trial):
        """What a trial reports after its last epoch."""
        names = (metric.name for metric in self.metrics.steering)
        row = {name: float(self.values[name][trial.config, trial.epoch - 1]) for name in names}
        return {**row, "training_iteration": trial.epoch, "should_checkpoint": True}

    def volume(self, configs):
        """Hypervolume of the feasible ones among finished trials."""
        configs = list(configs)
        is_kept = np.ones(len(configs), dtype=bool)
        for metric in self.metrics.guardrails:
            finals = self.values[metric.name][configs, -1]
            is_kept &= metric.sign * finals >= metric.sign * metric.threshold
        gains = [item.sign * self.values[item.name][configs, -1] for item in self.metrics.objectives]
        corner = [item.sign * item.threshold for item in self.metrics.objectives]
        return hypervolume(np.column_stack(gains)[is_kept], np.array(corner))


class Sweep:
    """One sweep on a virtual clock, as Ray Tune's controller runs it."""

    def __init__(self, table, order, scheduler):
        self.table, self.scheduler = table, scheduler
        self.waiting = list(order)
        self.trials, self.heap, self.finished = [], [], []
        self.clock = self.epochs = 0

    @property
    def search_alg(self):
        return self

    def is_finished(self):
        """Whether the searcher has nothing more to propose."""
        return not self.waiting

    def get_trials(self):
        return self.trials

    def get_live_trials(self):
        return [trial for trial in self.trials if trial.status != "TERMINATED"]

    def stop_trial(self, trial):
        trial.status = "TERMINATED"
        self.scheduler.on_trial_remove(self, trial)

    def run(self, goal):
        """Cost when the finished trials reach the goal, and whether they did."""
        while True:
            self.fill()
            if not self.heap:
                return self.epochs, False
            self.clock, _, trial = heapq.heappop(self.heap)
            if self.advance(trial) and self.table.volume(self.finished) >= goal:
                return self.epochs, True

    def fill(self):
        while len(self.heap) < WORKERS:
            trial = self.scheduler.choose_trial_to_run(self)
            if trial is None and not self.waiting:
                return
            if trial is None:
                trial = Trial(f"{len(self.trials)}", self.waiting.pop(0))
                self.trials.append(trial)
                self.scheduler.on_trial_add(self, trial)
            trial.status = "RUNNING"
            self.start(trial)

    def start(self, trial):
        heapq.heappush(self.heap, (self.clock + 1, int(trial.trial_id), trial))

    def advance(self, trial):
        """One epoch is done; whether the trial has finished."""
        self.epochs += 1
        trial.epoch += 1
        trial.last_result = self.table.result(trial)
        if trial.epoch == EPOCHS:
            trial.status = "TERMINATED"
            self.scheduler.on_trial_complete(self, trial, {**trial.last_result, "done": True})
            self.finished.append(trial.config)
            return True
        decision = self.scheduler.on_trial_result(self, trial, trial.last_result)
        if decision == "CONTINUE":
            self.start(trial)
        elif decision == "PAUSE":
            trial.status, trial.checkpoint = "PAUSED", "here"
        else:
            self.scheduler.on_trial_complete(self, trial, {**trial.last_result, "done": True})
            trial.status = "TERMINATED"
        return False


def measure(seeds, problems=PROBLEMS, only=None):
    """One row for each problem and scheduler."""
    rows = []
    for problem, metrics in problems.items():
        table = Table(metrics)
        orders = [np.random.default_rng(seed).permutation(CONFIGS) for seed in seeds]
        bases = {}
        for scheduler, make in schedulers(metrics).items():
            if only and scheduler not in only:
                continue
            costs, epochs, reached, tried, cpu, total = [], [], 0, [], 0.0, 0.0
            for seed, order in zip(seeds, orders, strict=True):
                np.random.seed(seed)  # Ray's Hyperband draws its brackets from the global generator
                goal = (1 - WITHIN) * table.volume(order[:TRIALS])
                sweep = Sweep(table, order.tolist(), make())
                begun = time.process_time()
                cost, is_there = sweep.run(goal)
                cpu, total = cpu + time.process_time() - begun, total + sweep.epochs
                base = bases.setdefault(seed, cost)
                costs.append(cost / base if is_there else math.inf)
                epochs.append(sweep.epochs)
                reached += is_there
                tried.append(len(sweep.trials))
            rows.append(
                {
                    "problem": problem,
                    "scheduler": scheduler,
                    "costs": costs,
                    "cost": statistics.median(costs),
                    "worst": max(costs),
                    "reached": reached / len(seeds),
                    "epochs": statistics.mean(epochs),
                    "trials": statistics.mean(tried),
                    "ms": 1000 * cpu / total,
                }
            )
            print(line(rows[-1]), flush=True)
    return {"seeds": len(seeds), "trials": TRIALS, "workers": WORKERS, "rows": rows}


def line(row):
    numbers = f"{row['cost']:7.2f} {row['worst']:7.2f} {row['reached']:8.0%} {row['epochs']:8.0f}"
    return f"{row['problem']:<8} {row['scheduler']:<31} {numbers} {row['trials']:7.0f} {row['ms']:9.2f}"


HEADER = (
    f"{'problem':<8} {'scheduler':<31} {'median':>7} {'worst':>7} {'reached':>8} {'epochs':>8}"
    f" {'trials':>7} {'ms/report':>9}"
)


def show(result):
    """Print the table and the goals; whether all are met."""
    print(f"cost to come within 1 % of the full-budget result, over no scheduler's; {result['seeds']} seeds")
    print(HEADER)
    for row in result["rows"]:
        print(line(row))
    print()
    is_good = True
    for problem in dict.fromkeys(row["problem"] for row in result["rows"]):
        rows = {row["scheduler"]: row for row in result["rows"] if row["problem"] == problem}
        best = rows[OURS]["cost"]
        goals = (
            (f"{problem}: {OURS}, median cost over no scheduler's", "<", 1.0, best / rows["none"]["cost"]),
            (f"{problem}: {OURS}, over that of Tune's ASHA", "<", 1.0, best / rows["Tune's ASHA"]["cost"]),
            (f"{problem}: {OURS}, share of the seeds that got there", "≥", 0.95, rows[OURS]["reached"]),
        )
        for name, sense, limit, found in goals:
            is_met = found >= limit if sense == "≥" else found < limit
            is_good &= is_met
            print(f"{'ok    ' if is_met else 'MISSED'} {name:<60} {found:7.3f} (goal {sense} {limit:g})")
        others = [row for name, row in rows.items() if name.startswith("Tune")]
        other = min(others, key=lambda row: row["cost"])
        ratio = best / other["cost"]
        print(f"       {problem}: {OURS} over {other['scheduler']}, the cheapest of Tune's: {ratio:.2f}")
    return is_good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in ("--quick", "--report", "--tune"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    if options.report:
        if not STORED.exists():
            print("nothing is stored: run this without an option first")
            return 1
        return 0 if show(json.loads(STORED.read_text())) else 1
    print(HEADER)
    if options.quick or options.tune:
        problems = PROBLEMS if options.tune else {"size": PROBLEMS["size"]}
        measure(range(options.seeds if options.tune else 2), problems, options.only)
        return 0
    result = measure(range(FIRST_SEED, FIRST_SEED + options.seeds))
    STORED.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if show(result) else 1


if __name__ == "__main__":
    sys.exit(main())
