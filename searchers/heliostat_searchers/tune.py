"""Heliostat as a search algorithm of Ray Tune."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ray.tune.search import Searcher

from heliostat import Experiment
from heliostat import outcome as ends
from heliostat.engine import Question
from heliostat.errors import HeliostatError, NotFound
from heliostat.isolation import isolated
from heliostat.trial import Proposal, Run
from heliostat.tune_results import metrics_of
from heliostat_searchers.thinker import Thinker

logger = logging.getLogger(__name__)

READY = 1
"""Suggestions kept ahead of need: one hides the thinking time, more would be made on older results."""

LOOK = 1.0
"""Seconds between looks at the log while nothing is wanted: a raised budget or a queued point wakes us."""


class _Closed(Exception):
    """The sweep is over; what was being thought of may not be recorded any more."""


class HeliostatSearch(Searcher):  # type: ignore[misc]  # Ray has no types
    """Suggestions of a Heliostat experiment for ``tune.TuneConfig(search_alg=…)``.

    Everything the experiment declares holds (several metrics, guardrails, conditions), so leave ``metric``,
    ``mode`` and ``param_space`` of Ray Tune empty and ``num_samples`` at -1: the experiment's budget ends the
    search. Suggestions are computed in another process and recorded in the run log before they are handed
    out; while none is ready, ``suggest`` returns ``None`` at once. After the loss of a driver make a new
    object for the same experiment: runs that were open then are handed out again, none twice.

    Args:
        experiment: The experiment, or its id in the log.
        log: The log that holds it, if an id was given.
        parallel: Most trials at once; by default the experiment's ``parallel_bandwidth``, else Ray Tune's
            own limit by resources.
        records: Whether this object also records how trials end; ``heliostat.sweep`` leaves that to its
            callback, which sees more.
    """

    def __init__(
        self,
        experiment: Experiment | int,
        *,
        log: Any = None,
        parallel: int | None = None,
        records: bool = True,
    ) -> None:
        super().__init__()
        self._experiment = (
            experiment if isinstance(experiment, Experiment) else Experiment.open(experiment, log)
        )
        self._engine = self._experiment.engine
        self._parallel = parallel or self._engine.spec.parallel_bandwidth
        self._records = records
        self._thinker = Thinker(self._engine.spec.searcher)
        self._ready: deque[Run] = deque()
        self._live: dict[str, int] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._has_given_up = False
        self._pump: threading.Thread | None = None
        self._engine.subscribe(self._wake)

    @isolated
    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """A ready suggestion, ``None`` while there is none, ``FINISHED`` at the end of budget or space."""
        with self._changed:
            if self._pump is None:
                self._pump = threading.Thread(target=self._think_ahead, name="heliostat-think", daemon=True)
                self._pump.start()
            if self._parallel is not None and len(self._live) >= self._parallel:
                return None
            run = self._engine.next_waiting() or (self._ready.popleft() if self._ready else None)
            if run is None:
                return cast(str, Searcher.FINISHED) if self._is_over() else None
            self._live[trial_id] = run.id
            self._engine.trials[trial_id] = run.id
            self._changed.notify_all()
        task = self._engine.spec.task(run.task) if run.task else None
        return {**run.assignments, **({"task": {"name": task.name, "cost": task.cost}} if task else {})}

    @isolated
    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """A point of the training curve."""
        if self._records:
            self._engine.observe(
                self._live[trial_id], metrics_of(result), step=result.get("training_iteration")
            )

    @isolated
    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end of a trial; ids that are not ours (restarted by Ray Tune) are let pass."""
        with self._changed:
            run = self._live.pop(trial_id, None)
            self._changed.notify_all()
        if run is not None and self._records:
            self._record_end(run, result, error)

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: Mapping[str, Any], **spec: Any
    ) -> bool:
        """Refuse Ray Tune's own metric: the experiment declares what is optimized."""
        if metric is not None or mode is not None:
            logger.warning("metric and mode of TuneConfig are not used: the experiment declares its metrics")
        return not config

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Take Ray Tune's limit as ours."""
        self._parallel = max_concurrent
        return True

    def save(self, checkpoint_path: str) -> None:
        """Write where the state is: in the run log."""
        with open(checkpoint_path, "w", encoding="utf-8") as file:
            file.write(f"{self._experiment.log.url}\n{self._experiment.id}\n")

    def restore(self, checkpoint_path: str) -> None:
        """The state is in the run log and was read when this object was made."""

    def close(self) -> None:
        """Stop thinking ahead and let the actor go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._pump is not None:
            self._pump.join(timeout=5)
        self._thinker.close()
        while self._ready:
            left = ends.cancelled({}, "the sweep ended before the run began")
            self._engine.finish(self._ready.popleft().id, left)

    def _is_over(self) -> bool:
        """Whether nothing will ever be handed out again; a live trial may still be lost and come back."""
        return self._has_no_more_new() and not self._live

    def _has_no_more_new(self) -> bool:
        is_exhausted = self._engine.is_exhausted and not self._engine.is_queued
        return self._has_given_up or is_exhausted or self._engine.remaining == 0

    def _wants_more(self) -> bool:
        return len(self._ready) < READY and not self._has_no_more_new()

    def _think_ahead(self) -> None:
        while True:
            with self._changed:
                is_wanted = self._changed.wait_for(lambda: self._closed or self._wants_more(), LOOK)
                if self._closed:
                    return
            try:
                if not is_wanted:
                    self._engine.refresh()
                    continue
                runs = self._engine.suggest(1, think=self._think)
            except _Closed:
                return
            except Exception:
                logger.exception("no further suggestion can be made; the sweep ends with the running trials")
                self._has_given_up = True
                runs = []
            with self._changed:
                self._ready.extend(runs)
                self._changed.notify_all()

    def _think(self, question: Question, count: int) -> Sequence[Proposal]:
        proposals = self._thinker.think(question, count)
        if self._closed:
            raise _Closed
        return proposals

    def _wake(self, run: Run) -> None:
        with self._changed:
            self._changed.notify_all()

    def _record_end(self, run: int, result: Mapping[str, Any] | None, error: bool) -> None:
        if result:
            self._engine.observe(run, metrics_of(result), step=result.get("training_iteration"))
        reported = self._engine.reported(run)
        if error:
            message = "the trial failed; Ray Tune holds its traceback"
            self._engine.finish(run, ends.raised(reported, "user_error", message))
        else:
            self._engine.finish(run, ends.judge(self._engine.spec.metrics, reported))

    def __deepcopy__(self, memo: dict[int, Any]) -> HeliostatSearch:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        options = (self._parallel, self._records)
        return _reopen, (self._experiment.log.url, self._experiment.id, *options)


def _reopen(url: str, experiment: int, parallel: int | None, records: bool) -> HeliostatSearch:
    try:
        return HeliostatSearch(experiment, log=url, parallel=parallel, records=records)
    except HeliostatError as error:
        raise NotFound(f"experiment {experiment} of {url} cannot be reopened ({error})") from error
