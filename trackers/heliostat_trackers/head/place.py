"""What ``ray://path`` names: a file on the head node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from heliostat.errors import StorageError

SCHEME = "ray://"

_CLIENT_SERVER = re.compile(r"[\w.\-]+:\d+/?")


@dataclass(frozen=True)
class Place:
    """A file on the head node, by its absolute `path`."""

    path: Path

    @property
    def url(self) -> str:
        """As any process of the cluster may open it."""
        return f"{SCHEME}{self.path}"

    @property
    def actor(self) -> str:
        """Name of the actor that holds the file."""
        return f"log:{self.path}"


def log_place(url: str, *, is_worker: bool = False) -> Place:
    """The place that a URL names; a relative path is taken from the driver's folder.

    Args:
        url: ``ray:///absolute/path`` or ``ray://path``.
        is_worker: Whether this process is a Ray worker, which runs in a folder of Ray's choice.

    Raises:
        StorageError: The URL names no file, or a relative one that would not be found again.
    """
    name = url.removeprefix(SCHEME)
    if not url.startswith(SCHEME) or name.strip("/") == "":
        rule = "a log on the head node needs a file: ray:///folder/heliostat.db"
        raise StorageError(rule, given=url, remedy="Give an absolute path.", code="HS-STORAGE-009")
    if _CLIENT_SERVER.fullmatch(name):
        rule = "names a file on the head node, not the address of a Ray Client server"
        remedy = "Connect with ray.init(address=…) first, then open ray:///folder/heliostat.db."
        raise StorageError(f"ray:// {rule}", given=url, remedy=remedy, code="HS-STORAGE-009")
    path = Path(name).expanduser()
    if not path.is_absolute():
        path = _folder(url, is_worker=is_worker) / path
    return Place(Path(*path.parts))


def _folder(url: str, *, is_worker: bool) -> Path:
    folder = Path.cwd()
    # `ray job submit` and runtime environments run code in a copy of its folder that Ray deletes later.
    if is_worker or "runtime_resources" in folder.parts:
        rule = "a relative path would lie in a folder that Ray made for this process"
        remedy = "Give an absolute path; where a log is open, that is its .url."
        raise StorageError(rule, given=url, remedy=remedy, code="HS-STORAGE-009")
    return folder
