"""Early stopping replayed on real learning curves: what each rule saves, and what it costs.

The curves are those of ``data/digits_curves.npz`` (300 neural classifiers, 40 epochs; see its README). Each
replay draws 100 of them in random order and runs them on virtual workers, one epoch a turn; the rules are the
schedulers that ``sweep(early_stopping=…)`` gives to Ray Tune, each with its defaults. Four tasks: the
accuracy, the loss (jagged: its curves turn up and come back), the accuracy within a guardrail on the size,
and accuracy against size.

``saved`` is the share of epochs that were not run, over running all to their end. ``lost`` is what the best
feasible finished run (or the hypervolume of the front) lacks to that of running all, relative to the latter;
the worst of the replays beside it. ``false`` is the share of the true best 5 % that were stopped.

    python tests/benchmarks/early_stopping.py            20 replays each, stores the table (minutes)
    python tests/benchmarks/early_stopping.py --quick    3 replays each
    python tests/benchmarks/early_stopping.py --report   the stored table beside the goals
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stored_table import run

from heliostat.analysis import hypervolume, non_dominated
from heliostat.early_stopping import EarlyStopping
from heliostat.metrics import Metrics, guardrail, maximize, minimize
from heliostat_searchers.schedulers import scheduler

CURVES = Path(__file__).parent / "data" / "digits_curves.npz"
EPOCHS = 40
RUNS = 100
WORKERS = 4
TOP = 0.05
MOST_WEIGHTS = 0.01

TASKS = {
    "accuracy": Metrics((maximize("accuracy"),)),
    "loss": Metrics((minimize("loss"),)),
    "accuracy within size": Metrics((maximize("accuracy"), guardrail("weights", at_most=MOST_WEIGHTS))),
    "accuracy against size": Metrics((maximize("accuracy"), minimize("weights"))),
}
CORNER = {"accuracy": 0.8, "weights": -0.1}
"""Where hypervolume is measured from."""


def rules(metric):
    """Every rule by name; those that rank by one metric take the first."""
    return {
        "auto": EarlyStopping(),
        "asha": EarlyStopping(metric, EPOCHS),
        "asha, reduction 2": EarlyStopping(metric, EPOCHS, reduction=2),
        "hyperband": EarlyStopping(metric, EPOCHS, method="hyperband"),
        "median": EarlyStopping(metric, method="median"),
        "none": None,
    }


@dataclass(eq=False)
class Trial:
    """What schedulers see of a trial of Ray Tune."""

    trial_id: str
    config: int


def read_curves():
    """Curves by metric, ``runs x epochs``."""
    stored = np.load(CURVES)
    shape = stored["accuracy"].shape
    return {
        "accuracy": stored["accuracy"] / 540.0,
        "loss": stored["loss"].astype(float),
        "weights": np.broadcast_to(stored["weights"][:, None] / 1e6, shape),
    }


def replay(table, metrics, order, rule, workers):
    """Epochs run, and the configurations that went to their end."""
    waiting, live, finished, epochs = list(order), [], [], 0
    judge = None if rule is None else scheduler(rule, metrics)
    while waiting or live:
        while waiting and len(live) < workers:
            trial = Trial(str(waiting[0]), waiting.pop(0))
            live.append((trial, 0))
            if judge is not None:
                judge.on_trial_add(None, trial)
        turned = []
        for trial, before in live:
            epoch, epochs = before + 1, epochs + 1
            result = {name: float(curve[trial.config, epoch - 1]) for name, curve in table.items()}
            result["training_iteration"] = epoch
            if epoch == EPOCHS:
                finished.append(trial.config)
                if judge is not None:
                    judge.on_trial_complete(None, trial, result)
            elif judge is None or judge.on_trial_result(None, trial, result) != "STOP":
                turned.append((trial, epoch))
        live = turned
    return epochs, finished, {} if judge is None else judge.stops


def worth(table, metrics, configs):
    """Best feasible final value of the first objective, or hypervolume, in gains."""
    finals = {name: table[name][configs, -1] for name in (metric.name for metric in metrics.steering)}
    kept = np.ones(len(configs), dtype=bool)
    for metric in metrics.guardrails:
        kept &= metric.sign * finals[metric.name] >= metric.sign * metric.threshold
    gains = np.column_stack([metric.sign * finals[metric.name] for metric in metrics.objectives])[kept]
    if gains.shape[1] == 1:
        return float(gains.max()) if len(gains) else -np.inf
    return hypervolume(gains, np.array([CORNER[metric.name] for metric in metrics.objectives]))


def best_configs(table, metrics, order):
    """The true best 5 %: by the first objective among feasible ones, or the front."""
    finals = np.column_stack([metric.sign * table[metric.name][order, -1] for metric in metrics.steering])
    m = len(metrics.objectives)
    kept = np.ones(len(order), dtype=bool)
    for place, metric in enumerate(metrics.guardrails, m):
        kept &= finals[:, place] >= metric.sign * metric.threshold
    if m > 1:
        return {config for config, on in zip(order, non_dominated(finals[:, :m]), strict=True) if on}
    ranked = np.argsort(-np.where(kept, finals[:, 0], -np.inf), kind="stable")
    return {order[place] for place in ranked[: round(TOP * len(order))]}


def measure(replays):
    """One row for each task and rule."""
    table, rows = read_curves(), []
    for task, metrics in TASKS.items():
        for name, rule in rules(metrics.objectives[0].name).items():
            if name == "none":
                continue
            saved, lost, false, spent = [], [], [], 0.0
            for seed in range(replays):
                order = [int(item) for item in np.random.default_rng(seed).permutation(300)[:RUNS]]
                np.random.seed(seed)  # Ray's Hyperband draws its brackets from the global generator
                begun = time.process_time()
                epochs, finished, stops = replay(table, metrics, order, rule, WORKERS)
                spent += time.process_time() - begun
                whole, best = worth(table, metrics, order), best_configs(table, metrics, order)
                saved.append(1 - epochs / (RUNS * EPOCHS))
                lost.append((whole - worth(table, metrics, finished)) / abs(whole))
                false.append(len(best & {int(id) for id in stops}) / len(best))
            rows.append(
                {
                    "task": task,
                    "rule": name,
                    "saved": statistics.mean(saved),
                    "lost": statistics.mean(lost),
                    "worst": max(lost),
                    "false": statistics.mean(false),
                    "ms": 1000 * spent / sum(RUNS * EPOCHS * (1 - share) for share in saved),
                }
            )
    return {"replays": replays, "runs": RUNS, "workers": WORKERS, "rows": rows}


def least(task):
    """The share of the epochs that should be saved; a front needs more runs than one best."""
    return 0.5 if len(TASKS[task].objectives) > 1 else 0.6


def show(result):
    """Print the table and the goals; whether all are met."""
    print(
        f"{result['replays']} replays of {result['runs']} runs on {result['workers']} workers; "
        "mean over the replays"
    )
    print(f"{'task':<22} {'rule':<18} {'saved':>7} {'lost':>8} {'worst':>8} {'false':>7} {'ms/report':>10}")
    for row in result["rows"]:
        print(
            f"{row['task']:<22} {row['rule']:<18} {row['saved']:7.1%} {row['lost']:8.2%} {row['worst']:8.2%}"
            f" {row['false']:7.1%} {row['ms']:10.2f}"
        )
    print()
    goals = [
        goal
        for row in result["rows"]
        if row["rule"] == "auto"
        for goal in (
            (f"auto, {row['task']}: epochs saved, share", "≥", least(row["task"]), row["saved"]),
            (f"auto, {row['task']}: relative loss in the final best", "≤", 0.01, row["lost"]),
        )
    ]
    smooth = next(row for row in result["rows"] if row["rule"] == "auto" and row["task"] == "accuracy")
    goals.append(("auto, accuracy: the same, worst replay", "≤", 0.01, smooth["worst"]))
    for name, sense, limit, found in goals:
        is_met = found >= limit if sense == "≥" else found <= limit
        print(f"{'ok    ' if is_met else 'MISSED'} {name:<60} {found:>8.4f} (goal {sense} {limit:g})")
    return all(found >= limit if sense == "≥" else found <= limit for _, sense, limit, found in goals)


if __name__ == "__main__":
    sys.exit(run(__doc__, "early_stopping", lambda quick: measure(3 if quick else 20), show))
