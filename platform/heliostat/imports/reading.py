"""``heliostat.import_runs``: from a source's name to runs in the log."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.imports.values import Imported, ImportResult, Reader
from heliostat.imports.writing import record
from heliostat.ports import RunLog
from heliostat.registry import IMPORTERS, load, names, shared_log


def import_runs(
    kind: str,
    source: Any,
    *,
    project: str | None = None,
    into: int | None = None,
    origin: str | None = None,
    still_open: str = "keep",
    log: RunLog | str | Path | None = None,
    **options: Any,
) -> ImportResult:
    """Record the runs of another tool. Importing again adds what is new and ends what was open.

    Args:
        kind: Which reader: ``csv``, ``mlflow``, ``optuna``, ``sigopt``, ``tune`` or one that was installed.
        source: What it reads: a path, a URL, an object.
        project: Where to put runs; by default where the source has them, else the default project.
        into: Id of an experiment of ours that ended runs join, so that searchers learn from them; runs that
            do not fit its space are skipped.
        origin: Who proposed them, if the reader cannot know.
        still_open: Runs that have not ended in the source: ``keep`` them open here, end them as ``lost``, or
            ``skip`` them until they end.
        log: Run log or its path; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` here.
        **options: The reader's own.

    Raises:
        NotFound: No such reader or source.
        InvalidValue: An option is unknown, or the source is not what the reader reads.
    """
    if kind not in names(IMPORTERS):
        known = ", ".join(names(IMPORTERS)) or "none"
        raise InvalidValue("kind", "no importer has this name", given=kind, remedy=f"Installed: {known}.")
    reader: Reader = load(IMPORTERS, kind)
    _refuse_unknown(kind, reader, options)
    found = started(reader(str(source) if isinstance(source, PathLike) else source, **options))
    opened = shared_log(log) if log is None or isinstance(log, (str, Path)) else log
    return record(opened, found, kind=kind, project=project, into=into, origin=origin, still_open=still_open)


def started(found: Iterator[Imported]) -> Iterator[Imported]:
    """The same items, the first one read: a source that cannot be read must not leave an empty log."""
    first = list(islice(found, 1))
    return chain(first, found)


def _refuse_unknown(kind: str, reader: Reader, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(reader).parameters.values()
    if any(item.kind is item.VAR_KEYWORD for item in parameters):
        return
    known = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            rule = f"the {kind} importer has no option {name!r}"
            remedy = f"It has: {', '.join(known)}." if known else "It has none."
            raise InvalidValue(name, rule, remedy=remedy, code="HS-VALUE-002")
