"""Runs that were recorded elsewhere, brought into the run log once each.

A reader (entry point ``heliostat.importers``) turns a source into :class:`ImportedRun` values; one writer
records them. Each run has a key that is stable in its source, so importing again adds only what is new and
ends what was open.
"""

from heliostat.imports.reading import import_runs
from heliostat.imports.values import ImportedExperiment, ImportedRun, ImportResult, Reader, Skipped
from heliostat.imports.writing import STILL_OPEN, record

__all__ = [
    "STILL_OPEN",
    "ImportResult",
    "ImportedExperiment",
    "ImportedRun",
    "Reader",
    "Skipped",
    "import_runs",
    "record",
]
