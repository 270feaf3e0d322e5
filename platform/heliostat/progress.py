"""A sweep's progress in one line of a terminal, rewritten in place; plain lines where there is none."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from heliostat.analysis import leaders
from heliostat.engine import Engine
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State

EVERY = 10
"""Ended runs between two lines where the output is no terminal."""


class ProgressLine:
    """Follows an engine and writes ``trial 34/60  best accuracy 0.9862 (trial 28)  feasible 21/34 …``.

    Args:
        engine: The experiment to follow.
        stream: Where to write; standard error by default, so that results can be piped.
        clock: Seconds, for the estimate of the time left.
    """

    def __init__(
        self, engine: Engine, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = clock()
        self._ended_before = _ended(engine)
        self._shown = ""
        self._last = self._ended_before
        self._lock = threading.Lock()
        engine.subscribe(self._update)

    def close(self) -> None:
        """End the line."""
        if self._shown and self._stream.isatty():
            self._stream.write("\n")
            self._stream.flush()

    def _update(self, run: Run) -> None:
        with self._lock:
            ended = _ended(self._engine)
            if self._stream.isatty():
                self._rewrite(self._text(ended))
            elif ended != self._last and ended % EVERY == 0:
                self._stream.write(self._text(ended) + "\n")
                self._stream.flush()
            self._last = ended

    def _rewrite(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        line = text[:width]
        self._stream.write("\r" + line.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = line

    def _text(self, ended: int) -> str:
        runs, budget = self._engine.history.runs, self._engine.spec.budget
        parts = [f"trial {ended}/{budget}" if budget else f"trial {ended}", headline(self._engine.spec, runs)]
        parts += [f"running {sum(run.state.is_open and run.started is not None for run in runs)}"]
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


def headline(spec: ExperimentSpec, runs: tuple[Run, ...]) -> str:
    """The best so far and how many are feasible, in a few words."""
    completed = [run for run in runs if run.state is State.COMPLETED]
    if not completed:
        return ""
    feasible = sum(spec.metrics.is_feasible(run.numbers) for run in completed)
    share = f"feasible {feasible}/{len(completed)}" if spec.metrics.guardrails else ""
    front = leaders(spec, runs)
    if not front or not spec.metrics.objectives:
        return share
    metric = spec.metrics.objectives[0]
    best = max(front, key=lambda run: metric.sign * run.numbers[metric.name])
    text = f"best {metric.name} {best.numbers[metric.name]:.4g} (trial {best.number})"
    front_size = f"front {len(front)}" if len(spec.metrics.objectives) > 1 else ""
    return "  ".join(part for part in (text, front_size, share) if part)


def _ended(engine: Engine) -> int:
    return sum(not run.state.is_open and run.state.uses_budget for run in engine.history.runs)
