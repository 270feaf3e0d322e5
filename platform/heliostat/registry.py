"""Finding searchers, run logs and the Ray Tune glue by entry point; the core imports none of them by name."""

from __future__ import annotations

import os
import re
import threading
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from heliostat.errors import InvalidValue, NotFound, Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.ports import CAPABILITIES, Checker, RunLog, Searcher

SEARCHERS = "heliostat.searchers"
LOGS = "heliostat.logs"
TUNE = "heliostat.tune"

ADAPTERS = "heliostat.adapters"
IMPORTERS = "heliostat.importers"
MAINTENANCE = "heliostat.maintenance"
MIRRORS = "heliostat.mirrors"

LOG_VARIABLE = "HELIOSTAT_LOG"
DEFAULT_LOG = "heliostat.db"
PROJECT_VARIABLE = "HELIOSTAT_PROJECT"

_shared: dict[tuple[int, str], RunLog] = {}
_sharing = threading.Lock()


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


def check_supported(spec: ExperimentSpec, before: ExperimentSpec | None = None) -> None:
    """Refuse an experiment that its searcher cannot run.

    Args:
        spec: As it is to be declared.
        before: As it was declared so far, if it was.

    Raises:
        Unsupported: Names each missing capability, or the package that the searcher needs.
        InvalidValue: The searcher needs another declaration, such as a grid; more solutions are wanted than
            the space has points; or the defaults break a linear constraint. Declarations in a log may be
            older than these rules, so reading one does not ask.
    """
    if spec.num_solutions > 1 and spec.space.is_smaller_than(spec.num_solutions):
        rule = "must not be more than the space has points"
        raise InvalidValue("num_solutions", rule, given=spec.num_solutions, remedy="Use fewer.")
    if before is None or before.space != spec.space:
        spec.space.check_defaults()
    searcher = make_searcher(spec.searcher)
    missing = sorted(spec.needs - searcher.capabilities)
    if missing:
        what = "; ".join(f"{item} ({CAPABILITIES[item]})" for item in missing)
        able = [other for other in names(SEARCHERS) if spec.needs <= load(SEARCHERS, other).capabilities]
        remedy = f"Use searcher={' or '.join(map(repr, able))}." if able else "Drop that part."
        raise Unsupported(f"searcher {spec.searcher!r} does not support {what}", remedy=remedy)
    if isinstance(searcher, Checker):
        searcher.check(spec)


def open_log(url: str | Path | None = None) -> RunLog:
    """The run log at a URL or file path; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` here.

    Args:
        url: A path of a SQLite file, ``sqlite:///path``, ``postgresql://…`` or ``ray://…``.

    Raises:
        InvalidValue: No installed store speaks the URL's scheme.
        StorageError: The store cannot be opened.
    """
    text = log_url(url)
    scheme = text.partition("://")[0].partition("+")[0]
    if scheme not in names(LOGS):
        rule = "names a store that is not installed"
        raise InvalidValue(
            "log", rule, given=shown_url(text), remedy=f"Known schemes: {', '.join(names(LOGS))}."
        )
    return cast(RunLog, load(LOGS, scheme)(text))


def log_url(url: str | Path | None = None) -> str:
    """What :func:`open_log` opens: the given URL, else ``$HELIOSTAT_LOG``, else ``heliostat.db`` here."""
    text = str(url or os.environ.get(LOG_VARIABLE) or DEFAULT_LOG)
    return text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"


def shown_url(url: str) -> str:
    """A log's address for printing: without a password."""
    return re.sub(r"(://[^/@]*?):[^@]*@", r"\1:***@", url)


def shared_log(url: str | Path | None = None) -> RunLog:
    """This process's one open log of a URL, for doors that nobody closes; the process's end flushes it.

    Many threads that share a log share its commits; many logs of one file would wait for each other.

    Raises:
        InvalidValue: No installed store speaks the URL's scheme.
        StorageError: The store cannot be opened.
    """
    place = (os.getpid(), log_url(url))
    with _sharing:
        if place not in _shared:
            _shared[place] = open_log(place[1])
        return _shared[place]


def default_project() -> str:
    """``$HELIOSTAT_PROJECT``, else the folder's name in small letters, digits, ``-_.``; else ``default``."""
    given = os.environ.get(PROJECT_VARIABLE)
    return given or re.sub(r"[^a-z0-9\-_.]", "", Path.cwd().name.lower()) or "default"
