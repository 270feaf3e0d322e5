"""Questions about what hangs on runs and projects."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, func, select

from heliostat.errors import NotFound, no_run
from heliostat.ports import FileRecord, Note, ProjectRecord, SuggestionRecord, Tag, TokenRecord
from heliostat_trackers.columns import free_value
from heliostat_trackers.tables import (
    IDENTITY_KEY,
    experiments,
    file_contents,
    files,
    meta,
    notes,
    projects,
    runs,
    suggestions,
    tags,
    texts,
    tokens,
)

_TEXTS = (
    select(texts.c.stream, texts.c.text)
    .join(runs, and_(texts.c.run == runs.c.id, texts.c.attempt == runs.c.attempt))
    .order_by(texts.c.stream, texts.c.part)
)


def read_identity(connection: Connection) -> str:
    """The text that no other log has."""
    return str(connection.execute(select(meta.c.value).where(meta.c.key == IDENTITY_KEY)).scalar_one())


def read_texts(connection: Connection, run: int) -> dict[str, str]:
    """The texts of the run's present attempt by stream.

    Raises:
        NotFound: No such run.
    """
    parts: dict[str, list[bytes]] = {}
    for stream, part in connection.execute(_TEXTS.where(texts.c.run == run)):
        parts.setdefault(stream, []).append(bytes(part))
    if not parts:
        _check_run(connection, run)
    return {stream: b"".join(found).decode("utf-8", "surrogatepass") for stream, found in parts.items()}


def read_files(connection: Connection, run: int) -> list[FileRecord]:
    """A run's files, oldest first.

    Raises:
        NotFound: No such run.
    """
    rows = connection.execute(select(files).where(files.c.run == run).order_by(files.c.id)).all()
    if not rows:
        _check_run(connection, run)
    return [FileRecord(*row) for row in rows]


def read_file(connection: Connection, id: int) -> tuple[FileRecord, bytes]:
    """One file and its content.

    Raises:
        NotFound: No such file.
    """
    row = connection.execute(select(files).where(files.c.id == id)).first()
    if row is None:
        raise NotFound("no file has this id", given=id, remedy="List a run's files with log.files(run).")
    content = connection.execute(select(file_contents.c.content).where(file_contents.c.file == id))
    return FileRecord(*row), bytes(content.scalar_one())


def read_projects(connection: Connection) -> list[ProjectRecord]:
    """All projects, oldest first."""
    declared = _counts(connection, experiments)
    made = _counts(connection, runs)
    rows = connection.execute(select(projects).order_by(projects.c.created, projects.c.name))
    return [
        ProjectRecord(
            id=row.name,
            name=row.title or row.name,
            created=row.created,
            updated=row.updated,
            metadata=free_value(facts),
            archived=bool(row.archived),
            experiments=declared.get(row.name, 0),
            runs=made.get(row.name, 0),
        )
        for row in rows
        for facts in [row._mapping["metadata"]]
    ]


def read_notes(connection: Connection, project: str) -> list[Note]:
    """Versions of a project's notes, oldest first."""
    rows = connection.execute(select(notes).where(notes.c.project == project).order_by(notes.c.id))
    return [Note(*row) for row in rows]


def read_tags(connection: Connection) -> list[Tag]:
    """Declared tags, oldest first."""
    return [
        Tag(*row)
        for row in connection.execute(select(tags.c.id, tags.c.name, tags.c.color).order_by(tags.c.id))
    ]


def read_suggestions(connection: Connection, experiment: int) -> list[SuggestionRecord]:
    """An experiment's suggestions, oldest first."""
    own = select(suggestions).where(suggestions.c.experiment == experiment).order_by(suggestions.c.id)
    return [
        SuggestionRecord(
            id=row.id,
            experiment=row.experiment,
            assignments=free_value(row.assignments),
            state=row.state,
            task=row.task,
            origin=row.origin,
            why=row.why,
            metadata=free_value(row._mapping["metadata"]),
            created=row.created,
            run=row.run,
        )
        for row in connection.execute(own)
    ]


def read_tokens(connection: Connection) -> list[TokenRecord]:
    """Admitted secrets, oldest first."""
    rows = connection.execute(select(tokens).order_by(tokens.c.id))
    return [
        TokenRecord(
            id=row.id,
            digest=row.digest,
            name=row.name,
            permissions=row.permissions,
            user=row.user,
            created=row.created,
            expires=row.expires,
            revoked=bool(row.revoked),
        )
        for row in rows
    ]


def _counts(connection: Connection, table: Any) -> dict[str, int]:
    counted = select(table.c.project, func.count()).group_by(table.c.project)
    return {project: count for project, count in connection.execute(counted)}


def _check_run(connection: Connection, run: int) -> None:
    if connection.scalar(select(runs.c.id).where(runs.c.id == run)) is None:
        raise no_run(run)
