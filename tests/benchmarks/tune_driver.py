"""One driver of Ray Tune for tune_overhead.py: one method in a process of its own; prints a JSON line.

Every method runs the same trainables on the same cluster. CPU is this process's own, that of its hooks is
measured around every hook of the search algorithm and of the callbacks, on the thread that calls them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    RAY_AIR_NEW_OUTPUT="0",
    RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS="0",
    TUNE_PRINT_ALL_TRIAL_ERRORS="0",
)

WORKERS = 8


class Clock:
    """CPU and wall seconds spent in hooks."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self.depth = 0

    def around(self, owner: type, name: str) -> None:
        """Measure every call of a method of a class: Ray Tune pickles the objects themselves."""
        inner = getattr(owner, name)

        def measured(*args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return inner(*args, **kwargs)
            self.depth += 1
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                self.cpu += time.thread_time() - cpu
                self.wall += time.perf_counter() - wall
                self.depth -= 1

        setattr(owner, name, measured)


CLOCK = Clock()


def train(config: dict[str, Any]) -> None:
    """So many results, each after so many seconds of work; the last tells when and where it ran."""
    from ray import tune

    begun, work = time.time(), config["seconds"] * (0.75 + config["x"] / 2)
    for step in range(config["results"]):
        time.sleep(work / config["results"])
        facts = {"begun": begun, "ended": time.time(), "work": work, "worker": os.getpid()}
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / (step + 1), "size": config["y"], **facts})


def methods(folder: Path, trials: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """By name: what goes into the tuner."""
    return {
        "random": lambda: {"space": True},
        "optuna": lambda: {"space": True, "search": _optuna()},
        "ax": lambda: {"space": True, "search": _ax()},
        "mlflow": lambda: {"space": True, "callback": _mlflow(folder)},
        "heliostat": lambda: {"space": True, "search": _heliostat(folder)},
        "blocking": lambda: {"search": _blocking()},
        "heliostat, slow engine": lambda: {"search": _slow(folder, trials)},
    }


def _optuna() -> Any:
    from ray.tune.search.optuna import OptunaSearch

    return OptunaSearch(seed=1)


def _ax() -> Any:
    from ray.tune.search.ax import AxSearch

    return AxSearch()


def _mlflow(folder: Path) -> Any:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    return MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="overhead")


def _heliostat(folder: Path) -> Any:
    from heliostat_searchers.tune import HeliostatSearch

    return HeliostatSearch(searcher="sobol", log=f"{folder}/runs.db")


def _slow(folder: Path, trials: int) -> Any:
    """An engine that takes its time, as the entry point of a package beside the benchmark."""
    import heliostat as hs
    from heliostat_searchers.tune import HeliostatSearch

    experiment = hs.Experiment(
        "slow",
        parameters=[hs.Double("x", 0, 1), hs.Double("y", 0, 1)],
        metrics=[hs.minimize("loss")],
        searcher="heliostat-benchmark-slow",
        budget=trials,
        log=f"{folder}/runs.db",
    )
    return HeliostatSearch(experiment, parallel=WORKERS)


def _blocking() -> Any:
    import numpy as np
    from ray.tune.search import Searcher

    class Blocking(Searcher):  # type: ignore[misc]
        """Thinks on the driver's thread, as Ray's own searchers do."""

        rng = np.random.default_rng(1)

        def suggest(self, trial_id: str) -> dict[str, float]:
            time.sleep(float(os.environ["HELIOSTAT_BENCHMARK_FIT"]))
            return dict(zip("xy", map(float, self.rng.random(2)), strict=True))

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            """Nothing is learned."""

    return Blocking()


def main() -> None:
    method, trials, results, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    import ray

    ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory(prefix="heliostat-overhead-", ignore_cleanup_errors=True) as folder:
        print(json.dumps(measured(method, trials, results, seconds, Path(folder))))


def measured(method: str, trials: int, results: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Run a method; what it cost."""
    from ray import tune

    made = methods(folder, trials)[method]()
    constants = {"results": results, "seconds": seconds}
    space = {"x": tune.uniform(0, 1), "y": tune.uniform(0, 1)} if made.get("space") else {}
    search, callback = made.get("search"), made.get("callback")
    for owner in filter(None, (search, callback)):
        for name in dir(owner):
            if name == "suggest" or name.startswith("on_trial"):
                CLOCK.around(type(owner), name)
    _watch_attached()
    is_told = made.get("space")
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={**space, **constants},
        tune_config=tune.TuneConfig(
            metric="loss" if is_told else None,
            mode="min" if is_told else None,
            num_samples=trials,
            search_alg=search,
            max_concurrent_trials=None if method in {"random", "mlflow"} else WORKERS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder / "tune"), verbose=0, callbacks=[callback] if callback else None
        ),
    )
    cpu, wall = time.process_time(), time.perf_counter()
    found = tuner.fit()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rows = [result.metrics for result in found if result.metrics and "work" in result.metrics]
    return {
        "method": method,
        "trials": len(rows),
        "results": results,
        "cpu": cpu,
        "wall": wall,
        "hook_cpu": CLOCK.cpu,
        "hook_wall": CLOCK.wall,
        "idle": _idle(rows),
    }


def _watch_attached() -> None:
    """The callback that our search brings along is made later."""
    from heliostat_trackers.tune import RunLogCallback

    for name in dir(RunLogCallback):
        if name.startswith("on_"):
            CLOCK.around(RunLogCallback, name)


def _idle(rows: list[dict[str, Any]]) -> float:
    """Share of the workers' time, from each one's first to its last moment, that was no work."""
    spans: dict[int, list[float]] = {}
    for row in rows:
        span = spans.setdefault(row["worker"], [row["begun"], row["ended"], 0.0])
        span[0], span[1] = min(span[0], row["begun"]), max(span[1], row["ended"])
        span[2] += row["work"]
    there = sum(end - begin for begin, end, _ in spans.values())
    return 1 - sum(work for _, _, work in spans.values()) / there if there else 0.0


if __name__ == "__main__":
    main()
