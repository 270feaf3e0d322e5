"""Why a trial of Ray Tune failed, as far as the driver can know."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heliostat import outcome as ends
from heliostat.failures import KINDS, Consequence, kind_of, kind_of_text, line_of, root_of
from heliostat.trial import Failure
from heliostat_trackers.tune.nodes import Drains
from heliostat_trackers.worker.failure import TrialFailure

logger = logging.getLogger(__name__)


def failure_of(trial: Any, reported: Mapping[str, Any], drains: Drains | None = None) -> ends.Outcome:
    """The end of a trial that Ray Tune calls an error: the user's failure, or a worker or machine that went.

    Args:
        trial: Ray Tune's.
        reported: The last value of each metric.
        drains: With it, a death on a machine that was to be taken back is a preemption whatever Ray calls it.
    """
    failure = _failure(_error_of(trial))
    if KINDS[failure.kind].consequence is Consequence.LEARNED:
        return ends.raised(reported, failure.kind, failure.message, failure.traceback)
    if drains is not None and drains.took(_actor_of(trial)):
        failure = Failure("preempted", f"its machine was taken back: {failure.message}")
    return ends.lost(reported, failure.message, failure.kind, failure.traceback)


def facts_of(trial: Any) -> dict[str, Any]:
    """What the worker told of itself with its failure, if it lived to tell."""
    error = _error_of(trial)
    root = None if isinstance(error, str) else root_of(error)
    return dict(root.facts) if isinstance(root, TrialFailure) else {}


def _failure(error: BaseException | str) -> Failure:
    if isinstance(error, str):
        last = re.split(r"^Failure # \d+ .*$", error, flags=re.MULTILINE)[-1].strip()
        message = next(iter(last.splitlines()), "the trial failed without an error")
        return Failure(kind_of_text(last) or "user_error", message[:500], last)
    root = root_of(error)
    if isinstance(root, TrialFailure):
        return Failure(root.kind, root.message, root.trace)
    kind = kind_of(error)
    if KINDS[kind].consequence is Consequence.LEARNED:
        return Failure(kind, line_of(root), str(error))
    return Failure(kind, f"{KINDS[kind].meaning}: {_detail(error)}"[:500])


def _detail(error: BaseException) -> str:
    """Of Ray's long texts on a dead actor, the sentences that say how it died."""
    lines = [line for line in str(error).strip().splitlines() if line and not line.startswith("\t")]
    told = re.search(r"Worker exit detail: (.*)", str(error))
    return told[1] if told else lines[-1] if lines else type(error).__name__


def _error_of(trial: Any) -> BaseException | str:
    """The exception, or the text, that Ray Tune has just written (its copy in the storage comes later)."""
    from ray import cloudpickle

    path = trial.pickled_error_file
    if path is not None and Path(path).exists():
        try:
            error: BaseException = cloudpickle.loads(Path(path).read_bytes())
        except Exception as unreadable:
            logger.warning("the trial's exception cannot be rebuilt here: %s", unreadable)
        else:
            return error
    text = trial.error_file
    return Path(text).read_text(encoding="utf-8") if text is not None and Path(text).exists() else ""


def _actor_of(trial: Any) -> str | None:
    return getattr(_error_of(trial), "actor_id", None)
