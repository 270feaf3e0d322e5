"""The user's handle on an experiment: ``for run in experiment.loop():``, ``ask`` and ``tell``, ``sweep``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat import outcome as ends
from heliostat import schema
from heliostat.analysis import budget_used, leaders
from heliostat.convergence import Convergence, converged
from heliostat.engine import Engine, check_sources, corrected, is_noisy, queued, recommended, revised
from heliostat.errors import InvalidValue, NotFound
from heliostat.experiment import ExperimentSpec, load_experiment, read_experiment
from heliostat.ports import RunLog, SuggestionRecord
from heliostat.registry import check_supported, open_log
from heliostat.tracking.experiment_run import RunHandle
from heliostat.trial import Proposal, Run, State
from heliostat.writes import ChangeExperiment, ChangeSuggestion, CreateExperiment, CreateSuggestion, UpdateRun

if TYPE_CHECKING:
    from heliostat.sweep import SweepResult

logger = logging.getLogger("heliostat")


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

    @classmethod
    def join(cls, id: int, log: Any = None) -> Experiment:
        """An experiment that another process runs, to :meth:`ask` and :meth:`tell` beside it.

        Together they keep to its budget and learn from each other's runs. :meth:`open` would take it over.
        """
        experiment = cls.open(id, log)
        experiment._is_guest = True
        return experiment

    def _bind(self, log: RunLog, id: int) -> None:
        self.log, self.id, self._is_guest = log, id, False

    @cached_property
    def engine(self) -> Engine:
        """The steering; made, and so taken over from any other process unless joined, at the first use."""
        return Engine(self.log, self.id, is_guest=self._is_guest)

    @property
    def spec(self) -> ExperimentSpec:
        """The declaration."""
        return self.log.experiment(self.id).spec

    @property
    def name(self) -> str:
        """The declared name."""
        return self.spec.name

    def loop(
        self,
        budget: int | None = None,
        *,
        name: str | None = None,
        stop_on_error: bool = False,
        stop_when_converged: bool = False,
    ) -> Iterator[RunHandle]:
        """Runs to execute, one after the other, until the budget is spent or the space is exhausted.

        A run that is still open when the loop comes back is ended by what it has reported. One that is open
        when the loop is left, by ``break`` or by an exception, is completed if every metric that counts was
        reported as a result (not only in checkpoints), else cancelled.

        Args:
            budget: At most so many runs in this loop; by default what the experiment's budget leaves.
            name: Of the runs, for people.
            stop_on_error: Let exceptions out of ``with run:``.
            stop_when_converged: End before the budget once :meth:`convergence` says so.
        """
        if budget is None and self.spec.budget is None:
            rule = "a loop needs a budget"
            raise InvalidValue("budget", rule, remedy="Say loop(budget=30), or give the experiment one.")
        done = 0
        while budget is None or done < budget:
            if stop_when_converged and self._has_converged():
                return
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

        In an experiment with a ``parallel_bandwidth`` above 1 it comes from proposals that are made ahead, so
        that it costs milliseconds; it may then have missed the last result (1 in 50 of many).

        Raises:
            InvalidValue: The budget is spent or the space is exhausted.
        """
        runs = self.engine.suggest(1, ahead=True)
        if not runs and self.engine.remaining == 0:
            raise InvalidValue(
                "ask", "the budget is spent", given=self.spec.budget, remedy="Raise the budget."
            )
        if not runs:
            raise InvalidValue(
                "ask", "every point of the space has been handed out", remedy="Widen the space."
            )
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
        if "engine" in vars(self):
            self.engine.refresh()
            return self.engine.remaining == 0
        spec = self.spec
        return spec.budget is not None and budget_used(spec, self.log.runs(self.id)) >= spec.budget

    def tell(self, run: RunHandle, values: Mapping[str, Any] | None = None, *, failed: bool = False) -> Run:
        """Report and end a run: with its metric values, or as failed.

        Raises:
            InvalidValue: `run` is none of :meth:`ask`, :meth:`create_run` or :meth:`loop`, or `values` is no
                mapping.
        """
        if not isinstance(run, RunHandle):
            remedy = "To correct an ended run, use update_run()."
            rule = "must be what ask(), create_run() or loop() gave"
            raise InvalidValue("run", rule, given=run, remedy=remedy)
        if values is not None:
            run.log_metrics(schema.mapping(values, "values"))
        if failed:
            run.log_failure()
        return run.end()

    def add(
        self,
        assignments: Mapping[str, Any],
        values: Mapping[str, Any],
        *,
        task: str | None = None,
        origin: str = "user",
    ) -> Run:
        """Record a run that was made elsewhere; searchers learn from it.

        Args:
            assignments: What it was given; numbers may lie outside the bounds.
            values: What it measured: numbers, or ``(value, stddev)`` pairs.
            task: What it ran on; by default the full task.
            origin: Who made it.
        """
        legal, measured = (
            self.spec.space.check(assignments, in_bounds=False),
            schema.mapping(values, "values"),
        )
        run = self.engine.admit([Proposal(legal, task, why="added by the user")], origin=origin)[0]
        self.engine.observe(run.id, measured)
        judged = ends.judge(self.spec.metrics, self.engine.reported(run.id))
        return self.engine.finish(run.id, judged, wait=True)

    def queue(self, assignments: Mapping[str, Any], *, task: str | None = None, why: str = "") -> int:
        """Have a point tried before the searcher is asked again, by whoever runs the experiment.

        Queued points wait in the log, oldest first; each is handed out once, and then counts in the budget.

        Args:
            assignments: Legal in the experiment's space.
            task: What to run it on; by default the full task.
            why: For people.

        Returns:
            Its id in the queue.
        """
        spec = self.spec
        legal, on = spec.space.check(assignments), spec.task(task)
        name = None if on is None else on.name
        write = CreateSuggestion(
            self.id, legal, time=time.time(), state="queued", task=name, origin="user", why=why
        )
        return int(self.log.apply(write).id or 0)

    def queued(self) -> list[SuggestionRecord]:
        """The points that wait in the queue, next one first."""
        return queued(self.log, self.id)

    def unqueue(self, id: int) -> None:
        """Take a point out of the queue.

        Raises:
            NotFound: It does not wait in this experiment's queue.
        """
        if id not in [record.id for record in self.queued()]:
            remedy = "List what waits with experiment.queued()."
            raise NotFound("no such point waits in the queue", given=id, remedy=remedy)
        self.log.apply(ChangeSuggestion(id, "deleted", time=time.time()))

    def update(self, **changes: Any) -> ExperimentSpec:
        """Change the declaration, also while it runs: everybody who runs it goes on with the new one.

        Metrics may change their strategy, objective and threshold, parameters their bounds, grid, categories,
        prior and default; those that are not named stay. So may ``name``, ``project``, ``budget``,
        ``parallel_bandwidth`` and ``metadata``. Runs that have ended keep their state and are judged by the
        new metrics.

        Raises:
            InvalidValue: A field cannot change, or the new declaration breaks a rule; nothing has changed.
            Unsupported: The searcher cannot do what the experiment now needs.
        """
        before = self.spec
        spec = revised(before, changes)
        check_supported(spec, before)
        self.log.apply(ChangeExperiment(self.id, spec.to_dict(), time=time.time()))
        return spec

    def update_run(
        self, run: Run | int, values: Mapping[str, Any] | None = None, *, failed: bool | None = None
    ) -> Run:
        """Set right what is known of a run that has ended; searchers learn from it anew.

        Args:
            run: The run, or its id in the log.
            values: Metric values, laid over its own.
            failed: Whether it failed; left out, its values decide.

        Raises:
            Conflict: The run has not ended.
        """
        known = self._own(run)
        self.log.apply(corrected(self.spec, known, values, failed))
        return self.log.run(known.id)

    def delete_run(self, run: Run | int) -> None:
        """Archive a run (``heliostat.unarchive_run`` undoes it): not learned from, free of the budget."""
        self.log.apply(UpdateRun(self._own(run).id, time=time.time(), archived=True))

    def runs(self) -> list[Run]:
        """All runs, by number, with their curves."""
        return self.log.runs(self.id, curves=True)

    def best_runs(self) -> list[Run]:
        """The best feasible run, or the Pareto front of several objectives; empty if nothing is feasible."""
        return leaders(self.spec, self.runs())

    def convergence(self) -> Convergence:
        """Whether more runs would still win anything, with the reason and its evidence."""
        return converged(self.spec, self.log.runs(self.id))

    get_runs, get_best_runs = runs, best_runs  # the sigopt module's names

    def archive(self, is_archived: bool = True) -> None:
        """Hide it from lists, or show it again."""
        self.log.apply(ChangeExperiment(self.id, time=time.time(), archived=is_archived))

    def best(self) -> Run | None:
        """The best feasible run; with several objectives, the one that is best in the first.

        ``None`` if nothing is feasible, or if there is nothing to optimize: see :meth:`best_runs` then.
        """
        found = self.best_runs()
        if not found or not self.spec.metrics.objectives:
            return None
        first = self.spec.metrics.objectives[0]
        return max(found, key=lambda run: first.sign * run.numbers[first.name])

    def recommended(self) -> Proposal | None:
        """The point to use in the end, with what is expected there; ``None`` if nothing is feasible yet.

        The searcher's belief where it has one: with noise, :meth:`best` is the luckiest run. Otherwise the
        best run's point.
        """
        return self.engine.recommend() if "engine" in vars(self) else recommended(self.log, self.id)

    def sweep(self, trainable: Callable[..., Any] | type, **options: Any) -> SweepResult:
        """Run it on Ray Tune: :func:`heliostat.sweep` with this experiment."""
        from heliostat.sweep import sweep

        return sweep(trainable, self, **options)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML report; deleted runs are left out."""
        from heliostat.report import write

        spec, runs = self.spec, [run for run in self.runs() if not run.archived]
        point = self.recommended() if is_noisy(spec, runs) else None
        return write(Path(path), spec, runs, log_url=self.log.url, recommended=point)

    def _has_converged(self) -> bool:
        if found := converged(self.engine.spec, self.engine.history):
            logger.info("the loop ends: %s", found.reason)
        return found.is_converged

    def _cancel_if_open(self, handle: RunHandle) -> None:
        if handle.state.is_open:
            left = ends.judge(self.spec.metrics, handle.results)
            if left.state is not State.COMPLETED:
                reported = self.engine.reported(handle.id)
                left = ends.cancelled(reported, "the loop was left during the run")
            self.engine.finish(handle.id, left, wait=True)

    def _own(self, run: Run | int) -> Run:
        known = self.log.run(run.id if isinstance(run, Run) else int(run))
        if known.experiment != self.id:
            rule, remedy = f"experiment {self.id} has no such run", "Take its id from experiment.runs()."
            raise NotFound(rule, given=known.id, remedy=remedy)
        return known

    def _repr_html_(self) -> str:
        from heliostat.notebook.experiments import experiment_html

        return experiment_html(self.spec, self.log.runs(self.id))

    def __repr__(self) -> str:
        return f"<experiment {self.id} {self.name!r} in {self.log.url}>"


def _create(spec: ExperimentSpec, log: Any) -> tuple[RunLog, int]:
    check_supported(spec)
    opened = _opened(log)
    check_sources(spec, opened)
    reply = opened.apply(CreateExperiment(spec.to_dict(), time=time.time()))
    return opened, int(reply.experiment or 0)


def _opened(log: RunLog | str | Path | None) -> RunLog:
    return open_log(log) if log is None or isinstance(log, (str, Path)) else log
