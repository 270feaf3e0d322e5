"""P15: early stopping, replayed over real training curves that are stored as a table.

A replay draws runs from a table in an order that depends on the seed alone, and shows each rule one step
after the other. Networks: 300 configurations, 40 epochs, validation log-loss on scikit-learn's digits.
Boosting: 150 configurations, 40 stages of 5 trees, on its breast cancer set. A stopped run counts with what
it had shown.

.. [Li2020] L. Li et al. A system for massively parallel hyperparameter tuning (ASHA). MLSys 2020.
.. [Golovin2017] D. Golovin et al. Google Vizier (the median rule). KDD 2017.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from quality_traces import TRACES

TABLES = TRACES.parent / "tables"
STORED = TRACES.parent / "stopping.json"
REPLAYS, RUNS, STEPS = 20, 60, 40
NAMES = ("networks", "boosting")
TOP_SHARE = 0.05
RULES = (
    "none",
    "heliostat",
    "heliostat_asha",
    "heliostat_median",
    "ray_asha",
    "ray_median",
    "optuna_asha",
    "optuna_hyperband",
    "optuna_median",
)
METRIC = "loss"


def make(folder: Path = TABLES) -> None:
    """Train both tables anew (about four CPU minutes)."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(15)
    networks = np.array([_network(rng) for _ in range(300)], dtype=np.float32)
    boosting = np.array([_boosting(rng) for _ in range(150)], dtype=np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "curves.npz", networks=networks, boosting=boosting)


def _network(rng: np.random.Generator) -> list[float]:
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    X, y = _data("digits", 1200)
    model = MLPClassifier(
        (int(2 ** rng.uniform(2, 8)),),
        learning_rate_init=10 ** rng.uniform(-4.5, -0.5),
        alpha=10 ** rng.uniform(-6, 0),
        batch_size=int(2 ** rng.uniform(3, 8)),
        activation=str(rng.choice(["relu", "tanh"])),
        random_state=int(rng.integers(2**31 - 1)),
    )
    losses = []
    for _ in range(STEPS):
        model.partial_fit(X[:800], y[:800], classes=range(10))
        chances = np.nan_to_num(model.predict_proba(X[800:]), nan=0.1)
        losses.append(log_loss(y[800:], chances / chances.sum(axis=1, keepdims=True), labels=range(10)))
    return losses


def _boosting(rng: np.random.Generator) -> list[float]:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import log_loss

    X, y = _data("cancer", 569)
    model = GradientBoostingClassifier(
        n_estimators=5 * STEPS,
        learning_rate=10 ** rng.uniform(-2.5, 0.3),
        max_depth=int(rng.integers(1, 7)),
        subsample=rng.uniform(0.3, 1.0),
        min_samples_leaf=int(rng.integers(1, 40)),
        random_state=int(rng.integers(2**31 - 1)),
    ).fit(X[:380], y[:380])
    stages = list(model.staged_predict_proba(X[380:]))[4::5]
    return [log_loss(y[380:], chances, labels=[0, 1]) for chances in stages]


def _data(name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_breast_cancer, load_digits

    X, y = (load_digits if name == "digits" else load_breast_cancer)(return_X_y=True)
    order = np.random.default_rng(3).permutation(len(y))[:rows]
    return (X[order] / 16.0 if name == "digits" else X[order]), y[order]


Stops = Callable[[int, int, float], bool]
"""Run, step from 1, loss → whether to stop there."""


@dataclass(frozen=True)
class Trial:
    """What schedulers of Ray Tune look at."""

    trial_id: str
    status: str = "RUNNING"

    def is_finished(self) -> bool:
        return False


class Alone:
    """A controller of Ray Tune under which one trial runs at a time."""

    @staticmethod
    def get_live_trials() -> Sequence[Trial]:
        return ()


class RayRule:
    """A scheduler of Ray Tune, ours among them, told of one result after the other."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.trials: dict[int, Trial] = {}

    def __call__(self, run: int, step: int, loss: float) -> bool:
        if run not in self.trials:
            self.trials[run] = Trial(str(run))
            self.scheduler.on_trial_add(Alone, self.trials[run])
        result = {"training_iteration": step, METRIC: loss, "done": step == STEPS}
        if step == STEPS:
            self.scheduler.on_trial_complete(Alone, self.trials[run], result)
            return False
        return str(self.scheduler.on_trial_result(Alone, self.trials[run], result)) == "STOP"


class OptunaRule:
    """A pruner of Optuna."""

    def __init__(self, pruner: Any, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.RandomSampler(seed=seed)
        self.study = optuna.create_study(pruner=pruner, sampler=sampler)
        self.trials: dict[int, Any] = {}

    def __call__(self, run: int, step: int, loss: float) -> bool:
        import optuna

        trial = self.trials.setdefault(run, None) or self.study.ask()
        self.trials[run] = trial
        trial.report(loss, step)
        if step == STEPS:
            self.study.tell(trial, loss)
            return False
        if trial.should_prune():
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return True
        return False


def rule(name: str, seed: int) -> Stops:
    """A rule with its defaults; the length of a run is told where it is asked for."""
    owner, _, kind = name.partition("_")
    if owner == "none":
        return lambda run, step, loss: False
    if owner == "heliostat":
        return RayRule(_ours(kind or "auto"))
    if owner == "ray":
        from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule

        common: dict[str, Any] = {"time_attr": "training_iteration", "metric": METRIC, "mode": "min"}
        if kind == "asha":
            return RayRule(AsyncHyperBandScheduler(max_t=STEPS, **common))
        return RayRule(MedianStoppingRule(grace_period=1, min_samples_required=5, **common))
    from optuna import pruners

    made: dict[str, Callable[[], Any]] = {
        "asha": pruners.SuccessiveHalvingPruner,
        "hyperband": lambda: pruners.HyperbandPruner(max_resource=STEPS),
        "median": pruners.MedianPruner,
    }
    return OptunaRule(made[kind](), seed)


def _ours(method: str) -> Any:
    from heliostat.early_stopping import EarlyStopping
    from heliostat.metrics import Metrics, minimize
    from heliostat_searchers.schedulers import scheduler

    given = {"asha": {"metric": METRIC, "max_steps": STEPS}, "median": {"metric": METRIC}}.get(method, {})
    return scheduler(EarlyStopping(method=method, **given), Metrics((minimize(METRIC),)))


def replay(name: str, curves: np.ndarray, seed: int) -> dict[str, float]:
    """One sweep of :data:`RUNS` runs under a rule."""
    order = np.random.default_rng([seed, 15]).permutation(len(curves))[:RUNS]
    stops = rule(name, seed)
    used, shown = 0, []
    for place, run in enumerate(order):
        step = 1
        while not stops(place, step, float(curves[run, step - 1])) and step < STEPS:
            step += 1
        used += step
        shown.append(step)
    ends = curves[order, -1]
    seen = [float(curves[run, step - 1]) for run, step in zip(order, shown, strict=True)]
    top = np.argsort(ends, kind="stable")[: max(1, round(TOP_SHARE * RUNS))]
    return {
        "saved": 1 - used / (RUNS * STEPS),
        "loss": min(seen) / float(ends.min()) - 1,
        "false_stops": float(np.mean([shown[place] < STEPS for place in top])),
    }


def play(rules: Sequence[str] = RULES) -> int:
    """Replay all rules and store the table."""
    warnings.simplefilter("ignore")
    tables = np.load(TABLES / "curves.npz")
    rows = []
    for name in rules:
        for table in NAMES:
            curves = tables[table].astype(float)
            found = [replay(name, curves, seed) for seed in range(REPLAYS)]
            rows.append({"rule": name, "table": table, "replays": found})
            print(line(rows[-1]), flush=True)
    STORED.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def stored() -> list[dict[str, Any]]:
    """The stored rows."""
    return json.loads(STORED.read_text()) if STORED.exists() else []


def median(row: dict[str, Any], key: str) -> float:
    return float(np.median([found[key] for found in row["replays"]]))


def line(row: dict[str, Any]) -> str:
    """One row for people."""
    wrong = float(np.mean([found["false_stops"] for found in row["replays"]]))
    return (
        f"  {row['rule']:<17} {row['table']:<9} saves {median(row, 'saved'):6.1%} of the steps, loses"
        f" {median(row, 'loss'):7.2%}, stops {wrong:6.1%} of the best {TOP_SHARE:.0%}"
    )


def show() -> None:
    """The stored table."""
    rows = stored()
    if rows:
        print(f"\nP15 early stopping: medians over {REPLAYS} replays of {RUNS} runs of {STEPS} steps")
        for row in rows:
            print(line(row))
