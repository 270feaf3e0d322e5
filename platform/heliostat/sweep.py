"""Sweeps: an experiment run on Ray Tune, with everything recorded."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat import cluster
from heliostat.analysis import budget_used, leaders
from heliostat.convergence import Convergence, converged
from heliostat.early_stopping import EarlyStopping, read_early_stopping
from heliostat.errors import InvalidValue
from heliostat.registry import MIRRORS, TUNE, load

if TYPE_CHECKING:
    from heliostat.engine import Engine
    from heliostat.loop import Experiment
    from heliostat.trial import Run

SETTINGS = {
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a forgotten metric fails its trial, not the sweep
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the run log replaces CSV, JSON and TensorBoard files
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the newer console output prints tables even when told to be silent
}


@dataclass(frozen=True)
class SweepResult:
    """What a sweep found.

    Args:
        experiment: The experiment; its log holds every run.
        runs: All its runs, by number, those of earlier sessions included.
        best: The best feasible run, or the Pareto front; empty if nothing is feasible.
        is_complete: Whether the budget is spent, the space exhausted, or the search converged where that was
            to end it; if not, sweep again to go on.
        convergence: Why it ended before its budget, where it was asked to.
    """

    experiment: Experiment
    runs: tuple[Run, ...]
    best: tuple[Run, ...]
    is_complete: bool
    convergence: Convergence | None = None


def sweep(
    trainable: Callable[..., Any] | type,
    experiment: Experiment,
    *,
    parallel: int | None = None,
    resources: Mapping[str, float] | None = None,
    early_stopping: EarlyStopping | Mapping[str, Any] | str | None = None,
    stop_when_converged: bool = False,
    reuse_workers: bool | None = None,
    storage_path: str | Path | None = None,
    mlflow: str | bool = False,
) -> SweepResult:
    """Run an experiment to its budget on Ray Tune.

    Trials that raise, hang no more than they must, report NaN or rubbish are recorded as what they are; the
    sweep goes on. Called again for the same experiment (after Ctrl-C, a kill, a lost head node) it goes on
    where the log ends: runs that were open are tried again, finished ones never.

    Args:
        trainable: A function ``f(config)`` that reports with ``ray.tune.report({...})`` or returns a
            dictionary, or a ``ray.tune.Trainable`` class. ``config`` holds the run's assignments.
        experiment: Declared, in a log.
        parallel: Most trials at once; by default ``parallel_bandwidth``, else what the resources allow.
        resources: Per trial, as Ray names them: ``{"cpu": 1, "gpu": 0.5}``.
        early_stopping: When to stop hopeless trials: a rule, its wire form, or the name of a method that
            needs nothing else (``"auto"``); never, by default.
        stop_when_converged: Hand out no more trials once ``experiment.convergence()`` says that no more is to
            be won; those that run go on to their ends.
        reuse_workers: Keep worker processes between trials (saves seconds a trial); by default where no GPU
            is used, since a reused process keeps its GPU memory.
        storage_path: Where Ray Tune keeps trial folders and checkpoints; a temporary folder by default.
        mlflow: Mirror the log meanwhile into this MLflow server (its URI, or ``True`` for
            ``$MLFLOW_TRACKING_URI``), in a process of its own that no trial waits for.

    Returns:
        The runs and the best of them.
    """
    rule = None if early_stopping is None else read_early_stopping(early_stopping)
    if rule is not None and rule.metric is not None:
        _ = experiment.spec.metrics[rule.metric]
    needs = dict(resources or {"cpu": 1})
    reuse = reuse_workers if reuse_workers is not None else not needs.get("gpu")
    with _settings(), _storage(storage_path) as storage, _mirrored(experiment, mlflow):
        cluster.connect()
        _refuse_unmeetable(needs)
        watch = _ConvergenceWatch(experiment.engine) if stop_when_converged else None
        _fit(trainable, experiment, parallel, needs, rule, watch, reuse, storage)
    result = summary(experiment)
    if watch is None or not watch.found().is_converged:
        return result
    return replace(result, is_complete=True, convergence=watch.found())


@contextlib.contextmanager
def _mirrored(experiment: Experiment, mlflow: str | bool) -> Iterator[None]:
    if not mlflow:
        yield
        return
    with load(MIRRORS, "mlflow_process")(experiment.log, None if mlflow is True else mlflow):
        yield


def summary(experiment: Experiment) -> SweepResult:
    """An experiment's present state as the result of its sweeps."""
    spec, runs = experiment.spec, experiment.runs()
    used = budget_used(spec, (run for run in runs if not run.state.is_open))
    is_complete = spec.budget is None or used >= spec.budget or experiment.engine.is_exhausted
    return SweepResult(experiment, tuple(runs), tuple(leaders(spec, runs)), is_complete)


def _fit(
    trainable: Callable[..., Any] | type,
    experiment: Experiment,
    parallel: int | None,
    resources: Mapping[str, float],
    early_stopping: EarlyStopping | None,
    watch: _ConvergenceWatch | None,
    reuse: bool,
    storage: Path,
) -> None:
    from ray import tune

    engine, stops = experiment.engine, dict[str, str]()
    search = load(TUNE, "search")(experiment, parallel=parallel, records=False)
    callback = load(TUNE, "callback")(engine, stops)
    scheduler = None
    if early_stopping is not None:
        scheduler = load(TUNE, "scheduler")(early_stopping, engine.spec.metrics, stops, engine.history)
    if watch is not None:
        search.suggest = watch.guarding(search.suggest)
    tuner = tune.Tuner(
        tune.with_resources(trainable, dict(resources)),
        tune_config=tune.TuneConfig(
            search_alg=search, scheduler=scheduler, num_samples=-1, reuse_actors=reuse
        ),
        run_config=tune.RunConfig(
            name=f"heliostat-{experiment.id}-{engine.epoch}",
            storage_path=str(storage),
            callbacks=[callback],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        search.close()
        callback.on_experiment_end([])
        engine.flush()


class _ConvergenceWatch:
    """Judges an experiment anew whenever one of its runs has ended, and then ends its suggestions.

    Args:
        engine: The experiment's steering.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ended = 0
        self._judged: tuple[int, Convergence] | None = None
        engine.subscribe(self._note)

    def found(self) -> Convergence:
        """The present verdict."""
        ended = self._ended
        if self._judged is None or self._judged[0] != ended:
            self._judged = ended, converged(self._engine.spec, self._engine.history)
        return self._judged[1]

    def guarding(self, suggest: Callable[[str], Any]) -> Callable[[str], Any]:
        """`suggest` until the search has converged; lost runs and the user's own points are still tried."""

        def guarded(trial_id: str) -> Any:
            from ray.tune.search import Searcher

            engine = self._engine
            if engine.waiting or engine.is_queued or not self.found().is_converged:
                return suggest(trial_id)
            return None if engine.trials else Searcher.FINISHED

        return guarded

    def _note(self, run: Run) -> None:
        self._ended += not run.state.is_open


def _refuse_unmeetable(resources: Mapping[str, float]) -> None:
    import ray

    biggest: dict[str, float] = {}
    for node in ray.nodes():
        for name, amount in node["Resources"].items():
            biggest[name.lower()] = max(biggest.get(name.lower(), 0.0), amount)
    for name, amount in resources.items():
        most = biggest.get(name.lower(), 0.0)
        if amount > most:
            rule = f"no node of the cluster has so much {name} (the biggest has {most:g})"
            remedy = "Ask for less per trial, or add a node; a sweep would wait for ever."
            raise InvalidValue(f"resources.{name}", rule, given=amount, remedy=remedy)


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Ray Tune's switches for the time of a sweep; what the user has set stays."""
    added = {name: value for name, value in SETTINGS.items() if name not in os.environ}
    os.environ.update(added)
    loggers = [logging.getLogger(name) for name in ("ray.tune", "ray.train", "ray.air")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)  # failed trials are in the run log, with their tracebacks
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _storage(path: str | Path | None) -> Iterator[Path]:
    if path is not None:
        yield Path(path).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="heliostat-sweep-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
