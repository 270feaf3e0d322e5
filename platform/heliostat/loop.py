"""The user's handle on an experiment: ``for run in experiment.loop():``, ``ask`` and ``tell``, ``sweep``."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
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
from heliostat.tracking import current, given
from heliostat.tracking.params import RunParams
from heliostat.tracking.projects import log_of, present_project
from heliostat.tracking.recording import RunRecording
from heliostat.trial import Proposal, Run, State
from heliostat.writes import ChangeExperiment, CreateExperiment, Reply, Write

if TYPE_CHECKING:
    from heliostat.sweep import SweepResult

logger = logging.getLogger("heliostat")


class RunHandle(RunRecording):
    """An open run of an experiment in the user's hands; as a context manager it ends the run.

    ``with run:`` makes it the current run and swallows the exceptions of user code (they are recorded as
    failures, with traceback) unless the loop was asked to stop on errors; Ctrl-C ends the run as cancelled
    and goes on upwards. What the experiment assigned stays; further parameters may be set.
    """

    def __init__(self, engine: Engine, run: Run, *, stop_on_error: bool = False) -> None:
        self._engine = engine
        self._stop_on_error = stop_on_error
        self._step = 0
        self._epoch, self._attempt = engine.epoch, run.attempt
        self.id = run.id
        self.number = run.number
        self.params = RunParams(run.assignments, fixed=run.assignments, record=self._set_parameters)
        self.task = run.task
        self.why = run.why

    def __getitem__(self, name: str) -> Value:
        value: Value = self.params[name]
        return value

    @property
    def state(self) -> State:
        """Where the run is in its life."""
        return self._engine.state(self.id)

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.state.is_open

    def flush(self) -> None:
        """Wait until all that was recorded is durable; raises the first error of the log."""
        self._engine.flush()

    def log_metadata(self, key: str, value: Any) -> None:
        """Record a fact for people: numbers as they are, all else as text; ``None`` removes it."""
        self._engine.update(self.id, metadata=given.facts({key: value}, "metadata"))

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
        current.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        current.leave(self)
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

    def _write(self, write: Write) -> Future[Reply]:
        future = self._engine.log.submit(write)
        future.add_done_callback(self._note_error)
        return future

    def _note_error(self, future: Future[Reply]) -> None:
        error = future.exception()
        if isinstance(error, Exception) and self._engine.write_error is None:
            self._engine.write_error = error

    def _report(self, values: Mapping[str, Any], step: int | None = None) -> None:
        self._engine.observe(self.id, values, step=step)

    def _next_step(self, step: int | None) -> int:
        self._step = self._step + 1 if step is None else step
        return self._step

    def _set_parameters(self, changes: Mapping[str, Any]) -> None:
        self._update(assignments=changes)


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

    def loop(
        self, budget: int | None = None, *, name: str | None = None, stop_on_error: bool = False
    ) -> Iterator[RunHandle]:
        """Runs to execute, one after the other, until the budget is spent or the space is exhausted.

        A run that is still open when the loop comes back is ended by what it has reported; one that is open
        when the loop is left is cancelled.

        Args:
            budget: At most so many runs in this loop; by default what the experiment's budget leaves.
            name: Of the runs, for people.
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
            if name is not None:
                handle.set_name(name)
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

    def create_run(self, name: str | None = None, metadata: Mapping[str, Any] | None = None) -> RunHandle:
        """:meth:`ask`, under the name that the sigopt module gave it."""
        run = self.ask()
        if name is not None:
            run.set_name(name)
        for key, value in (metadata or {}).items():
            run.log_metadata(key, value)
        return run

    def is_finished(self) -> bool:
        """Whether the budget is spent."""
        record = self.log.experiment(self.id)
        used = sum(count for state, count in record.counts.items() if State(state).uses_budget)
        return record.spec.budget is not None and used >= record.spec.budget

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

    get_runs, get_best_runs = runs, best_runs
    """The names that the sigopt module gave them."""

    def archive(self, is_archived: bool = True) -> None:
        """Hide it from lists, or show it again."""
        self.log.apply(ChangeExperiment(self.id, time=time.time(), archived=is_archived))

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


def create_experiment(
    *, name: str, parameters: Iterable[Any], metrics: Iterable[Any], project: str | None = None, **fields: Any
) -> Experiment:
    """An experiment as the sigopt module declares one, in the present project and this folder's log.

    Args:
        name: For people.
        parameters: Their wire forms.
        metrics: Their wire forms.
        project: By default what ``set_project`` said, ``$HELIOSTAT_PROJECT``, or the folder's name.
        fields: Of :class:`Experiment`; ``budget``, ``parallel_bandwidth``, ``type``, … and ``log``.
    """
    log = log_of(fields.pop("log", None))
    folder = present_project(project)
    return Experiment(name, parameters=parameters, metrics=metrics, project=folder, log=log, **fields)


def get_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> Experiment:
    """An experiment that is in the log already."""
    return Experiment.open(int(id), log_of(log))


def archive_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Hide an experiment from lists."""
    get_experiment(id, log=log).archive()


def unarchive_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Show an experiment in lists again."""
    get_experiment(id, log=log).archive(False)
