"""The wrapper around a trainable of Ray Tune; what it finds is judged elsewhere."""

from __future__ import annotations

import inspect
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heliostat.tune_results import FACTS
from heliostat_trackers.worker.failure import TrialFailure, failure
from heliostat_trackers.worker.limit import TimeLimit
from heliostat_trackers.worker.usage import MEASURED, Usage

_DUPLICATE = "__duplicate__"
"""Ray Tune's mark of the result that a finished function does not report."""


def observed(
    trainable: Callable[..., Any] | type,
    *,
    time_limit: float | None = None,
    metrics: Iterable[str] = (),
) -> type:
    """A class trainable that does what the given one does, and tells why it fails and what it uses.

    Args:
        trainable: A function or a class of Ray Tune.
        time_limit: Seconds that an attempt may take.
        metrics: Names of declared metrics; those among
            :data:`~heliostat_trackers.worker.usage.MEASURED` are filled in where the code does not report
            them.
    """
    from ray.tune.trainable import wrap_function

    base: Any = trainable if inspect.isclass(trainable) else wrap_function(trainable)

    class Observed(_Observing, base):  # type: ignore[misc]  # its base is known at run time only
        _time_limit = time_limit
        _wanted = tuple(name for name in MEASURED if name in set(metrics))

    Observed.__name__ = Observed.__qualname__ = getattr(trainable, "__name__", "trainable")
    return Observed


class _Observing:
    """Stands before a class trainable in the order of resolution."""

    _time_limit: float | None = None
    _wanted: tuple[str, ...] = ()

    def setup(self, config: Mapping[str, Any], **more: Any) -> None:
        """As the trainable does; a failure waits for the first step, since Ray keeps only the text here."""
        self._broken: TrialFailure | None = None
        self._begin()
        try:
            with self._limit.enforced():
                super().setup(config, **more)  # type: ignore[misc]
        except (Exception, SystemExit) as error:
            self._broken = failure(error, self._facts())

    def step(self) -> Any:
        """As the trainable does, within its time; exceptions become :class:`TrialFailure`."""
        if self._broken is not None:
            raise self._broken
        try:
            with self._limit.enforced():
                result = super().step()  # type: ignore[misc]
        except (Exception, SystemExit) as error:
            raise failure(error, self._facts()) from None
        return self._with_facts(result) if isinstance(result, dict) else result

    def load_checkpoint(self, checkpoint: Any) -> None:
        """As the trainable does, unless it was never set up."""
        if self._broken is not None:
            raise self._broken
        super().load_checkpoint(checkpoint)  # type: ignore[misc]

    def reset_config(self, new_config: Mapping[str, Any]) -> Any:
        """Another trial in the same process."""
        self._usage.stop()
        self._begin()
        return super().reset_config(new_config)  # type: ignore[misc]

    def cleanup(self) -> None:
        """As the trainable does, unless it was never set up."""
        self._usage.stop()
        self._limit.see_to_the_end()
        if self._broken is None:
            super().cleanup()  # type: ignore[misc]

    def _begin(self) -> None:
        devices, is_shared = _own_devices()
        self._limit = TimeLimit(self._time_limit)
        self._usage = Usage(devices, is_shared=is_shared)
        self._sent: dict[str, Any] = {}

    def _facts(self) -> dict[str, Any]:
        return {"host": socket.gethostname(), **self._usage.facts()}

    def _with_facts(self, result: dict[str, Any]) -> dict[str, Any]:
        if _DUPLICATE in result:
            return result
        facts = self._facts()
        told = {name: facts[name] for name in self._wanted if name in facts}
        news = {} if facts == self._sent else {FACTS: facts}
        self._sent = facts
        return {**told, **result, **news}


def _own_devices() -> tuple[list[str], bool]:
    """The GPUs that Ray gave to this process, and whether only in part."""
    import ray

    if not ray.is_initialized():
        return [], False
    share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0)
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (named, share < 1) if share > 0 else ([], False)
