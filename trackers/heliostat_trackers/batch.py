"""Applying the writes that wait together.

Nearly every batch holds new and legal writes only, and nobody else has written since the batch before. So it
is first applied as if that were so: on what is remembered (:mod:`heliostat_trackers.memory`), without a
look-up of keys (they are unique in ``events``, a used one breaks the batch) and without savepoints. Where
that breaks a rule of the database the whole batch is undone and applied on what is read anew; where anything
else goes wrong, or that does not help, it is applied with care, one savepoint each, so that a refused write
undoes none of its neighbours.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from heliostat.errors import HeliostatError, InvalidValue
from heliostat.writes import Reply, Write
from heliostat_trackers.applied import apply, apply_new
from heliostat_trackers.faults import DATABASE_ERRORS, concerns_the_write
from heliostat_trackers.memory import Known, Memory
from heliostat_trackers.transactions import transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """A write on its way.

    Args:
        write: What to do.
        digest: Fingerprint of the write (:func:`heliostat_trackers.columns.digest_of`).
    """

    write: Write
    digest: str


def apply_batch(
    connection: Connection, items: Sequence[Item], now: float, memory: Memory
) -> list[Reply | Exception]:
    """A reply or a refusal for each write; all replies are durable when this returns.

    Args:
        connection: Not in a transaction; the ones that begin on it exclude other writers.
        items: In the order of their submission.
        now: The writer's time.
        memory: The writer's own, of this log.

    Raises:
        Exception: The disk, the file or the server failed; nothing was applied, or at least not answered.
    """
    known = memory.take()
    relied = known.last is not None
    try:
        return _together(connection, items, now, memory, known)
    except IntegrityError as error:
        logger.debug("a batch of %d is applied again: %s", len(items), error)
    except DATABASE_ERRORS as error:
        if not concerns_the_write(error):
            raise
        relied = False
        logger.debug("a batch of %d is applied with care: %s", len(items), error)
    except Exception as error:  # whatever it was, it comes again below, where it is told apart
        relied = False
        logger.debug("a batch of %d is applied with care: %s", len(items), error)
    if relied:
        memory.distrust()
        return apply_batch(connection, items, now, memory)
    with transaction(connection):
        return [_outcome(connection, item, now) for item in items]


def _together(
    connection: Connection, items: Sequence[Item], now: float, memory: Memory, known: Known
) -> list[Reply | Exception]:
    with transaction(connection):
        pairs = [(item.write, item.digest) for item in items]
        replies = apply_new(connection, pairs, now=now, known=known, is_all=True)
    memory.keep(known, len(items))
    return list(replies)


def _outcome(connection: Connection, item: Item, now: float) -> Reply | Exception:
    connection.exec_driver_sql("SAVEPOINT one")
    try:
        reply = apply(connection, item.write, digest=item.digest, now=now)
    except HeliostatError as error:
        refused: Exception = error
    except Exception as error:  # a malformed write or a defect: no neighbour shall suffer from it
        refused = error
        if concerns_the_write(error):
            rule = f"holds something that cannot be stored ({error})"
            refused = InvalidValue(type(item.write).__name__, rule, remedy="See its declared types.")
            refused.__cause__ = error
        elif isinstance(error, DATABASE_ERRORS):
            raise  # the disk or the server: it concerns the whole batch
    else:
        connection.exec_driver_sql("RELEASE SAVEPOINT one")
        return reply
    connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one")
    connection.exec_driver_sql("RELEASE SAVEPOINT one")
    return refused
