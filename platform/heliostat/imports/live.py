"""Runs that were recorded while they ran: importing their study must not record them a second time."""

from __future__ import annotations

from collections.abc import Iterable

from heliostat.imports.values import ImportedRun
from heliostat.imports.writes import MARK
from heliostat.trial import Run

SAME_MOMENT = 0.001
"""Seconds between two notes of one start: both copy it from the study."""


class LiveRuns:
    """The runs of a place that no import made, by study and trial.

    Args:
        runs: All runs of the place.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self._begun: dict[tuple[str, str], list[float]] = {}
        for run in runs:
            if MARK not in run.dev_metadata and {"study", "trial"} <= run.metadata.keys():
                place = (str(run.metadata["study"]), str(run.metadata["trial"]))
                self._begun.setdefault(place, []).append(run.created)

    def has(self, run: ImportedRun) -> bool:
        """Whether an adapter has recorded this run."""
        study, trial = run.metadata.get("study"), run.metadata.get("trial")
        known = self._begun.get((str(study), str(trial)), ())
        if not isinstance(trial, int):  # an identity, such as Ray Tune's
            return bool(known)
        # Numbers repeat in each study of that name; the start tells them apart.
        return run.created is not None and any(abs(run.created - begun) < SAME_MOMENT for begun in known)
