"""Writes about what people share: projects, notes, tags, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from heliostat.writes.base import new_key


@dataclass(frozen=True)
class SettleProject:
    """Bring a project into being, or change what is given of it.

    Args:
        project: Its identity, as runs and experiments name it.
        name: For people.
        metadata: Facts, merged; ``None`` removes a key.
        archived: Hidden.
    """

    project: str
    _: KW_ONLY
    time: float
    name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    archived: bool | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class AddNote:
    """A new version of a project's notes. Reply: ``id``."""

    project: str
    text: str
    _: KW_ONLY
    time: float
    user: str = ""
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class CreateTag:
    """Declare a tag with its color; a tag of that name that was declared before is a Conflict. Reply: ``id``.

    Args:
        name: As runs carry it.
        color: ``#RRGGBB``.
    """

    name: str
    color: str
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class CreateToken:
    """Admit a secret; the log keeps its digest only. Reply: ``id``.

    Args:
        digest: SHA-256 of the secret, hexadecimal.
        name: For people.
        permissions: ``read``, ``write``, ``admin``, or what a guest may see: ``read run 12``,
            ``read experiment 3``, ``read project iris``.
        user: Whose it is.
        expires: Seconds since the epoch, or never.
    """

    digest: str
    name: str
    _: KW_ONLY
    time: float
    permissions: str = "write"
    user: str = ""
    expires: float | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class RenewToken:
    """Give a token another end.

    Args:
        token: Its identity.
        expires: Seconds since the epoch, or never.
    """

    token: int
    expires: float | None
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class RevokeToken:
    """Admit a secret no longer."""

    token: int
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)
