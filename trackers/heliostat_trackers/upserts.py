"""Inserts that meet a row which is there already: each database has its own words for it."""

from __future__ import annotations

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(table: Table) -> dict[str, Insert]:
    """By database: insert, or leave the row that has this key."""
    return {
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(),
    }


def insert_or_replace(table: Table, *columns: str) -> dict[str, Insert]:
    """By database: insert, or lay these columns over the row that has this key.

    One statement must not name a key twice: PostgreSQL refuses to change a row twice.
    """
    key = list(table.primary_key)
    lite, postgres = sqlite.insert(table), postgresql.insert(table)
    return {
        "sqlite": lite.on_conflict_do_update(
            index_elements=key, set_={name: lite.excluded[name] for name in columns}
        ),
        "postgresql": postgres.on_conflict_do_update(
            index_elements=key, set_={name: postgres.excluded[name] for name in columns}
        ),
    }
