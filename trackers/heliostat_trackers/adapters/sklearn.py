"""scikit-learn's searches over parameters as runs: one for each candidate.

A search hands all candidates to joblib at once and hears of none before the last one is done; so we stand
in between. What runs in the workers stays as it is: they may be other processes or machines.
"""

from __future__ import annotations

import copyreg
import inspect
import logging
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search import BaseSearchCV

from heliostat.ports import RunLog
from heliostat_trackers.adapters.recorder import Recorder
from heliostat_trackers.adapters.sklearn_candidates import Candidates
from heliostat_trackers.adapters.sklearn_tasks import WatchedParallel

logger = logging.getLogger("heliostat")

PLAN = "_heliostat"
"""Attribute of a tracked search: where its runs go."""


def track(
    search: BaseSearchCV,
    log: RunLog,
    *,
    project: str | None = None,
    experiment: int | str | None = None,
    name: str | None = None,
) -> BaseSearchCV:
    """Record every ``fit`` of a search, and of its clones, from now on.

    Args:
        search: Changed in place. What it finds is what it would have found.
        log: Where to.
        project: The runs' project.
        experiment: An experiment that takes the runs which fit it.
        name: The search's name for people, by default its class.

    Returns:
        The same search. Pickles of it are of the plain search, for machines without Heliostat.

    Raises:
        NotFound: The log has no such experiment.
    """
    plan = Plan(search, log, project, experiment, name)
    if not isinstance(search, Recorded):
        search.__class__ = _recorded(cast(Any, type(search)))
    setattr(search, PLAN, plan)
    return search


class Plan:
    """Where the runs of a search go; each fit makes a recorder of its own.

    Raises:
        NotFound: The log has no such experiment.
    """

    def __init__(
        self,
        search: BaseSearchCV,
        log: RunLog,
        project: str | None,
        experiment: int | str | None,
        name: str | None,
    ) -> None:
        self._search_name = type(search).__name__
        self._origin = origin_of(search)
        self._log, self._project, self._experiment, self._name = log, project, experiment, name
        self._recorder()  # an experiment that is not there is told at once

    def candidates(self, search: Any) -> Candidates | None:
        """For one fit; ``None`` if the log has no place for it any more."""
        try:
            return Candidates(search, self._recorder())
        except Exception as error:
            logger.warning("%s is not recorded (%s); it goes on", self._search_name, error)
            return None

    def _recorder(self) -> Recorder:
        identity = uuid.uuid4().hex
        return Recorder(
            self._log,
            origin=self._origin,
            study=self._name or f"{self._search_name}-{identity[:8]}",
            identity=identity,
            searcher=self._search_name,
            project=self._project,
            experiment=self._experiment,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        return self


class Recorded:
    """What a tracked search does differently; it comes before the search's own class."""

    def _run_search(self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None) -> None:
        plan: Plan | None = vars(self).get(PLAN)
        plain = super()._run_search  # type: ignore[misc]
        more = {"callback_ctx": callback_ctx} if "callback_ctx" in inspect.signature(plain).parameters else {}
        candidates = plan.candidates(self) if plan is not None else None
        if candidates is None:
            plain(evaluate_candidates, **more)
            return
        try:
            plain(_watched(evaluate_candidates, candidates), **more)
        except BaseException as error:
            candidates.broke_off(error)
            raise
        candidates.finish()

    def __sklearn_clone__(self) -> Any:
        clone = super().__sklearn_clone__()  # type: ignore[misc]
        setattr(clone, PLAN, vars(self).get(PLAN))
        return clone

    def __reduce_ex__(self, protocol: Any) -> Any:
        state: Any = self.__getstate__()
        plain = {key: value for key, value in state.items() if key != PLAN}
        return copyreg._reconstructor, (type(self).__mro__[2], object, None), plain  # type: ignore[attr-defined]


def origin_of(search: BaseSearchCV) -> str:
    """``grid``, ``random`` or ``halving``; for a search of someone else's, its class in small letters."""
    names = {kind.__name__ for kind in type(search).__mro__}
    if "BaseSuccessiveHalving" in names:
        return "halving"
    if isinstance(search, GridSearchCV):
        return "grid"
    return "random" if isinstance(search, RandomizedSearchCV) else type(search).__name__.lower()


@cache
def _recorded(kind: Any) -> Any:
    """The class of tracked searches of this class. It keeps the name, which scikit-learn prints."""
    names = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (Recorded, kind), names)


def _watched(evaluate: Callable[..., Any], candidates: Candidates) -> Callable[..., Any]:
    """`evaluate_candidates` of scikit-learn, whose tasks are watched on their way to and from joblib."""
    WatchedParallel.put_into(evaluate, candidates)

    def evaluate_candidates(candidate_params: Any, *args: Any, **kwargs: Any) -> Any:
        params = list(candidate_params)
        candidates.hand_out(params, kwargs.get("more_results") or {})
        results = evaluate(params, *args, **kwargs)
        candidates.take_back(results)
        return results

    return evaluate_candidates
