"""The search algorithm that Ray Tune asks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ray import cloudpickle
from ray.tune.search import Searcher

from heliostat import Experiment
from heliostat import outcome as ends
from heliostat.engine import Engine
from heliostat.errors import HeliostatError, InvalidValue, NotFound
from heliostat.isolation import isolated
from heliostat.metrics import Metric
from heliostat.space import Space
from heliostat.trial import Run
from heliostat.tune_controller import calling_controller
from heliostat.tune_results import metrics_of
from heliostat_searchers.tune.ahead import Ahead
from heliostat_searchers.tune.attachment import Attachment
from heliostat_searchers.tune.declaration import Declaration
from heliostat_searchers.tune.domains import Converted, has_domain

logger = logging.getLogger(__name__)

MEMORY = "heliostat-search.pkl"
"""File in Ray Tune's experiment folder that says which experiment of which log the search is."""


class HeliostatSearch(Searcher):  # type: ignore[misc]  # Ray has no types
    """Suggestions of a Heliostat experiment for ``tune.TuneConfig(search_alg=…)``.

    With an experiment, everything it declares holds: leave ``metric``, ``mode`` and ``param_space`` of Ray
    Tune empty and ``num_samples`` at -1, its budget ends the search. Without one, the search declares it from
    what the script says: its domains, ``metric`` and ``mode`` (of Ray Tune or of this object), and
    ``num_samples`` as the budget.

    Suggestions are computed in another process and recorded in the run log before they are handed out; while
    none is ready, ``suggest`` returns ``None`` at once. Every trial's end reaches the experiment once, with
    its reason, also those that Ray Tune tells no searcher of. After the loss of a driver ``Tuner.restore``
    goes on from the log; so does a new object for the same experiment.

    Args:
        experiment: The experiment, or its id in the log; ``None``: declare one.
        metric: Name, or list of names, of what is optimized.
        mode: ``min`` or ``max``, one for each metric; ``obs`` for one that is only kept.
        guardrails: Limits to keep, such as ``"latency_ms <= 20"``.
        space: Ray Tune's domains by name, nested at will; by default the tuner's ``param_space``.
        points_to_evaluate: Configurations to try first.
        evaluated_rewards: What the first of them have measured already: numbers, or metrics by name.
        budget: How many trials; by default ``num_samples``.
        log: Where to record; by default this folder's log.
        parallel: Most trials at once; by default the experiment's ``parallel_bandwidth``, else Ray Tune's
            own limit by resources.
        records: Whether trials are recorded here; ``heliostat.sweep`` brings its own callback.
        fields: Other fields of the declared experiment: ``seed``, ``searcher``, ``name``, ``project``, …

    Raises:
        InvalidValue: A part of the declaration has no meaning here; the error says what to write instead.
    """

    def __init__(
        self,
        experiment: Experiment | int | None = None,
        *,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        guardrails: Sequence[str | Metric] = (),
        space: Mapping[str, Any] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        budget: int | None = None,
        log: Any = None,
        parallel: int | None = None,
        records: bool = True,
        **fields: Any,
    ) -> None:
        super().__init__()
        given: dict[str, Any] = {
            "metric": metric, "mode": mode, "guardrails": guardrails, "budget": budget, "fields": fields,
            "points_to_evaluate": points_to_evaluate or (), "evaluated_rewards": evaluated_rewards or (),
        }  # fmt: skip
        self._declares = experiment is None
        if experiment is not None:
            _refuse_declared(given)
        self._declaration = Declaration(space=space, **given)
        self._log, self._parallel, self._records = log, parallel, records
        self._experiment = None if experiment is None else _opened(experiment, log)
        self._ahead: Ahead | None = None
        self._is_attached = self._is_restored = False

    @property
    def experiment(self) -> Experiment:
        """The experiment.

        Raises:
            NotFound: It is declared when Ray Tune asks for the first trial.
        """
        if self._experiment is None:
            raise NotFound("the search has declared no experiment yet", remedy="Call Tuner.fit first.")
        return self._experiment

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """A ready suggestion, ``None`` while there is none, ``FINISHED`` at the end of budget or space.

        Raises:
            InvalidValue: At the first call: what the script declares is no experiment.
        """
        if self._ahead is None:
            self._begin()
        return self._next(trial_id)

    @isolated
    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """A point of the training curve, where no callback brings it."""
        run = self._own(trial_id)
        if run is not None:
            self._engine.observe(run, metrics_of(result), step=result.get("training_iteration"))

    @isolated
    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end of a trial, where no callback brings it."""
        run = self._own(trial_id)
        if run is not None:
            self._engine.trials.pop(trial_id)
            self._record_end(run, result, error, self._engine.stops.get(trial_id))
        if self._ahead is not None:
            self._ahead.wake()

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: Mapping[str, Any], **spec: Any
    ) -> bool:
        """Take what the tuner declares, if no experiment does.

        Raises:
            InvalidValue: It has no meaning here, or contradicts this object.
        """
        if self._declares:
            self._declaration = self._declaration.completed(metric, mode)
        elif metric is not None:
            self._note_foreign(metric)
        if not has_domain(config):
            return True
        if self._declaration.space is not None:
            return False
        self._declaration = replace(self._declaration, space=config, field="param_space")
        _ = self._declaration.converted
        return True

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Take Ray Tune's limit as ours."""
        self._parallel = max_concurrent
        return True

    def add_evaluated_point(
        self,
        parameters: Mapping[str, Any],
        value: float,
        error: bool = False,
        pruned: bool = False,
        intermediate_values: Sequence[float] | None = None,
    ) -> None:
        """Teach the search a trial that was made elsewhere; failed and pruned ones have no value to teach."""
        if error or pruned:
            return
        if self._experiment is None:
            self._declaration = self._declaration.knowing(parameters, value)
            return
        metric = self._engine.spec.metrics.steering[0].name
        self._experiment.add(self._assigned(parameters), {metric: value})

    def save(self, checkpoint_path: str) -> None:
        """Write where the state is (in the run log), and how assignments become configurations."""
        if self._experiment is not None:
            where = self._experiment.log.url, self._experiment.id
            Path(checkpoint_path).write_bytes(cloudpickle.dumps((*where, self._declaration)))

    def restore(self, checkpoint_path: str) -> None:
        """Go on with the experiment that was saved, from the log."""
        controller = calling_controller()
        self._recall(Path(checkpoint_path))
        if controller is not None and self._records:
            self._attach(controller, is_running=False)

    def close(self) -> None:
        """Stop thinking ahead and let the other process go; Ray Tune's end does it by itself."""
        ahead, self._ahead, self._is_attached = self._ahead, None, False
        if ahead is not None:
            ahead.close()

    @property
    def _engine(self) -> Engine:
        return self.experiment.engine

    @property
    def _converted(self) -> Converted | None:
        """How assignments become configurations; ``None`` where they are the same."""
        return None if self._declaration.space is None else self._declaration.converted

    def _begin(self) -> None:
        """Declare, unless that is done, and see to it that all ends are heard of."""
        controller = calling_controller()
        if self._experiment is None:
            self._declare(controller)
        known, space = self._converted, self._engine.spec.space
        if known is not None:
            _refuse_other_space(known, space)
        if controller is not None and self._records and not self._is_attached:
            self._attach(controller, is_running=True)
        self._parallel = self._parallel or self._engine.spec.parallel_bandwidth
        self._ahead = Ahead(self._engine, dict if known is None else known.snapped)

    def _declare(self, controller: Any) -> None:
        storage = getattr(controller, "_storage", None)
        folder = str(getattr(storage, "experiment_fs_path", ""))
        memory = Path(folder) / MEMORY
        if self._is_restored and memory.is_file():  # killed before Ray Tune had saved anything
            self._recall(memory)
            return
        name = str(getattr(storage, "experiment_dir_name", "search"))
        samples = getattr(getattr(controller, "search_alg", None), "total_samples", sys.maxsize)
        self._experiment = self._declaration.create(name, folder, samples, self._log)
        if Path(folder).is_dir():
            self.save(str(memory))

    def _recall(self, path: Path) -> None:
        """Take up what :meth:`save` wrote; what this object was told since goes before it."""
        url, id, declaration = cloudpickle.loads(path.read_bytes())
        if self._experiment is None:
            self._experiment = Experiment.open(id, self._log or url)
        if self._declaration.space is None:
            self._declaration = declaration

    def _attach(self, controller: Any, *, is_running: bool) -> None:
        self._is_attached = True
        attachment = Attachment(controller, self.close)
        attachment.record(self._engine, self._assigned, is_running=is_running)
        if is_running:
            attachment.lift(is_limit_ours=self._declares)

    @isolated
    def _next(self, trial_id: str) -> dict[str, Any] | str | None:
        ahead, engine = self._ahead, self._engine
        if ahead is None or (self._parallel is not None and engine.busy >= self._parallel):
            return None
        run = ahead.take()
        if run is None:
            return cast(str, Searcher.FINISHED) if ahead.is_over else None
        engine.trials[trial_id] = run.id
        return self._config(run)

    def _config(self, run: Run) -> dict[str, Any]:
        task = self._engine.spec.task(run.task) if run.task else None
        facts = {"task": {"name": task.name, "cost": task.cost}} if task else {}
        known = self._converted
        config = run.assignments if known is None else known.layout.build(run.assignments)
        return {**config, **facts}

    def _assigned(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The assignments that a configuration was made of; what the space does not know is passed over."""
        known = self._converted
        if known is None:
            return {name: value for name, value in config.items() if name in self._engine.spec.space.index}
        own = {key: config[key] for key, _ in known.layout.parts if key in config}
        return known.layout.read(own, "config")

    def _own(self, trial_id: str) -> int | None:
        """The run of a trial whose results come here and by no callback."""
        if self._is_attached or not self._records or self._ahead is None:
            return None
        return self._engine.trials.get(trial_id)

    def _record_end(self, run: int, result: Mapping[str, Any] | None, error: bool, stop: str | None) -> None:
        if result:
            self._engine.observe(run, metrics_of(result), step=result.get("training_iteration"))
        reported = self._engine.reported(run)
        if error:
            message = "the trial failed; Ray Tune holds its traceback"
            self._engine.finish(run, ends.raised(reported, "user_error", message))
        elif stop is not None:
            self._engine.finish(run, ends.stopped(reported, stop))
        else:
            self._engine.finish(run, ends.judge(self._engine.spec.metrics, reported))

    def _note_foreign(self, metric: str) -> None:
        names = [item.name for item in self._engine.spec.metrics.all]
        if metric not in names:
            logger.warning("metric %r of TuneConfig is not used: the experiment declares %s", metric, names)

    def __deepcopy__(self, memo: dict[int, Any]) -> HeliostatSearch:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        url = self._log if self._experiment is None else self._experiment.log.url
        options = {"parallel": self._parallel, "records": self._records}
        id = None if self._experiment is None else self._experiment.id
        return _reopen, (_address(url), id, self._declares, self._declaration, options)


def _opened(experiment: Experiment | int, log: Any) -> Experiment:
    return experiment if isinstance(experiment, Experiment) else Experiment.open(experiment, log)


def _address(log: Any) -> Any:
    """What of a log can be pickled: its URL, without secrets."""
    return getattr(log, "url", log)


def _refuse_declared(given: Mapping[str, Any]) -> None:
    """Arguments that only declare."""
    for name, value in {**given, **given["fields"]}.items():
        if value and name != "fields":
            rule, remedy = "the experiment has declared it already", "Drop it, or the experiment."
            raise InvalidValue(name, rule, given=value, remedy=remedy)


def _refuse_other_space(known: Converted, space: Space) -> None:
    """Configurations can be built of the experiment's assignments only if it has the same parameters."""
    ours, theirs = {item.name for item in (*known.conditionals, *known.parameters)}, set(space.index)
    if ours != theirs:
        rule = "has other parameters than the experiment"
        remedy = f"The experiment has {', '.join(sorted(theirs))}."
        raise InvalidValue("space", rule, given=sorted(ours), remedy=remedy)


def _reopen(
    url: Any, experiment: int | None, declares: bool, declaration: Declaration, options: Mapping[str, Any]
) -> HeliostatSearch:
    try:
        search = HeliostatSearch(experiment, log=url, **options)
    except HeliostatError as error:
        raise NotFound(f"experiment {experiment} of {url} cannot be reopened ({error})") from error
    search._declares, search._declaration, search._is_restored = declares, declaration, True
    return search
