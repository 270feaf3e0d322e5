"""Sweeps: an experiment run on Ray Tune, with everything recorded."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat import cluster, schema
from heliostat.analysis import budget_used, leaders
from heliostat.convergence import Convergence
from heliostat.early_stopping import EarlyStopping, read_early_stopping
from heliostat.engine import ConvergenceWatch
from heliostat.errors import InvalidValue
from heliostat.placement import read_request, refuse_unmeetable
from heliostat.registry import MIRRORS, TUNE, load

if TYPE_CHECKING:
    from heliostat.loop import Experiment
    from heliostat.trial import Run

LOGGERS = "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"

SETTINGS = {
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a forgotten metric fails its trial, not the sweep
    LOGGERS: "1",  # the run log replaces CSV, JSON and TensorBoard files
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # snapshots of what the log holds cost up to 5 % of the time
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
    resources: Any = None,
    trial_timeout: float | None = None,
    early_stopping: EarlyStopping | Mapping[str, Any] | str | None = None,
    stop_when_converged: bool = False,
    reuse_workers: bool | None = None,
    storage_path: str | Path | None = None,
    mlflow: str | bool = False,
    tune_loggers: bool = False,
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
        resources: Per trial, as Ray names them: ``{"cpu": 1, "gpu": 0.5}``; or a
            ``ray.tune.PlacementGroupFactory`` for trials that start workers of their own.
        trial_timeout: Seconds that an attempt may take; one that takes longer fails, and the others go on.
        early_stopping: When to stop hopeless trials: a rule, its wire form, or the name of a method that
            needs nothing else (``"auto"``); never, by default.
        stop_when_converged: Hand out no more trials once ``experiment.convergence()`` says that no more is to
            be won; those that run go on to their ends.
        reuse_workers: Keep worker processes between trials (saves seconds a trial); by default where no GPU
            is used, since a reused process keeps its GPU memory.
        storage_path: Where Ray Tune keeps trial folders and checkpoints; a temporary folder by default.
        mlflow: Mirror the log meanwhile into this MLflow server (its URI, or ``True`` for
            ``$MLFLOW_TRACKING_URI``), in a process of its own that no trial waits for.
        tune_loggers: Also write Ray Tune's CSV, JSON and TensorBoard files (with `storage_path`); each result
            then costs the driver several times as much.

    Returns:
        The runs and the best of them.
    """
    rule = None if early_stopping is None else read_early_stopping(early_stopping)
    if rule is not None and rule.metric is not None:
        _ = experiment.spec.metrics[rule.metric]
    needs = resources or {"cpu": 1}
    request = read_request(needs)
    limit = None if trial_timeout is None else _read_timeout(trial_timeout)
    can_reuse = not request.needs_gpu and _can(trainable, "reset_config")
    reuse = reuse_workers if reuse_workers is not None else can_reuse
    with _settings(tune_loggers), _storage(storage_path) as storage, _mirrored(experiment, mlflow):
        cluster.connect()
        refuse_unmeetable(request, cluster.nodes())
        watch = ConvergenceWatch(experiment.engine) if stop_when_converged else None
        _fit(trainable, experiment, parallel, needs, limit, rule, reuse, storage)
    result = summary(experiment)
    if watch is None or not watch.verdict.is_converged:
        return result
    return replace(result, is_complete=True, convergence=watch.verdict)


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
    resources: Any,
    time_limit: float | None,
    early_stopping: EarlyStopping | None,
    reuse: bool,
    storage: Path,
) -> None:
    from ray import tune

    engine = experiment.engine
    search = load(TUNE, "search")(experiment, parallel=parallel, records=False)
    step = None if early_stopping is None else early_stopping.step
    callback = load(TUNE, "callback")(engine, step=step, keeps_trials=False, time_limit=time_limit)
    names = [metric.name for metric in engine.spec.metrics.all]
    observed = load(TUNE, "trainable")(trainable, time_limit=time_limit, metrics=names)
    scheduler = None
    if early_stopping is not None:
        scheduler = load(TUNE, "scheduler")(early_stopping, engine)
    tuner = tune.Tuner(
        tune.with_resources(observed, dict(resources) if isinstance(resources, Mapping) else resources),
        tune_config=tune.TuneConfig(
            search_alg=search, scheduler=scheduler, num_samples=-1, reuse_actors=reuse
        ),
        run_config=tune.RunConfig(
            name=f"heliostat-{experiment.id}-{engine.epoch or uuid.uuid4().hex[:8]}",
            storage_path=str(storage),
            callbacks=[callback],
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_at_end=None if _can(trainable, "save_checkpoint") else False
            ),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        search.close()
        callback.on_experiment_end([])
        engine.flush()


def _read_timeout(value: float) -> float:
    seconds = schema.number(value, "trial_timeout")
    if seconds <= 0:
        rule, remedy = "must be above 0 seconds", "Leave it out to let trials run as long as they want."
        raise InvalidValue("trial_timeout", rule, given=value, remedy=remedy)
    return seconds


def _can(trainable: Callable[..., Any] | type, method: str) -> bool:
    """Whether a trainable can be reset, or saved: any function can, a class if it says how."""
    from ray.tune import Trainable

    return not isinstance(trainable, type) or getattr(trainable, method, None) is not getattr(
        Trainable, method
    )


@contextlib.contextmanager
def _settings(tune_loggers: bool) -> Iterator[None]:
    """Ray Tune's switches for the time of a sweep; what the user has set stays."""
    wanted = {name: value for name, value in SETTINGS.items() if not (tune_loggers and name == LOGGERS)}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
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
