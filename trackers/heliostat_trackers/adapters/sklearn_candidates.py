"""The candidates of one ``fit`` of a scikit-learn search, from their first fit to their end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat_trackers.adapters.outcomes import broken, finished, first_line
from heliostat_trackers.adapters.recorder import Recorder
from heliostat_trackers.adapters.sklearn_scores import Scores, read_off, scores_of_split, summed_up
from heliostat_trackers.adapters.values import plain_params


@dataclass
class Candidate:
    """One set of parameters and what became of it."""

    number: int
    params: Mapping[str, Any]
    splits: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    n_splits: int = 0
    scores: Scores | None = None
    is_started: bool = False


class Candidates:
    """Observer of a search's tasks.

    In successive halving a candidate is evaluated again with more resources as long as it is among the best:
    each iteration is a point of its curve, and being dropped is an early stop. Elsewhere each split is a
    point.

    Args:
        search: The search that is being fitted.
        recorder: Where to.
    """

    def __init__(self, search: Any, recorder: Recorder) -> None:
        self._recorder = recorder
        self._resource: str | None = getattr(search, "resource", None)
        self._single = search.scoring if isinstance(search.scoring, str) else "score"
        self._live: list[Candidate] = []
        self._present: list[Candidate] = []
        self._known = 0
        self._iteration: int | None = None
        self._resources = 0

    def hand_out(self, params: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> None:
        """The search is about to evaluate these candidates."""
        with self._recorder.shield():
            if "n_resources" not in more:
                self._present = [self._new(item) for item in params]
                return
            before, self._iteration = self._iteration, int(more["iter"][0])
            pool = defaultdict(list)
            for candidate in reversed(self._live):
                pool[self._face(candidate.params)].append(candidate)
            chosen = [pool[self._face(item)] for item in params]
            self._present = [group.pop() if group else self._new(item)
                             for group, item in zip(chosen, params, strict=True)]  # fmt: skip
            self._drop(before)
            self._resources = int(more["n_resources"][0])
            for candidate in self._present:
                candidate.splits, candidate.scores = {}, None

    def sent(self, place: int, splits: int) -> None:
        """A fit was handed to joblib: with one worker it begins now, with several it is next."""
        with self._recorder.shield():
            self._present[place].n_splits = splits
            self._start(self._present[place])

    def received(self, place: int, split: int, result: Any) -> None:
        """A fit is done."""
        with self._recorder.shield():
            candidate = self._present[place]
            candidate.splits[split] = result
            if self._iteration is None:
                scores = scores_of_split(result, self._single)
                finite = {name: score for name, score in scores.items() if math.isfinite(score)}
                self._recorder.point(candidate.number, split, finite)
            if len(candidate.splits) == candidate.n_splits:
                ordered = [candidate.splits[place] for place in sorted(candidate.splits)]
                self._scored(candidate, summed_up(ordered, self._single))

    def take_back(self, table: Mapping[str, Any]) -> None:
        """The search has its results: what was not seen on the way is read off its table."""
        with self._recorder.shield():
            first = len(table["params"]) - len(self._present)
            for place, candidate in enumerate(self._present):
                if candidate.scores is None:
                    self._start(candidate)
                    self._scored(candidate, read_off(table, first + place, self._single))

    def finish(self) -> None:
        """The search is over: who is left has run to the end."""
        with self._recorder.shield():
            for candidate in self._live:
                self._end(candidate, finished)

    def broke_off(self, error: BaseException) -> None:
        """The search was ended by an exception, its one running candidate's where there is one only."""
        with self._recorder.shield():
            open_keys = self._recorder.open
            reason = first_line(f"the search ended: {type(error).__name__}: {error}")
            for key in open_keys:
                is_its_own = len(open_keys) == 1 and self._iteration is None
                self._recorder.end(key, broken(error) if is_its_own else ends.cancelled({}, reason))

    def _new(self, params: Mapping[str, Any]) -> Candidate:
        own = {name: value for name, value in params.items() if name != self._resource}
        candidate = Candidate(self._known, own)
        self._known += 1
        self._live.append(candidate)
        return candidate

    def _face(self, params: Mapping[str, Any]) -> tuple[Any, ...]:
        """How a candidate is recognized in the next iteration: the search hands on nothing but parameters."""
        own = {name: value for name, value in params.items() if name != self._resource}
        return tuple(sorted(plain_params(own).items(), key=str))

    def _start(self, candidate: Candidate) -> None:
        if not candidate.is_started:
            candidate.is_started = True
            self._recorder.start(candidate.number, candidate.params)

    def _scored(self, candidate: Candidate, scores: Scores) -> None:
        candidate.scores = scores
        if self._iteration is None:
            self._live.remove(candidate)
            self._end(candidate, finished)
        else:
            self._recorder.point(candidate.number, self._iteration, scores.values)

    def _drop(self, iteration: int | None) -> None:
        kept = {id(candidate) for candidate in self._present}
        dropped = [candidate for candidate in self._live if id(candidate) not in kept]
        self._live = [candidate for candidate in self._live if id(candidate) in kept]
        reason = f"dropped by successive halving after iteration {iteration} ({self._amount()})"
        for candidate in dropped:
            self._end(candidate, lambda values: ends.stopped(values, reason))

    def _end(self, candidate: Candidate, end: Any) -> None:
        scores = candidate.scores or Scores({}, {})
        outcome: Outcome = end(scores.values)
        if scores.error:
            *_, last = scores.error.strip().splitlines()
            kind = "user_error" if last != scores.error else "nan"
            outcome = ends.raised(
                scores.values, kind, last[:500], scores.error if last != scores.error else ""
            )
        facts: dict[str, Any] = dict(scores.times)
        if self._iteration is not None:
            facts |= {"resource": self._resource, "n_resources": self._resources}
        self._recorder.end(candidate.number, outcome, metadata=facts)

    def _amount(self) -> str:
        return f"{self._resources} {self._resource}"
