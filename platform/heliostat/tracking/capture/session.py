"""The capture of one run, from its beginning to its end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from heliostat.tracking.capture import machine, packages, source, taps
from heliostat.tracking.capture.background import once
from heliostat.tracking.capture.git import Version, version
from heliostat.tracking.recording import RunRecording

logger = logging.getLogger("heliostat")

PATIENCE = 2.0
"""Seconds that a run's end waits for facts that other programs still owe."""


class CaptureSession:
    """What is recorded of a run without being asked; none of it can fail the run.

    Args:
        parts: Names from :data:`~heliostat.tracking.capture.parts.PARTS`.
        command: The command that is tracked, if it is another one than this process's own.
    """

    def __init__(self, parts: frozenset[str], *, command: list[str] | None = None) -> None:
        self.parts = parts
        self._command = command
        self._process = os.getpid()
        self._owed: list[_Owed] = []
        self._imported: dict[str, str] = {}
        self._is_listening = False

    def begin(self, run: RunRecording) -> None:
        """Record what is known at once, and ask for the rest."""
        for step in self._steps(run):
            _forgiven(step)

    def finish(self, run: RunRecording) -> None:
        """Record what is known only now; wait a little for what is still owed."""
        if not self.parts or self._process != os.getpid():
            return
        if self._is_listening:
            self._is_listening = False
            _forgiven(lambda: taps.settle(run))
        _forgiven(lambda: self._record_last(run))
        owed, self._owed = self._owed, []
        wait([item.answer for item in owed], timeout=PATIENCE)
        for item in owed:
            if item.answer.done():
                item.deliver()

    def _steps(self, run: RunRecording) -> Iterator[Callable[[], None]]:
        yield lambda: self._record_facts(run)
        if "source" in self.parts:
            yield lambda: self._record_source(run)
        if "packages" in self.parts:
            yield lambda: self._record_packages(run)
        if "git" in self.parts:
            is_fixed = self._command is None and source.main_file() is not None  # a notebook's code changes
            asked = once("git", self._version, anew=not is_fixed)
            yield lambda: self._owe(asked, lambda found: _record_version(run, found))
        if "gpus" in self.parts:
            yield lambda: self._owe(once("gpus", machine.gpus), lambda found: _record_gpus(run, found))
        if "output" in self.parts and self._command is None:
            yield lambda: self._listen(run)

    def _record_facts(self, run: RunRecording) -> None:
        facts: dict[str, Any] = {}
        if "command" in self.parts:
            own = self._command is None
            facts |= machine.command() if own else machine.command_facts(self._command or [])
        if "host" in self.parts:
            facts |= machine.host()
        if "packages" in self.parts and self._command is None:
            facts["python"] = sys.version.partition(" ")[0]
            self._imported = packages.imported()
            facts["packages"] = self._imported
        if facts:
            run.record_facts(facts)

    def _record_source(self, run: RunRecording) -> None:
        text = source.source_text(self._script())
        if text is not None:
            run.log_source_code(content=text)

    def _record_packages(self, run: RunRecording) -> None:
        if self._command is None:
            run.set_logs({"packages": packages.installed_text()})

    def _record_last(self, run: RunRecording) -> None:
        facts: dict[str, Any] = {}
        if "memory" in self.parts:
            facts["peak_memory_mb"] = machine.peak_memory_mb(of_children=self._command is not None)
        if "packages" in self.parts and self._command is None:
            imported = packages.imported()
            if imported != self._imported:
                facts["packages"] = imported
        if facts:
            run.record_facts(facts)

    def _script(self) -> Path | None:
        return source.main_file() if self._command is None else source.script_of(self._command)

    def _version(self) -> Version | None:
        script = self._script()
        return version([*([script.parent] if script else []), Path.cwd()])

    def _listen(self, run: RunRecording) -> None:
        taps.listen(run)
        self._is_listening = True

    def _owe(self, answer: Future[Any], record: Callable[[Any], None]) -> None:
        owed = _Owed(answer, record)
        self._owed.append(owed)
        answer.add_done_callback(lambda _: owed.deliver())


class _Owed:
    """An answer that is recorded once, by whoever comes first: the one who asked, or the run's end."""

    def __init__(self, answer: Future[Any], record: Callable[[Any], None]) -> None:
        self.answer = answer
        self._record: Callable[[Any], None] | None = record
        self._lock = threading.Lock()

    def deliver(self) -> None:
        """Record the answer, unless that has been done; wait if it is being done."""
        with self._lock:
            record, self._record = self._record, None
            if record is not None:
                _forgiven(lambda: record(self.answer.result()))


def _record_version(run: RunRecording, found: Version | None) -> None:
    if found is None:
        return
    facts: dict[str, Any] = {"git.commit": found.commit, "git.branch": found.branch}
    if found.is_dirty is not None:
        facts["git.dirty"] = found.is_dirty
    run.record_facts(facts)
    run.log_source_code(hash=found.commit)
    if found.diff:
        run.set_logs({"diff": found.diff})


def _record_gpus(run: RunRecording, found: list[str] | None) -> None:
    if found:
        run.record_facts({"gpus": found})


def _forgiven(step: Callable[[], None]) -> None:
    """Do it; if it fails, the run goes on without it."""
    try:
        step()
    except Exception as error:
        logger.warning("a part of a run could not be captured: %s", error)
