"""Watching an experiment for its convergence."""

from __future__ import annotations

from heliostat.convergence import Convergence, converged
from heliostat.engine.engine import Engine
from heliostat.trial import Run


class ConvergenceWatch:
    """Judges an experiment anew whenever one of its runs has ended, and closes it while it has converged.

    A closed experiment proposes nothing new; what runs goes on to its end, lost runs and the user's own
    points are still tried, and a gain among them opens it again.

    Args:
        engine: The experiment's steering.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verdict = converged(engine.spec, engine.history)
        engine.is_closed = self._verdict.is_converged
        engine.subscribe(self._note)

    @property
    def verdict(self) -> Convergence:
        """The present one."""
        return self._verdict

    def _note(self, run: Run) -> None:
        if not run.state.is_open:
            self._verdict = converged(self._engine.spec, self._engine.history)
            self._engine.is_closed = self._verdict.is_converged
