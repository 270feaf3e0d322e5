"""The user's handle on an experiment: ``for run in experiment.loop():``, ``ask`` and ``tell``, ``sweep``."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from heliostat import outcome as ends
from heliostat.analysis import leaders
from heliostat.engine import Engine
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec, load_experiment, read_experiment
from heliostat.ports import RunLog
from heliostat.registry import check_supported, open_log
from heliostat.space import Value
from heliostat.trial import Proposal, Run, State
from heliostat.writes import CreateExperiment

if TYPE_CHECKING:
    from heliostat.sweep import SweepResult

logger = logging.getLogger("heliostat")


class RunHandle:
    """An open run in the user's hands; as a context manager it ends the run and records an exception.

    ``with run:`` swallows the exceptions of user code (they are recorded as failures, with traceback) unless
    the loop was asked to stop on errors; Ctrl-C ends the run as cancelled and goes on upwards.
    """

    def __init__(self, engine: Engine, run: Run, *, stop_on_error: bool = False) -> None:
        self._engine = engine
        self._stop_on_error = stop_on_error
        self._step = 0
        self.id = run.id
        self.number = run.number
        self.params = Params(run.assignments)
        self.task = run.task
        self.why = run.why

    def __getitem__(self, name: str) -> Value:
        return self.params[name]

    @property
    def state(self) -> State:
        """Where the run is in its life."""
        return self._engine.get(self.id).state

    def log_metric(self, name: str, value: Any, stddev: float | None = None) -> None:
        """Report a metric; the last value of each name counts."""
        self._engine.observe(self.id, {name: value if stddev is None else (value, stddev)})

    def log_metrics(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Report several metrics at once."""
        self._engine.observe(self.id, {**(values or {}), **more})

    def log_checkpoint(self, values: Mapping[str, Any], *, step: int | None = None) -> None:
        """Report a point of the training curve; steps count from 1 unless given."""
        self._step = self._step + 1 if step is None else step
        self._engine.observe(self.id, values, step=self._step)

    def log_failure(self, message: str = "reported by the user") -> None:
        """End the run as failed: the searcher learns to avoid the region."""
        reported = self._engine.reported(self.id)
        self._engine.finish(self.id, ends.raised(reported, "user_error", message), wait=True)

    def end(self) -> Run:
        """End the run by what it has reported; does nothing if it has ended."""
        if not self.state.is_open:
            return self._engine.get(self.id)
        judged = ends.judge(self._engine.spec.metrics, self._engine.reported(self.id))
        return self._engine.finish(self.id, judged, wait=True)

    def __enter__(self) -> RunHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self.end()
            return False
        reported = self._engine.reported(self.id)
        if not isinstance(error, Exception):
            self._engine.finish(self.id, ends.cancelled(reported, f"{type(error).__name__}"), wait=True)
            return False
        text = "".join(traceback.format_exception(kind, error, trace))
        message = f"{type(error).__name__}: {error}"
        if self.state.is_open:
            self._engine.finish(self.id, ends.raised(reported, "user_error", message, text), wait=True)
        logger.warning("run %d failed: %s", self.number, message)
        return not self._stop_on_error

    def __repr__(self) -> str:
        return f"<run {self.number} ({self.state}): {dict(self.params)}>"


class Params(dict[str, Value]):
    """A run's assignments, by key or by attribute."""

    def __getattr__(self, name: str) -> Value:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no parameter {name!r}; this run has {', '.join(self)}") from None


class Experiment:
    """A declared experiment in the run log, ready to be run.

    Args:
        name: For people.
        parameters: ``Double``, ``Int``, ``Categorical`` values or their wire forms.
        metrics: ``minimize``, ``maximize``, ``guardrail``, ``store`` values or their wire forms.
        log: A run log, or the path or URL of one; by default ``heliostat.db`` in this folder.
        fields: The other fields of :class:`~heliostat.experiment.ExperimentSpec` in their wire form
            (``conditionals``, ``linear_constraints``, ``budget``, ``searcher``, ``seed``, …).

    Raises:
        InvalidValue: A field breaks a rule.
        Unsupported: The searcher cannot do what the experiment needs.
    """

    def __init__(
        self,
        name: str,
        *,
        parameters: Iterable[Any],
        metrics: Iterable[Any],
        log: RunLog | str | Path | None = None,
        **fields: Any,
    ) -> None:
        spec = read_experiment({"name": name, "parameters": parameters, "metrics": metrics, **fields})
        self._bind(*_create(spec, log))

    @classmethod
    def create(cls, spec: ExperimentSpec | Mapping[str, Any], log: Any = None) -> Experiment:
        """Create an experiment from a declared value or its wire form."""
        experiment = cls.__new__(cls)
        experiment._bind(*_create(read_experiment(spec), log))
        return experiment

    @classmethod
    def from_file(cls, path: str | Path, log: Any = None) -> Experiment:
        """Create an experiment from a YAML or JSON file."""
        return cls.create(load_experiment(path), log)

    @classmethod
    def open(cls, id: int, log: Any = None) -> Experiment:
        """An experiment that is in the log already; going on with it takes it over from any other process."""
        experiment = cls.__new__(cls)
        opened = _opened(log)
        opened.experiment(int(id))
        experiment._bind(opened, int(id))
        return experiment

    def _bind(self, log: RunLog, id: int) -> None:
        self.log = log
        self.id = id

    @cached_property
    def engine(self) -> Engine:
        """The steering; made, and so taken over from any other process, at the first use."""
        return Engine(self.log, self.id)

    @property
    def spec(self) -> ExperimentSpec:
        """The declaration."""
        return self.log.experiment(self.id).spec

    @property
    def name(self) -> str:
        """The declared name."""
        return self.spec.name

    def loop(self, budget: int | None = None, *, stop_on_error: bool = False) -> Iterator[RunHandle]:
        """Runs to execute, one after the other, until the budget is spent or the space is exhausted.

        A run that is still open when the loop comes back is ended by what it has reported; one that is open
        when the loop is left is cancelled.

        Args:
            budget: At most so many runs in this loop; by default what the experiment's budget leaves.
            stop_on_error: Let exceptions out of ``with run:``.
        """
        if budget is None and self.spec.budget is None:
            rule = "a loop needs a budget"
            raise InvalidValue("budget", rule, remedy="Say loop(budget=30), or give the experiment one.")
        done = 0
        while budget is None or done < budget:
            run = self.engine.next_waiting() or next(iter(self.engine.suggest(1)), None)
            if run is None:
                return
            handle = RunHandle(self.engine, run, stop_on_error=stop_on_error)
            self.engine.start(handle.id)
            try:
                yield handle
                handle.end()
            finally:
                self._cancel_if_open(handle)
            done += 1

    def ask(self) -> RunHandle:
        """One open run; end it with :meth:`tell` or ``with run:``.

        Raises:
            InvalidValue: The budget is spent or the space is exhausted.
        """
        runs = self.engine.suggest(1)
        if not runs:
            rule = "the budget is spent, or every point of the space has been handed out"
            raise InvalidValue("ask", rule, given=self.spec.budget, remedy="Raise the budget.")
        self.engine.start(runs[0].id)
        return RunHandle(self.engine, runs[0])

    def tell(self, run: RunHandle, values: Mapping[str, Any] | None = None, *, failed: bool = False) -> Run:
        """Report and end a run: with its metric values, or as failed."""
        if values:
            run.log_metrics(values)
        if failed:
            run.log_failure()
        return run.end()

    def add(self, assignments: Mapping[str, Any], values: Mapping[str, Any], *, origin: str = "user") -> Run:
        """Record a run that was made elsewhere; searchers learn from it."""
        legal = self.spec.space.check(assignments, in_bounds=False)
        run = self.engine.admit([Proposal(legal, why="added by the user")], origin=origin)[0]
        self.engine.observe(run.id, values)
        judged = ends.judge(self.spec.metrics, self.engine.reported(run.id))
        return self.engine.finish(run.id, judged, wait=True)

    def runs(self) -> list[Run]:
        """All runs, by number, with their curves."""
        return self.log.runs(self.id, curves=True)

    def best_runs(self) -> list[Run]:
        """The best feasible run, or the Pareto front of several objectives; empty if nothing is feasible."""
        return leaders(self.spec, self.runs())

    def best(self) -> Run | None:
        """The best feasible run; with several objectives, the one that is best in the first."""
        found = self.best_runs()
        if not found:
            return None
        first = self.spec.metrics.objectives[0]
        return max(found, key=lambda run: first.sign * run.numbers[first.name])

    def sweep(self, trainable: Callable[..., Any] | type, **options: Any) -> SweepResult:
        """Run it on Ray Tune: :func:`heliostat.sweep` with this experiment."""
        from heliostat.sweep import sweep

        return sweep(trainable, self, **options)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report."""
        from heliostat.report import write

        return write(Path(path), self.spec, self.runs(), log_url=self.log.url)

    def _cancel_if_open(self, handle: RunHandle) -> None:
        if handle.state.is_open:
            left = ends.cancelled(self.engine.reported(handle.id), "the loop was left during the run")
            self.engine.finish(handle.id, left, wait=True)

    def __repr__(self) -> str:
        return f"<experiment {self.id} {self.name!r} in {self.log.url}>"


def _create(spec: ExperimentSpec, log: Any) -> tuple[RunLog, int]:
    check_supported(spec)
    opened = _opened(log)

    reply = opened.apply(CreateExperiment(spec.to_dict(), time=time.time()))
    return opened, int(reply.experiment or 0)


def _opened(log: RunLog | str | Path | None) -> RunLog:
    return open_log(log) if log is None or isinstance(log, (str, Path)) else log
