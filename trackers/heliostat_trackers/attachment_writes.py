"""Applying what hangs on a run: texts, files, values in other roles."""

from __future__ import annotations

import base64
import hashlib

from sqlalchemy import Connection, delete, func, insert, select

from heliostat.errors import InvalidValue
from heliostat.writes import LARGEST_FILE, AddFile, LogLateValues, LogText
from heliostat_trackers.effects import Effect, inserted_id
from heliostat_trackers.memory import FoundRun
from heliostat_trackers.points import metric_ids, stored_number
from heliostat_trackers.run_writes import effect_of
from heliostat_trackers.tables import file_contents, files, late_values, texts
from heliostat_trackers.unit_of_work import UnitOfWork
from heliostat_trackers.upserts import insert_or_replace

_LATE = insert_or_replace(late_values, "value", "stddev")
_LONGEST_NAME = 250


def log_text(connection: Connection, write: LogText) -> Effect:
    """Append a part to a text of the present attempt, or replace all parts by this one.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session, or a later attempt, has taken over.
        InvalidValue: The stream has no name, or too long a one.
    """
    _check_name(write.stream, "stream")
    found = _found(connection, write)
    own = (texts.c.run == write.run, texts.c.attempt == found.attempt, texts.c.stream == write.stream)
    if write.replace:
        connection.execute(delete(texts).where(*own))
    last = connection.scalar(select(func.max(texts.c.part)).where(*own)) or 0
    row = {"run": write.run, "attempt": found.attempt, "stream": write.stream, "part": last + 1}
    # Whatever a program prints must fit: lone surrogates too, which UTF-8 proper refuses.
    connection.execute(insert(texts), {**row, "text": write.text.encode("utf-8", "surrogatepass")})
    return effect_of(write, found, {"stream": write.stream})


def log_late_values(connection: Connection, write: LogLateValues) -> Effect:
    """Keep values in a role of their own; the same role, metric and time again replaces.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
        InvalidValue: The role has no name, too long a one, or is ``validation``.
    """
    _check_name(write.role, "role")
    if write.role == "validation":
        remedy = "Log them as values of the run."
        raise InvalidValue("role", "must be another than validation", given=write.role, remedy=remedy)
    found = _found(connection, write)
    ids = metric_ids(connection, write.values)
    key = {"run": write.run, "role": write.role, "at": float(write.at)}
    rows = [
        {
            **key,
            "metric": ids[name],
            "value": stored_number(item.value),
            "stddev": None if item.stddev is None else stored_number(item.stddev),
        }
        for name, item in write.values.items()
    ]
    if rows:
        connection.execute(_LATE[connection.dialect.name], rows)
    return effect_of(write, found, {"role": write.role})


def add_file(connection: Connection, write: AddFile) -> Effect:
    """Keep a file; its content lies in a table of its own, so that lists of files stay quick.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
        InvalidValue: The file is too large.
    """
    content = bytes(write.content)
    if len(content) > LARGEST_FILE:
        rule = f"must have at most {LARGEST_FILE // 2**20} MiB"
        remedy = "Put it beside the log (a bucket, a shared folder) and keep its address in the metadata."
        raise InvalidValue("content", rule, given=f"{len(content)} bytes", remedy=remedy)
    found = _found(connection, write)
    row = {
        "run": write.run,
        "name": write.name,
        "filename": write.filename,
        "content_type": write.content_type,
        "size": len(content),
        "md5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "created": float(write.time),
    }
    id = inserted_id(connection.execute(insert(files), row))
    connection.execute(insert(file_contents), {"file": id, "content": content})
    return effect_of(write, found, {"file": id, "name": write.name}, id=id)


def _check_name(name: str, field: str) -> None:
    if not name or len(name) > _LONGEST_NAME:
        rule = f"must be a text of 1 to {_LONGEST_NAME} characters"
        raise InvalidValue(field, rule, given=name, remedy="Use a short name, such as stdout.")


def _found(connection: Connection, write: LogText | LogLateValues | AddFile) -> FoundRun:
    attempt = write.attempt if isinstance(write, LogText) else None
    return UnitOfWork(connection).run(write.run, epoch=write.epoch, attempt=attempt)
