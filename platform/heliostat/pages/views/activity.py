"""What happened lately, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from heliostat.ports import Event, ExperimentRecord

_WORDS = {
    "CreateExperiment": "experiment created",
    "ChangeExperiment": "experiment changed",
    "CreateRun": "run handed out",
    "FinishRun": "run ended",
    "CorrectRun": "run set right",
    "RetryRun": "run begun anew",
    "AddFile": "file added",
    "AddNote": "note written",
    "FreezeReport": "report frozen",
    "CreateSuggestion": "suggestion queued",
    "LogLateValues": "later values reported",
}
"""Kinds of events that people want to hear of."""


@dataclass(frozen=True)
class Happening:
    """What happened in a row in one place.

    Args:
        time: Of the last thing, seconds since the epoch.
        words: What, with how many times: ``3 runs completed, 1 failed``.
        experiment: Where, if in an experiment.
        name: Its name.
        run: The run, if it was one outside experiments.
    """

    time: float
    words: str
    experiment: int | None
    name: str
    run: int | None


def activity(events: Sequence[Event], experiments: Mapping[int, ExperimentRecord]) -> list[Happening]:
    """The latest first; what follows each other in one experiment is one entry."""
    known = [event for event in reversed(events) if event.kind in _WORDS]
    found = []
    for place, group in groupby(known, key=lambda event: (event.experiment, event.run is not None)):
        items = list(group)
        counts = Counter(_words(event) for event in items)
        words = ", ".join(f"{count} × {words}" if count > 1 else words for words, count in counts.items())
        record = experiments.get(place[0] or 0)
        name = "" if record is None else record.spec.name
        found.append(Happening(items[0].time, words, place[0], name, items[0].run))
    return found


def _words(event: Event) -> str:
    state = event.body.get("state")
    if event.kind == "FinishRun" and isinstance(state, str):
        return f"run {state.replace('_', ' ')}"
    return _WORDS[event.kind]
