"""Who proposes Ray Tune's trials, and who stops them: callbacks are not told, so we ask the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from heliostat.tune_controller import calling_controller

WRAPPERS = 8
"""Most wrappers around a search algorithm."""


class Controller:
    """Ray Tune's controller as far as it can be known.

    Args:
        controller: The real one, or ``None`` where nobody was found.

    Attributes:
        stops: Trial id → iteration at which the scheduler stopped it; filled after :meth:`watch`.
    """

    def __init__(self, controller: Any = None) -> None:
        self._controller = controller
        self._search = getattr(controller, "search_alg", None)
        self._scheduler = getattr(controller, "scheduler_alg", None)
        stopper = getattr(controller, "_stopper", None)
        self._stoppers = [stopper, *getattr(stopper, "_stoppers", ())]
        metric = getattr(controller, "_metric", None)
        self.objectives: list[str] = [metric] if isinstance(metric, str) and metric != "_metric" else []
        self.stops: dict[str, int] = {}

    @classmethod
    def calling(cls) -> Controller:
        """The controller that is calling this thread's callbacks at the moment."""
        return cls(calling_controller())

    @property
    def unfinished(self) -> Sequence[Any]:
        """The trials of a restored experiment that are to run on; none in a new one."""
        if not getattr(self._controller, "resumed", False):
            return []
        return [trial for trial in self._controller.get_trials() if not trial.is_finished()]

    def drop(self, trial: Any, result: Mapping[str, Any]) -> None:
        """End a trial that is not to run on, with the result that Ray Tune had not saved."""
        trial.update_last_result({**trial.last_result, **result, "done": True})
        self._controller.stop_trial(trial)

    @property
    def searcher(self) -> str:
        """Class of the search algorithm, wrappers taken off."""
        inner = self._inner()
        return "" if inner is None else type(inner).__name__

    @property
    def origin(self) -> str:
        """``grid``, ``random``, ``optuna``, ``hyperopt``, …; ``tune`` where it is not known."""
        if self.searcher == "BasicVariantGenerator":
            spaces = [
                getattr(item, "unresolved_spec", {}) for item in getattr(self._search, "_iterators", ())
            ]
            return "grid" if any(_has_grid(space.get("config")) for space in spaces) else "random"
        name = self.searcher.removesuffix("Search").removeprefix("Tune").lower()
        return name or "tune"

    @property
    def scheduler(self) -> str:
        """Class of the scheduler; empty for the one that only keeps the order."""
        is_plain = self._scheduler is None or type(self._scheduler) is FIFOScheduler
        return "" if is_plain else type(self._scheduler).__name__

    def watch(self) -> None:
        """Note which trials the scheduler stops: Ray Tune itself does not tell them from finished ones.

        One that says so itself (:meth:`reason`) also knows which stops are the regular ends.
        """
        scheduler = self._scheduler
        if scheduler is None or not self.scheduler or isinstance(getattr(scheduler, "stops", None), Mapping):
            return
        decide = scheduler.on_trial_result

        def on_trial_result(controller: Any, trial: Any, result: Mapping[str, Any]) -> Any:
            decision = decide(controller, trial, result)
            is_stop = decision == TrialScheduler.STOP and not result.get("done")
            if is_stop and not _is_at_its_end(scheduler, result):
                self.stops[trial.trial_id] = result.get("training_iteration", 0)
            return decision

        scheduler.on_trial_result = on_trial_result

    def reason(self, trial: str) -> str | None:
        """Why a scheduler or stopper stopped a trial, if it says so: ours do (``heliostat_searchers``)."""
        for who in (self._scheduler, *self._stoppers):
            reasons = getattr(who, "stops", None)
            if isinstance(reasons, Mapping) and trial in reasons:
                return str(reasons[trial])
        return None

    def leave(self) -> None:
        """Let the scheduler be what it was: users keep it, copy it and pickle it."""
        if self._scheduler is not None:
            vars(self._scheduler).pop("on_trial_result", None)

    def _inner(self) -> Any:
        found = self._search
        for _ in range(WRAPPERS):
            deeper = getattr(found, "searcher", None)
            if deeper is None or isinstance(deeper, str):
                break
            found = deeper
        return found


def _is_at_its_end(scheduler: Any, result: Mapping[str, Any]) -> bool:
    """Whether a scheduler that knows the length of a whole trial stops this one there."""
    whole = getattr(scheduler, "_max_t", getattr(scheduler, "_max_t_attr", None))
    reached = result.get(getattr(scheduler, "_time_attr", ""))
    return whole is not None and reached is not None and reached >= whole


def _has_grid(space: Any) -> bool:
    if isinstance(space, Mapping):
        return "grid_search" in space or any(_has_grid(item) for item in space.values())
    return isinstance(space, (list, tuple)) and any(_has_grid(item) for item in space)
