"""What Hyperopt's trial documents say, as verbs of the recorder."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hyperopt import STATUS_FAIL, space_eval
from hyperopt.base import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    spec_from_misc,
)
from hyperopt.pyll import as_apply, dfs

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat_trackers.adapters.outcomes import broken, finished, first_line
from heliostat_trackers.adapters.recorder import Recorder

NO_METRICS = frozenset({"status", "status_fail", "attachments"})
VARIANCE = "_variance"


class Reader:
    """Compares the documents with what was recorded of them.

    Args:
        recorder: Where to.
        target: Project and experiment as the user named them.
    """

    def __init__(self, recorder: Recorder, target: tuple[str | None, int | str | None]) -> None:
        self._recorder = recorder
        self._target = target
        self._space: Any = None
        self._running: set[Any] = set()
        self._ended: set[Any] = set()
        self._done = 0
        self._error: Exception | None = None

    def is_about(self, log: RunLog, project: str | None, experiment: int | str | None) -> bool:
        """Whether it reads for that log, project and experiment."""
        return (self._recorder.url, *self._target) == (log.url, project, experiment)

    def begins(self, space: Any, algo: Any) -> None:
        """``fmin`` was called."""
        with self._recorder.shield():
            self._space = space
            self._recorder.searcher = name_of(algo)

    def raised(self, error: Exception) -> None:
        """The objective of the running trial raised."""
        self._error = error

    def listens(self, ctrl: Any) -> None:
        """Each ``ctrl.checkpoint(result)`` of the objective is a point of the trial's curve."""
        plain, steps = ctrl.checkpoint, itertools.count()

        def checkpoint(result: Any = None) -> None:
            plain(result)
            with self._recorder.shield():
                if result is not None:
                    self._recorder.point(ctrl.current_trial["tid"], next(steps), metrics_of(result))

        ctrl.checkpoint = checkpoint

    def broke_off(self, error: BaseException) -> None:
        """``fmin`` raised: what still runs ends with it."""
        with self._recorder.shield():
            for key in self._recorder.open:
                self._recorder.end(key, broken(error))
            self._ended |= self._running

    def read(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Record what has changed."""
        with self._recorder.shield():
            is_behind = True
            for document in documents[self._done :]:
                tid, state = document["tid"], document["state"]
                if tid not in self._ended and state != JOB_STATE_NEW:
                    self._read(tid, document)
                is_behind = is_behind and tid in self._ended
                self._done += is_behind

    def _read(self, tid: Any, document: Mapping[str, Any]) -> None:
        if tid not in self._running:
            self._running.add(tid)
            self._recorder.start(tid, self._params(document))
        end = self._outcome(document)
        if end is not None:
            self._ended.add(tid)
            result = document["result"]
            facts = {
                key: value for key, value in result.items() if isinstance(value, str) and key != "status"
            }
            self._recorder.end(tid, end, metadata=facts)

    def _outcome(self, document: Mapping[str, Any]) -> Outcome | None:
        """How the trial ended, if it has."""
        state, result = document["state"], document["result"]
        values = metrics_of(result)
        if state == JOB_STATE_ERROR:
            return self._failure(document)
        if state == JOB_STATE_CANCEL:
            return ends.cancelled(values, "cancelled by Hyperopt")
        if state != JOB_STATE_DONE:
            return None
        if result.get("status") == STATUS_FAIL:
            reason = str(result.get("status_fail") or "the objective returned status fail")
            return ends.raised(values, "user_error", first_line(reason), reason)
        return finished(values, ["loss"])

    def _failure(self, document: Mapping[str, Any]) -> Outcome:
        error, self._error = self._error, None
        kind, message = document["misc"].get("error", ("", "the trial failed"))
        if error is not None and str(error) == message:
            return broken(error)
        kind = str(kind).removeprefix("<class '").removesuffix("'>")
        return ends.raised({}, "user_error", first_line(f"{kind}: {message}" if kind else message))

    def _params(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as the objective gets them; by Hyperopt's labels where that is no mapping."""
        drawn = spec_from_misc(document["misc"])
        if self._space is None:
            return dict(drawn)
        made = space_eval(self._space, drawn)
        if isinstance(made, Mapping):
            return {str(name): value for name, value in made.items()}
        return {**drawn, **_chosen(self._space, drawn)}


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of an objective's result; a ``loss_variance`` makes the loss a value with its deviation."""
    values: dict[str, Any] = {}
    for name, value in result.items():
        variance = result.get(f"{name}{VARIANCE}")
        if name in NO_METRICS or (name.endswith(VARIANCE) and name.removesuffix(VARIANCE) in result):
            continue
        values[name] = value if variance is None else (value, math.sqrt(float(variance)))
    return values


def name_of(algo: Any) -> str:
    """``tpe.suggest`` and such."""
    while isinstance(algo, functools.partial):
        algo = algo.func
    if algo is None:
        return "tpe.suggest"  # Hyperopt's default
    module: str = getattr(algo, "__module__", "") or ""
    return f"{module.rpartition('.')[2]}.{getattr(algo, '__name__', type(algo).__name__)}"


def _chosen(space: Any, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Labels of choices with the option itself in the place of its number, where the option is a constant."""
    found: dict[str, Any] = {}
    for node in dfs(as_apply(space)):
        if node.name != "switch" or node.pos_args[0].name != "hyperopt_param":
            continue
        label = node.pos_args[0].arg["label"].obj
        if label in drawn:
            option = node.pos_args[1 + int(drawn[label])]
            if option.name == "literal":
                found[label] = option.obj
    return found
