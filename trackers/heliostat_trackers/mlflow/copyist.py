"""Copies one run into MLflow: finds or makes its counterpart there, and writes what differs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from heliostat.ports import Event, RunLog
from heliostat.trial import Run
from heliostat_trackers.mlflow import papers, wording
from heliostat_trackers.mlflow.difference import (
    ARCHIVED,
    FILES,
    PAPERS,
    SUPERSEDED,
    UNKEPT,
    Seen,
    difference,
    must_replace,
)
from heliostat_trackers.mlflow.faults import ServerAway, ServerRefused
from heliostat_trackers.mlflow.picture import OWN, SEQ, Picture, picture, run_key
from heliostat_trackers.mlflow.server import OTHERS_AT_ONCE, Server, Shelf
from heliostat_trackers.mlflow.shelves import Shelves, long_declaration

logger = logging.getLogger("heliostat")

DOUBT_SECONDS = 5.0
"""A request whose answer did not come may still be carried out this much later."""

MANY = 20
"""Unknown runs from which on reading a whole experiment is quicker than asking for each."""

_FAILED_UPLOADS, _UPLOAD_PAUSE = 3, 600.0


class Copyist:
    """Copies runs of a log.

    Args:
        log: Where they are.
        server: Where they go.
        shelves: Where they stand there.
        born_before: Runs created after this event cannot have been mirrored by an earlier mirror.
    """

    def __init__(self, log: RunLog, server: Server, shelves: Shelves, *, born_before: int) -> None:
        self._log = log
        self._server = server
        self._shelves = shelves
        self._born_before = born_before
        self._newborn: set[int] = set()
        self._open: dict[int, Seen] = {}
        self._ids: dict[int, str] = {}
        self._unsure: set[int] = set()
        self._doubts: dict[int, float] = {}
        self._index: dict[str, dict[str, list[Seen]]] = {}
        self._is_indexing = False
        self._failed_uploads = 0
        self._uploads_again = 0.0

    def expect(self, events: Iterable[Event]) -> None:
        """Hear what happened to the runs that are copied next."""
        runs = set()
        for event in events:
            if event.run is not None:
                runs.add(event.run)
                if event.kind == "CreateRun" and event.seq > self._born_before:
                    self._newborn.add(event.run)
        self._index.clear()
        unknown = runs - self._newborn - self._open.keys() - self._ids.keys()
        self._is_indexing = len(unknown) > MANY

    def copy(self, id: int, seq: int, *, project: str | None) -> bool:
        """Bring a run's counterpart up to date; ``False`` if it is not to be mirrored.

        Args:
            id: The run.
            seq: The last event about it that is known.
            project: The only project that is mirrored, if there is one.

        Raises:
            ServerAway: Perhaps only a part was done; say :meth:`doubt`, and copy again.
            ServerRefused: The server does not take it.
        """
        run = self._log.run(id)
        if project not in (None, run.project):
            return False
        shelf = self._shelves.shelf_of(run)
        if shelf.is_deleted:
            return False
        seen = self._found(run, shelf)
        wanted = picture(run, identity=self._log.identity, known=seen.names if seen else {})
        if seen is not None and seen.is_deleted:
            if wanted.is_archived or not seen.is_ours_to_restore:
                return False
            self._server.restore(seen, ARCHIVED)
        if seen is not None and must_replace(wanted, seen):
            self._server.delete(seen, SUPERSEDED)
            seen, wanted = None, picture(run, identity=self._log.identity, known={})
        if seen is None:
            seen = self._created(run.id, shelf, wanted)
        self._bring_up(run, wanted, seen, seq)
        self._remember(run, seen)
        return True

    def doubt(self, run: int) -> None:
        """Forget what is there of a run: a request about it was perhaps carried out, perhaps not."""
        self._open.pop(run, None)
        self._ids.pop(run, None)
        self._index.clear()
        self._unsure.add(run)

    def settle_doubts(self, *, waits: bool) -> None:
        """Delete runs that came into being twice, because a creation was carried out after it was given up.

        Args:
            waits: Wait until all can be settled; else those that can be are.
        """
        for id, since in list(self._doubts.items()):
            left = since + DOUBT_SECONDS - time.monotonic()
            if left > 0 and not waits:
                continue
            time.sleep(max(0.0, left))
            run = self._log.run(id)
            shelf = self._shelves.shelf_of(run)
            if not shelf.is_deleted:
                present = self._open[id].id if id in self._open else self._ids.get(id, "")
                self._only_one(self._server.runs_of(shelf, self._key(run)), present)
            del self._doubts[id]

    def _created(self, id: int, shelf: Shelf, wanted: Picture) -> Seen:
        was_in_doubt = id in self._doubts
        self._doubts[id] = time.monotonic()
        has_answer = False
        try:
            seen = self._server.create_run(shelf, wanted, _first_tags(wanted))
            has_answer = True
        except ServerRefused:
            has_answer = True
            raise
        finally:
            if has_answer and not was_in_doubt:  # else an earlier creation may still be carried out
                del self._doubts[id]
        return seen

    def _key(self, run: Run) -> str:
        return run_key(self._log.identity, run.id)

    def _found(self, run: Run, shelf: Shelf) -> Seen | None:
        if run.id in self._open:
            return self._open[run.id]
        if run.id in self._ids:
            return self._server.run(self._ids[run.id])
        if run.id not in self._unsure and (run.id in self._newborn or shelf.is_new):
            return None
        if not self._is_indexing:
            return self._only_one(self._server.runs_of(shelf, self._key(run)), "")
        if shelf.id not in self._index:
            index: dict[str, list[Seen]] = {}
            for seen in self._server.runs_of(shelf):
                index.setdefault(seen.tags.get("heliostat.run", ""), []).append(seen)
            self._index[shelf.id] = index
        return self._only_one(self._index[shelf.id].pop(self._key(run), []), "")

    def _only_one(self, found: Iterable[Seen], present: str) -> Seen | None:
        """Of several counterparts of one run, the one to keep; the others are deleted."""
        several = list(found)
        for seen in several:
            if SUPERSEDED in seen.tags:
                self._server.delete(seen, SUPERSEDED)
        rest = [seen for seen in several if SUPERSEDED not in seen.tags]
        rest.sort(key=lambda seen: (seen.id != present, SEQ not in seen.tags, seen.id))
        for seen in rest[1:]:
            if not seen.is_deleted:
                self._server.delete(seen, SUPERSEDED)
        return rest[0] if rest else None

    def _bring_up(self, run: Run, wanted: Picture, seen: Seen, seq: int) -> None:
        extra = self._uploaded(run, wanted, seen)
        if seen.count(SEQ) < seq:
            extra[SEQ] = str(seq)
        change = difference(wanted, seen, extra)
        self._server.write(seen, change)
        self._server.settle(seen, change)
        if wanted.is_archived:
            self._server.delete(seen, ARCHIVED)

    def _remember(self, run: Run, seen: Seen) -> None:
        self._open.pop(run.id, None)
        self._newborn.discard(run.id)
        self._unsure.discard(run.id)
        if run.state.is_open and not seen.is_deleted:
            self._open[run.id] = seen
        else:
            self._ids[run.id] = seen.id
            self._server.forget(seen)

    def _uploaded(self, run: Run, wanted: Picture, seen: Seen) -> dict[str, str]:
        """Store what lies beside the run as files; the tags that say what has been stored."""
        tags: dict[str, str] = {}
        if time.monotonic() < self._uploads_again:
            return {UNKEPT: seen.tags.get(UNKEPT) or "uploads are paused after several failures"}
        try:
            for tag, value, files in self._missing(run, wanted, seen):
                self._server.upload(seen, files)
                tags[tag] = value
        except Exception as error:  # an artifact store is any program: its failure must not hide the run
            if not self._server.is_up():
                raise ServerAway(f"the MLflow server could not store files ({error})") from error
            self._note_failed_upload(error)
            tags[UNKEPT] = wording.cut(wording.text(f"{type(error).__name__}: {error}"), 500, "cut")
        else:
            self._failed_uploads = 0
        return tags

    def _missing(self, run: Run, wanted: Picture, seen: Seen) -> Iterable[tuple[str, str, dict[str, bytes]]]:
        if not run.state.is_open:
            script = wanted.tags.get("mlflow.source.name", "")
            told = "" if run.experiment is None else long_declaration(self._shelves.record(run.experiment))
            found = papers.papers(run, self._log.texts(run.id), script=script, declaration=told)
            digest = papers.digest(found)
            if seen.tags.get(PAPERS) != digest:
                yield PAPERS, digest, found
        records = self._log.files(run.id)
        last = seen.count(FILES)
        for id, place in papers.file_places(records).items():
            if id > last:
                yield FILES, str(id), {place: self._log.file(id)[1]}

    def _note_failed_upload(self, error: Exception) -> None:
        self._failed_uploads += 1
        if self._failed_uploads == 1:
            logger.warning("files could not be stored beside runs in MLflow: %s", error)
        if self._failed_uploads >= _FAILED_UPLOADS:
            self._failed_uploads = 0
            self._uploads_again = time.monotonic() + _UPLOAD_PAUSE


def _first_tags(wanted: Picture) -> dict[str, str]:
    """The tags of a run at its creation: all if there are few, so that it is complete at once."""
    if len(wanted.tags) <= OTHERS_AT_ONCE:
        return dict(wanted.tags)
    return {key: value for key, value in wanted.tags.items() if key.startswith((OWN, "mlflow."))}
