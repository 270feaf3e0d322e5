"""Heliostat: design, optimize and explore experiments on your own Ray cluster."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliostat.early_stopping import EarlyStopping
    from heliostat.experiment_calls import (
        archive_experiment,
        create_experiment,
        get_experiment,
        unarchive_experiment,
    )
    from heliostat.frames import curves, log_frame, runs
    from heliostat.loop import Experiment
    from heliostat.metrics import guardrail, maximize, minimize, store
    from heliostat.notebook.comparison import compare
    from heliostat.registry import open_log
    from heliostat.space import Beta, Categorical, Conditional, Double, Int, LinearConstraint, Normal
    from heliostat.sweep import sweep
    from heliostat.tracking.adapters import track
    from heliostat.tracking.calls import (
        get_run_id,
        log_checkpoint,
        log_dataset,
        log_dev_metadata,
        log_failure,
        log_image,
        log_metadata,
        log_metric,
        log_metrics,
        log_model,
        log_source_code,
        log_sys_metadata,
        params,
        set_logs,
        set_parameter,
        set_parameter_source,
        set_parameters,
        set_parameters_source,
        set_parameters_sources_meta,
    )
    from heliostat.tracking.creation import archive_run, create_run, get_run, unarchive_run
    from heliostat.tracking.projects import create_project, set_project
    from heliostat.tracking.run_context import RunContext
    from heliostat.tracking.uploads import upload_runs

__version__ = "0.1.0"

__all__ = [
    "Beta",
    "Categorical",
    "Conditional",
    "Double",
    "EarlyStopping",
    "Experiment",
    "Int",
    "LinearConstraint",
    "Normal",
    "RunContext",
    "__version__",
    "archive_experiment",
    "archive_run",
    "compare",
    "connect",
    "connect_async",
    "create_experiment",
    "create_project",
    "create_run",
    "curves",
    "get_experiment",
    "get_run",
    "get_run_id",
    "guardrail",
    "log_checkpoint",
    "log_dataset",
    "log_dev_metadata",
    "log_failure",
    "log_frame",
    "log_image",
    "log_metadata",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_source_code",
    "log_sys_metadata",
    "maximize",
    "minimize",
    "open_log",
    "params",
    "runs",
    "set_logs",
    "set_parameter",
    "set_parameter_source",
    "set_parameters",
    "set_parameters_source",
    "set_parameters_sources_meta",
    "set_project",
    "store",
    "sweep",
    "track",
    "unarchive_experiment",
    "unarchive_run",
    "upload_runs",
]

_NAMES = {
    "heliostat.client": ("connect", "connect_async"),
    "heliostat.early_stopping": ("EarlyStopping",),
    "heliostat.experiment_calls": (
        "archive_experiment",
        "create_experiment",
        "get_experiment",
        "unarchive_experiment",
    ),
    "heliostat.frames": ("curves", "log_frame", "runs"),
    "heliostat.loop": ("Experiment",),
    "heliostat.metrics": ("guardrail", "maximize", "minimize", "store"),
    "heliostat.notebook.comparison": ("compare",),
    "heliostat.registry": ("open_log",),
    "heliostat.space": ("Beta", "Categorical", "Conditional", "Double", "Int", "LinearConstraint", "Normal"),
    "heliostat.sweep": ("sweep",),
    "heliostat.tracking.adapters": ("track",),
    "heliostat.tracking.calls": (
        "get_run_id",
        "log_checkpoint",
        "log_dataset",
        "log_dev_metadata",
        "log_failure",
        "log_image",
        "log_metadata",
        "log_metric",
        "log_metrics",
        "log_model",
        "log_source_code",
        "log_sys_metadata",
        "params",
        "set_logs",
        "set_parameter",
        "set_parameter_source",
        "set_parameters",
        "set_parameters_source",
        "set_parameters_sources_meta",
    ),
    "heliostat.tracking.creation": ("archive_run", "create_run", "get_run", "unarchive_run"),
    "heliostat.tracking.projects": ("create_project", "set_project"),
    "heliostat.tracking.run_context": ("RunContext",),
    "heliostat.tracking.uploads": ("upload_runs",),
}
_ALIASES = {
    f"{verb}_aiexperiment": f"{verb}_experiment" for verb in ("archive", "create", "get", "unarchive")
}  # the sigopt module had both
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import public names at their first use, so that ``import heliostat`` costs next to nothing."""
    name = _ALIASES.get(name, name)
    if name not in _HOMES:
        raise AttributeError(f"module 'heliostat' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
