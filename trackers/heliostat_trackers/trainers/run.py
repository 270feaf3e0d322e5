"""A run as a trainer fills it."""

from __future__ import annotations

import atexit
import functools
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, cast

from heliostat.imports.plain import parameter
from heliostat.trial import Checkpoint
from heliostat.writes import LogCheckpoints

logger = logging.getLogger("heliostat")

Hook = TypeVar("Hook", bound=Callable[..., Any])

POINTS = 100
SECONDS = 1.0
"""Points of a curve are written when so many wait, or when one has waited so long."""

LONGEST_NAME = 100
IMPORTANCES = 50
"""Most features whose importance is kept, as in SigOpt."""


class TrackedRun(Protocol):
    """What a hook asks of a run; every run of Heliostat's has it."""

    def log_metrics(self, values: Mapping[str, Any], /) -> None:
        """Record last values."""
        ...

    def log_checkpoint(self, values: Mapping[str, Any], *, step: int | None = None) -> None:
        """Record a point of the curve."""
        ...

    def log_model(self, type_: Any = None) -> None:
        """Record the type of the model."""
        ...

    def log_metadata(self, key: str, value: Any) -> None:
        """Record a fact."""
        ...

    def log_sys_metadata(self, key: str, value: Any) -> None:
        """Record a fact that Heliostat reads."""
        ...

    def log_failure(self, message: str = ...) -> None:
        """Say that the run has failed."""
        ...

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Set parameters."""
        ...


def harmless(hook: Hook) -> Hook:
    """Warn of a hook's first exception, and return ``None``: training goes on whatever becomes of the log."""

    @functools.wraps(hook)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            feed: RunFeed = self if isinstance(self, RunFeed) else self._feed
            feed.complain(error)
            return None

    return cast(Hook, call)


class RunFeed:
    """Writes what a trainer tells into a run: points in batches, and never an exception into training.

    Args:
        run: By default the run that is current when training begins.
        clock: Seconds, for the rate of writes.

    Attributes:
        latest: The last value of each metric.
    """

    def __init__(self, run: TrackedRun | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._given = run
        self._found: TrackedRun | None = None
        self._clock = clock
        self._lock = threading.RLock()
        self._waiting: dict[int, tuple[dict[str, float], float]] = {}
        self._written = float("-inf")
        self._timer: threading.Timer | None = None
        self._has_complained = False
        self.latest: dict[str, float] = {}
        _all.add(self)

    @property
    def run(self) -> TrackedRun:
        """The run."""
        if self._given is not None:
            return self._given
        if self._found is None:
            from heliostat.tracking.calls import run_in_use

            self._found = cast(TrackedRun, run_in_use())
        return self._found

    @harmless
    def begin(self) -> None:
        """Another training begins, perhaps in another run."""
        self.flush()
        self._found, self.latest = None, {}

    @harmless
    def parameters(self, values: Mapping[str, Any]) -> None:
        """Record parameters, flat; what the run has already stays as it is, and ``None`` is left out."""
        known = getattr(self.run, "params", {})
        named = {name[:LONGEST_NAME]: value for name, value in flat(values) if value is not None}
        new = {name: parameter(value) for name, value in named.items() if name not in known}
        if new:
            self.run.set_parameters(new)

    @harmless
    def model(self, name: str) -> None:
        """Record the type of the model."""
        self.run.log_model(name)

    @harmless
    def fact(self, key: str, value: Any) -> None:
        """Record a fact."""
        self.run.log_metadata(key, value)

    @harmless
    def importances(self, kind: str, scores: Mapping[str, Any]) -> None:
        """Record the importance of features: the largest ones."""
        known = numbers(scores)
        kept = {name: known[name] for name in sorted(known, key=lambda name: -abs(known[name]))[:IMPORTANCES]}
        if kept:
            self.run.log_sys_metadata("feature_importances", {"type": kind, "scores": kept})

    @harmless
    def failure(self, error: BaseException | None) -> None:
        """Record that training failed."""
        self.flush()
        self.run.log_failure("training failed" if error is None else f"{type(error).__name__}: {error}")

    @harmless
    def point(self, step: int, values: Mapping[str, Any]) -> None:
        """Take a point of the training curve; what is no number is left out."""
        known = numbers(values)
        if not known:
            return
        with self._lock:
            self.latest |= known
            before, _ = self._waiting.get(step, ({}, 0.0))
            self._waiting[step] = ({**before, **known}, time.time())
            if len(self._waiting) >= POINTS or self._clock() - self._written >= SECONDS:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(SECONDS, _flush_later, (weakref.ref(self),))
                self._timer.daemon = True
                self._timer.start()

    @harmless
    def finals(self, values: Mapping[str, Any] | None = None) -> None:
        """Write what waits, and the run's metrics: these, or else the last ones of the curve."""
        self.flush()
        known = numbers(self.latest if values is None else values)
        if known:
            self.run.log_metrics(known)

    @harmless
    def flush(self) -> None:
        """Write the points that wait."""
        with self._lock:
            self._timer = None
            if self._waiting:
                self._write()

    def complain(self, error: Exception) -> None:
        """Warn, once for each run."""
        if not self._has_complained:
            self._has_complained = True
            logger.warning("training is not recorded in full: %s", error)

    def _write(self) -> None:
        self._written = self._clock()
        waiting, self._waiting = self._waiting, {}
        log = getattr(self.run, "log", None)
        if not hasattr(log, "submit"):
            for step, (values, _) in waiting.items():
                self.run.log_checkpoint(values, step=step)
            return
        # One write for all of them; unlike log_checkpoint it comes through after the run's end, where points
        # may arrive of a trainer that does not tell when it stops.
        run: Any = self.run
        points = tuple(Checkpoint(step, values, moment) for step, (values, moment) in waiting.items())
        future = run.log.submit(LogCheckpoints(run.id, points, attempt=run.attempt))
        future.add_done_callback(self._look_at)

    def _look_at(self, future: Any) -> None:
        error = future.exception()
        if isinstance(error, Exception):
            self.complain(error)

    def __del__(self) -> None:
        if getattr(self, "_waiting", None):
            self.flush()

    def __deepcopy__(self, memo: dict[int, Any]) -> RunFeed:
        return RunFeed(self._given)  # trainers copy their callbacks; the copy writes into the same run

    def __reduce__(self) -> tuple[Any, ...]:
        return RunFeed, (self._given,)


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as ``a/b`` names."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        found += flat(value, f"{name}/") if isinstance(value, Mapping) and value else [(name, value)]
    return found


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that are numbers, scalars of arrays and tensors included."""
    found = {}
    for name, value in values.items():
        if isinstance(value, (str, bytes)) or value is None:
            continue
        try:
            found[str(name)[:LONGEST_NAME]] = float(value)
        except (TypeError, ValueError, RuntimeError):  # tensors of several elements raise the last
            continue
    return found


_all: weakref.WeakSet[RunFeed] = weakref.WeakSet()


def _flush_later(feed: weakref.ref[RunFeed]) -> None:
    known = feed()
    if known is not None:
        known.flush()


@atexit.register
def _flush_all() -> None:
    for feed in list(_all):
        feed.flush()
