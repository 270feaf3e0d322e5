"""Heliostat: design, optimize and explore experiments on your own Ray cluster."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heliostat.early_stopping import EarlyStopping
    from heliostat.loop import Experiment
    from heliostat.metrics import guardrail, maximize, minimize, store
    from heliostat.registry import open_log
    from heliostat.space import Beta, Categorical, Conditional, Double, Int, LinearConstraint, Normal
    from heliostat.sweep import sweep

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
    "__version__",
    "guardrail",
    "maximize",
    "minimize",
    "open_log",
    "store",
    "sweep",
]

_HOMES = {
    "EarlyStopping": "heliostat.early_stopping",
    "Experiment": "heliostat.loop",
    "open_log": "heliostat.registry",
    "sweep": "heliostat.sweep",
    **dict.fromkeys(("guardrail", "maximize", "minimize", "store"), "heliostat.metrics"),
    **dict.fromkeys(
        ("Beta", "Categorical", "Conditional", "Double", "Int", "LinearConstraint", "Normal"),
        "heliostat.space",
    ),
}


def __getattr__(name: str) -> Any:
    """Import public names at their first use, so that ``import heliostat`` costs next to nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'heliostat' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
