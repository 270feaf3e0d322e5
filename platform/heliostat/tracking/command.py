"""A program of any kind, tracked: its output on the way to the terminal, its signals, its exit code."""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat.registry import LOG_VARIABLE, PROJECT_VARIABLE
from heliostat.tracking.capture.output import shipper
from heliostat.tracking.global_run import VARIABLE, address
from heliostat.tracking.run_context import RunContext
from heliostat.trial import State

NOT_FOUND = 127
NOT_EXECUTABLE = 126
BY_SIGNAL = 128
"""Exit codes as shells have them."""

TAIL = 4000
"""Characters of stderr's end that tell why a program failed."""

_AFTERWARDS = 2.0  # seconds that a silent grandchild may hold the pipes after the program's end
_CHUNK = 2**16


def run_command(
    words: Sequence[str], run: RunContext, *, ships_output: bool, more: Mapping[str, str] | None = None
) -> int:
    """Run a program as this run, and end the run as it ends.

    Args:
        words: Program and arguments.
        run: An open run.
        ships_output: Whether what it prints goes into the run's texts as well.
        more: Further environment variables for it.

    Returns:
        Its exit code; 128 + signal if a signal ended it, 127 if there is no such program.
    """
    environment = {**os.environ, **_environment(run), **(more or {})}
    with _signals() as received:
        try:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        except OSError as error:
            run.finish(ends.raised({}, "not_started", f"{words[0]}: {error.strerror}"))
            print(f"heliostat: {words[0]}: {error.strerror}", file=sys.stderr)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        received.forward_to(process)
        tail = _streamed(process, run if ships_output else None)
        run.finish(_outcome(process.returncode, received.last, tail))
    return process.returncode if process.returncode >= 0 else BY_SIGNAL - process.returncode


def _environment(run: RunContext) -> dict[str, str]:
    """What lets child processes log into the run, and Python ones print without delay."""
    return {
        VARIABLE: address(run),
        LOG_VARIABLE: run.url,
        PROJECT_VARIABLE: run.project,
        "PYTHONUNBUFFERED": os.environ.get("PYTHONUNBUFFERED", "1"),
    }


def _streamed(process: subprocess.Popen[bytes], run: RunContext | None) -> str:
    """Pass the program's output through until it has ended; the end of what it wrote to stderr."""
    last: deque[str] = deque(maxlen=64)
    pumps = []
    for name, source in (("stdout", process.stdout), ("stderr", process.stderr)):
        if source is not None:
            hear = _heard(run, name, last if name == "stderr" else None)
            pump = _Pump(source, getattr(sys, name).buffer, hear)
            pump.start()
            pumps.append(pump)
    _wait_for(process)
    for pump in pumps:
        while pump.is_alive() and pump.has_moved():
            pump.join(_AFTERWARDS)
    if run is not None:
        shipper().settle(run)
    return "".join(last)[-TAIL:]


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    # Never for long at once: a signal that comes just before a blocking call would be handled only after it.
    while process.returncode is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _heard(run: RunContext | None, stream: str, last: deque[str] | None) -> Callable[[str], None]:
    def hear(text: str) -> None:
        if last is not None:
            last.append(text[-TAIL:])
        if run is not None and text:
            shipper().put(run, stream, text)

    return hear


class _Pump(threading.Thread):
    """Carries bytes from a pipe to a stream as they come, and their text to a listener."""

    def __init__(self, source: Any, sink: BinaryIO, hear: Callable[[str], None]) -> None:
        super().__init__(name="heliostat-pump", daemon=True)
        self._source = source
        self._sink = sink
        self._hear = hear
        self._carried = 0
        self._seen = -1

    def has_moved(self) -> bool:
        """Whether anything came since the last time this was asked."""
        seen, self._seen = self._seen, self._carried
        return seen != self._carried

    def run(self) -> None:
        """Carry until the pipe's end, or until nobody reads any more: then the program shall notice."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := os.read(self._source.fileno(), _CHUNK):
            self._carried += len(chunk)
            self._hear(decoder.decode(chunk))
            try:
                self._sink.write(chunk)
                self._sink.flush()
            except (OSError, ValueError):
                break
        self._hear(decoder.decode(b"", final=True))
        self._source.close()


class _Received:
    """Signals that came to this process, on their way to the program."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def take(self, number: int, _frame: Any) -> None:
        """Pass a signal on, unless the terminal has sent it to the program as well."""
        is_second = self.last == number
        self.last = number
        if self._process is not None and (is_second or not (number == signal.SIGINT and _has_terminal())):
            self._process.send_signal(number)

    def forward_to(self, process: subprocess.Popen[bytes]) -> None:
        """Pass signals on to this program, also the one that came before it was there."""
        self._process = process
        if self.last is not None:
            process.send_signal(self.last)


@contextmanager
def _signals() -> Iterator[_Received]:
    received = _Received()
    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, received.take)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether this process is in its terminal's foreground: Ctrl-C there reaches the program by itself."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _outcome(code: int, received: int | None, tail: str) -> Outcome:
    if received is not None:
        return ends.cancelled({}, _name_of(received))
    if code == 0:
        return Outcome(State.COMPLETED, "exit code 0")
    what = f"exit code {code}" if code > 0 else f"killed by {_name_of(-code)}"
    lines = [line for line in tail.splitlines() if line.strip()]
    message = f"{what}: {lines[-1].strip()}" if lines else what
    return ends.raised({}, "exit_code", message, tail)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"
