"""Applying the writes about what people share: projects, notes, tags, tokens."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, insert, select, update

from heliostat.errors import Conflict, InvalidValue, NotFound
from heliostat.writes import AddNote, CreateTag, CreateToken, RenewToken, RevokeToken, SettleProject
from heliostat_trackers.columns import merged_text
from heliostat_trackers.effects import Effect, inserted_id, settle_project
from heliostat_trackers.tables import notes, projects, tags, tokens

_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PERMISSIONS = re.compile(
    r"read|write|admin|read (experiment|run|report) [1-9][0-9]{0,17}|read project [A-Za-z0-9._-]{1,100}"
)


def change_project(connection: Connection, write: SettleProject) -> Effect:
    """Make the project if it is not there, and lay the given facts over its own."""
    settle_project(connection, write.project, write.time)
    row = connection.execute(select(projects.c.metadata).where(projects.c.name == write.project)).one()
    changes: dict[str, Any] = {
        "updated": float(write.time),
        "metadata": merged_text(write.metadata, row[0]),
    }
    if write.name is not None:
        changes["title"] = write.name
    if write.archived is not None:
        changes["archived"] = write.archived
    connection.execute(update(projects).where(projects.c.name == write.project).values(changes))
    return Effect(body={"project": write.project})


def add_note(connection: Connection, write: AddNote) -> Effect:
    """Keep a version of a project's notes."""
    settle_project(connection, write.project, write.time)
    row = {"project": write.project, "text": write.text, "user": write.user, "created": float(write.time)}
    id = inserted_id(connection.execute(insert(notes), row))
    return Effect(body={"project": write.project}, id=id)


def create_tag(connection: Connection, write: CreateTag) -> Effect:
    """Declare a tag.

    Raises:
        Conflict: A tag of this name was declared before.
        InvalidValue: The color is none, or the name is empty.
    """
    if not _COLOR.fullmatch(write.color):
        raise InvalidValue(
            "color", "must be #RRGGBB", given=write.color, remedy="Write for instance #3366cc."
        )
    if not write.name:
        raise InvalidValue("name", "must not be empty", given=write.name, remedy="Give the tag a name.")
    if connection.scalar(select(tags.c.id).where(tags.c.name == write.name)) is not None:
        rule = f"the tag {write.name!r} is there already"
        raise Conflict(rule, remedy="Use it as it is.", code="HS-CONFLICT-005")
    row = {"name": write.name, "color": write.color, "created": float(write.time)}
    return Effect(body={"tag": write.name}, id=inserted_id(connection.execute(insert(tags), row)))


def create_token(connection: Connection, write: CreateToken) -> Effect:
    """Admit a secret by its digest.

    Raises:
        Conflict: The same secret was admitted before.
        InvalidValue: The digest is none, or the permissions are unknown.
    """
    if not _DIGEST.fullmatch(write.digest):
        remedy = "Pass hashlib.sha256(secret).hexdigest(), never the secret."
        raise InvalidValue("digest", "must be a SHA-256 in hexadecimal", remedy=remedy)
    if not _PERMISSIONS.fullmatch(write.permissions):
        rule = "must be read, write, admin, or read run N, experiment N, report N or project NAME"
        raise InvalidValue("permissions", rule, given=write.permissions, remedy="Choose one.")
    if connection.scalar(select(tokens.c.id).where(tokens.c.digest == write.digest)) is not None:
        raise Conflict("this secret is admitted already", remedy="Make a new one.", code="HS-CONFLICT-006")
    row = {
        "digest": write.digest,
        "name": write.name,
        "permissions": write.permissions,
        "user": write.user,
        "created": float(write.time),
        "expires": None if write.expires is None else float(write.expires),
    }
    id = inserted_id(connection.execute(insert(tokens), row))
    return Effect(body={"token": id, "name": write.name}, id=id)


def renew_token(connection: Connection, write: RenewToken) -> Effect:
    """Give a token another end.

    Raises:
        NotFound: No such token.
    """
    expires = None if write.expires is None else float(write.expires)
    return _change_token(connection, write.token, expires=expires)


def revoke_token(connection: Connection, write: RevokeToken) -> Effect:
    """Admit a secret no longer.

    Raises:
        NotFound: No such token.
    """
    return _change_token(connection, write.token, revoked=True)


def _change_token(connection: Connection, token: int, **changes: Any) -> Effect:
    changed = connection.execute(update(tokens).where(tokens.c.id == token).values(changes))
    if not changed.rowcount:
        raise NotFound("no token has this id", given=token, remedy="List them with log.tokens().")
    return Effect(body={"token": token}, id=token)
