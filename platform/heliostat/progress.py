"""A sweep's progress in one line of a terminal, rewritten in place; plain lines where there is none."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TextIO

from heliostat.analysis import leaders
from heliostat.engine import Engine
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State

EVERY = 10
"""Ended runs between two lines where the output is no terminal."""

PAUSE = 0.2
"""Seconds between two updates of a terminal's line."""


class ProgressLine:
    """Follows an engine and writes ``trial 34/60  best accuracy 0.9862 (trial 28)  feasible 21/34 …``.

    Args:
        engine: The experiment to follow.
        stream: Where to write; standard error by default, so that results can be piped.
        clock: Seconds, for the estimate of the time left and the pauses between updates.
    """

    def __init__(
        self, engine: Engine, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = clock()
        self._standing = _Standing(engine.spec, engine.history.runs)
        self._ended_before = self._last = self._standing.ended
        self._shown, self._next = "", self._began
        self._lock = threading.Lock()
        engine.subscribe(self._update)

    def close(self) -> None:
        """Write where the sweep has come to, and end the line."""
        if self._shown and self._stream.isatty():
            self._rewrite(self._text())
            self._stream.write("\n")
            self._stream.flush()

    def _update(self, run: Run) -> None:
        with self._lock:
            standing = self._standing
            if standing.note(run) is False or standing.spec is not self._engine.spec:
                standing = self._standing = _Standing(self._engine.spec, self._engine.history.runs)
            if self._stream.isatty():
                if self._clock() >= self._next:
                    self._next = self._clock() + PAUSE
                    self._rewrite(self._text())
            elif standing.ended != self._last and standing.ended % EVERY == 0:
                self._stream.write(self._text() + "\n")
                self._stream.flush()
            self._last = standing.ended

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        line = text[:width]
        self._stream.write("\r" + line.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = line

    def _text(self) -> str:
        standing, budget = self._standing, self._engine.spec.budget
        ended = standing.ended
        parts = [f"trial {ended}/{budget}" if budget else f"trial {ended}", standing.headline()]
        parts += [f"running {len(standing.running)}"]
        left = self._seconds_left(ended)
        parts += (
            [f"{left / 60:.0f} m left" if left > 90 else f"{left:.0f} s left"] if left is not None else []
        )
        return "  ".join(part for part in parts if part)

    def _seconds_left(self, ended: int) -> float | None:
        done, budget = ended - self._ended_before, self._engine.spec.budget
        if not budget or done < 3:
            return None
        return (self._clock() - self._began) / done * (budget - ended)


class _Standing:
    """What the line says of the runs, kept up with each: the whole history is looked through once.

    Args:
        spec: The declaration.
        runs: Those so far.
    """

    def __init__(self, spec: ExperimentSpec, runs: Iterable[Run]) -> None:
        self.spec = spec
        self.running: set[int] = set()
        self.ended = self.completed = self.feasible = 0
        self._seen: set[int] = set()
        self._leaders: list[Run] = []
        completed = [run for run in runs if not self._count(run)]
        self._leaders = leaders(spec, completed)

    def note(self, run: Run) -> bool:
        """Take up a run's new value; ``False`` if it had ended before, so that all has to be seen anew."""
        if run.id in self._seen:
            return False
        if self._count(run) or not self.spec.metrics.objectives:
            return True
        # A run that ends can only join the front or push others off it.
        self._leaders = leaders(self.spec, [*self._leaders, run])
        return True

    def headline(self) -> str:
        """The best so far and how many are feasible, in a few words."""
        if not self.completed:
            return ""
        share = f"feasible {self.feasible}/{self.completed}" if self.spec.metrics.guardrails else ""
        if not self._leaders or not self.spec.metrics.objectives:
            return share
        metric = self.spec.metrics.objectives[0]
        best = max(self._leaders, key=lambda run: metric.sign * run.numbers[metric.name])
        text = f"best {metric.name} {best.numbers[metric.name]:.4g} (trial {best.number})"
        front = f"front {len(self._leaders)}" if len(self.spec.metrics.objectives) > 1 else ""
        return "  ".join(part for part in (text, front, share) if part)

    def _count(self, run: Run) -> bool:
        """Count a run; whether it cannot be among the best."""
        if run.state.is_open:
            (self.running.add if run.started is not None else self.running.discard)(run.id)
            return True
        self.running.discard(run.id)
        self._seen.add(run.id)
        self.ended += run.state.uses_budget
        if run.state is not State.COMPLETED:
            return True
        self.completed += 1
        self.feasible += self.spec.metrics.is_feasible(run.numbers)
        return False
