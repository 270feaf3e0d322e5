"""Finding searchers, run logs and the Ray Tune glue by entry point; the core imports none of them by name."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from heliostat.errors import InvalidValue, NotFound, Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.ports import CAPABILITIES, RunLog, Searcher

SEARCHERS = "heliostat.searchers"
LOGS = "heliostat.logs"
TUNE = "heliostat.tune"

LOG_VARIABLE = "HELIOSTAT_LOG"
DEFAULT_LOG = "heliostat.db"


def names(group: str) -> list[str]:
    """Names of all installed entry points of a group, sorted."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """The object behind an entry point.

    Raises:
        NotFound: No installed distribution offers it.
    """
    for point in entry_points(group=group, name=name):
        return point.load()
    known = ", ".join(names(group)) or "none"
    rule = f"no entry point {name!r} in {group}"
    raise NotFound(rule, remedy=f"Installed: {known}. After an upgrade, reinstall with pip install -e .")


def make_searcher(name: str) -> Searcher:
    """A new searcher by name."""
    return cast(Searcher, load(SEARCHERS, name)())


def check_supported(spec: ExperimentSpec) -> None:
    """Refuse an experiment that its searcher cannot run.

    Raises:
        Unsupported: Names each missing capability.
    """
    searcher = load(SEARCHERS, spec.searcher)
    missing = sorted(spec.needs - searcher.capabilities)
    if missing:
        what = "; ".join(f"{item} ({CAPABILITIES[item]})" for item in missing)
        able = [other for other in names(SEARCHERS) if spec.needs <= load(SEARCHERS, other).capabilities]
        remedy = f"Use searcher={' or '.join(map(repr, able))}." if able else "Drop that part."
        raise Unsupported(f"searcher {spec.searcher!r} does not support {what}", remedy=remedy)


def open_log(url: str | Path | None = None) -> RunLog:
    """The run log at a URL or file path; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` here.

    Args:
        url: ``sqlite:///path`` or a path of a SQLite file.

    Raises:
        InvalidValue: No installed store speaks the URL's scheme.
        StorageError: The store cannot be opened.
    """
    text = str(url or os.environ.get(LOG_VARIABLE) or DEFAULT_LOG)
    scheme = text.partition("://")[0] if "://" in text else "sqlite"
    opener = scheme.partition("+")[0]
    if opener not in names(LOGS):
        rule = "names a store that is not installed"
        raise InvalidValue("log", rule, given=text, remedy=f"Known schemes: {', '.join(names(LOGS))}.")
    return cast(RunLog, load(LOGS, opener)(text if "://" in text else f"sqlite:///{text}"))
