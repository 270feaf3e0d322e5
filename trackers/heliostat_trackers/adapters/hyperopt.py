"""Hyperopt's trials as runs: ``Trials`` is its book, and we read over its shoulder."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from hyperopt import Trials

from heliostat.ports import RunLog
from heliostat_trackers.adapters.hyperopt_trials import Reader
from heliostat_trackers.adapters.recorder import Recorder

READER = "_heliostat"
"""Attribute of tracked trials: who reads them."""


def track(
    trials: Trials,
    log: RunLog,
    *,
    project: str | None = None,
    experiment: int | str | None = None,
    name: str | None = None,
) -> Trials:
    """Record the trials of ``fmin(..., trials=trials)``, those that are there already included.

    Args:
        trials: Changed in place.
        log: Where to.
        project: The runs' project.
        experiment: An experiment that takes the runs which fit it.
        name: The search's name for people, by default its ``exp_key`` or one made up.

    Returns:
        The same trials. Pickles of them are of plain trials.

    Raises:
        NotFound: The log has no such experiment.
    """
    if isinstance(trials, Recorded) and vars(trials)[READER].is_about(log, project, experiment):
        return trials
    identity = uuid.uuid4().hex
    recorder = Recorder(
        log,
        origin="hyperopt",
        study=name or trials._exp_key or f"hyperopt-{identity[:8]}",
        identity=identity,
        project=project,
        experiment=experiment,
    )
    if not isinstance(trials, Recorded):
        trials.__class__ = _recorded(cast(Any, type(trials)))
    setattr(trials, READER, Reader(recorder, (project, experiment)))
    return trials


class Recorded:
    """What tracked trials do differently; it comes before their own class."""

    def fmin(self, fn: Callable[..., Any], space: Any, algo: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As Hyperopt's own; here it tells what is searched, and how."""
        reader: Reader | None = vars(self).get(READER)
        plain = super().fmin  # type: ignore[misc]
        if reader is None:
            return plain(fn, space, algo, *args, **kwargs)
        reader.begins(space, algo)
        try:
            return plain(self._heard(reader, fn), space, algo, *args, **kwargs)
        except BaseException as error:
            reader.read(self._dynamic_trials)  # type: ignore[attr-defined]
            reader.broke_off(error)
            raise
        finally:
            reader.read(self._dynamic_trials)  # type: ignore[attr-defined]

    def refresh(self) -> None:
        """As Hyperopt's own, called after each change."""
        super().refresh()  # type: ignore[misc]
        reader: Reader | None = vars(self).get(READER)
        if reader is not None:
            reader.read(self._dynamic_trials)  # type: ignore[attr-defined]

    def _heard(self, reader: Reader, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The objective, whose calls are the starts: Hyperopt tells nobody when it begins a trial."""
        if self.asynchronous:  # type: ignore[attr-defined]  # evaluated elsewhere
            return fn

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            reader.read(self._dynamic_trials)  # type: ignore[attr-defined]
            if "ctrl" in kwargs:  # an objective that may report on its way
                reader.listens(kwargs["ctrl"])
            try:
                return fn(*args, **kwargs)
            except Exception as error:
                reader.raised(error)
                raise

        return call

    def __reduce_ex__(self, protocol: Any) -> Any:
        make, (_, *rest), state = cast(Any, object.__reduce_ex__(self, 0))
        plain = {key: value for key, value in state.items() if key != READER}
        return make, (type(self).__mro__[2], *rest), plain


@cache
def _recorded(kind: Any) -> Any:
    names = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (Recorded, kind), names)
