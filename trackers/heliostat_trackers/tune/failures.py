"""Why a trial of Ray Tune failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heliostat import outcome as ends

logger = logging.getLogger(__name__)


def failure_of(trial: Any, reported: Mapping[str, Any]) -> ends.Outcome:
    """The end of a trial that Ray Tune calls an error: the user's failure, or a lost worker."""
    from ray.exceptions import RayActorError, RaySystemError

    error = _error_of(trial)
    cause = getattr(error, "cause", None) or error
    if isinstance(error, (RayActorError, RaySystemError)):
        return ends.lost(reported, f"the worker died: {str(error).strip().splitlines()[0]}")
    text = str(error) if error is not None else ""
    message = f"{type(cause).__name__}: {cause}" if cause is not None else "the trial failed without an error"
    return ends.raised(reported, "user_error", message.splitlines()[0][:500], text)


def _error_of(trial: Any) -> Exception | None:
    """The exception that Ray Tune has just written beside the trial (its copy in the storage comes later)."""
    from ray import cloudpickle

    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    try:
        error: Exception = cloudpickle.loads(Path(path).read_bytes())
    except Exception as unreadable:
        logger.warning("the trial's exception cannot be rebuilt here: %s", unreadable)
        return RuntimeError(Path(trial.error_file).read_text(encoding="utf-8"))
    return error
