"""The declared experiment: one frozen value behind Python keywords, YAML and JSON files and HTTP bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.metrics import Metrics, read_metrics
from heliostat.space import Space, read_space, write_space

_SPACE = ("parameters", "conditionals", "linear_constraints")
_OWN = (
    "name", "project", "metrics", "budget", "parallel_bandwidth", "num_solutions", "tasks", "transfer",
    "searcher", "type", "seed", "metadata", "observation_budget",
)  # fmt: skip
FIELDS = (*_SPACE, *_OWN)
"""Every field of an experiment's wire form."""

_PLANNED = {
    "multimetric": "several optimized metrics",
    "guardrails": "guardrails",
    "active_search": "constraint metrics alone",
    "multisolution": "several solutions",
    "tasks": "tasks",
}
"""Capabilities whose search is planned for a number of runs, and what users call them."""

SIGOPT_TYPES = {"offline": "bayesian", "random": "random", "grid": "grid"}
"""SigOpt's experiment types and the searcher that does their work."""


@dataclass(frozen=True)
class Task:
    """A cheaper proxy of the objective.

    Args:
        name: Unique in the experiment.
        cost: Relative cost in (0, 1]; exactly one task of an experiment costs 1.
    """

    name: str
    cost: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", schema.name(self.name, "tasks.name"))
        object.__setattr__(self, "cost", schema.number(self.cost, "tasks.cost"))
        if not 0 < self.cost <= 1:
            rule = "must lie in (0, 1]"
            raise InvalidValue(
                f"tasks.{self.name}.cost", rule, given=self.cost, remedy="The full task costs 1."
            )


@dataclass(frozen=True)
class ExperimentSpec:
    """A declared search.

    Args:
        name: For people; 1 to 100 characters.
        space: Parameters, switches, linear constraints.
        metrics: What to optimize, guard and store.
        project: Folder that people share.
        budget: Number of runs; required with several objectives, guardrails, solutions or tasks.
        parallel_bandwidth: How many runs are planned at once.
        num_solutions: Number of good and different solutions wanted.
        tasks: Cheaper proxies; empty or at least two.
        transfer: What warm-starts this one: ids of experiments, and conditions on any runs of the log
            (``"metadata.study = 'old' and origin = optuna"``), most telling first.
        searcher: Name of the searcher (entry point ``heliostat.searchers``).
        seed: With the history it determines every suggestion.
        metadata: Free texts and numbers.

    Raises:
        InvalidValue: A field breaks a rule.
    """

    name: str
    space: Space
    metrics: Metrics
    project: str = "default"
    budget: int | None = None
    parallel_bandwidth: int | None = None
    num_solutions: int = 1
    tasks: tuple[Task, ...] = ()
    transfer: tuple[int | str, ...] = ()
    searcher: str = "bayesian"
    seed: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settle("name", schema.name(self.name, "name"))
        self._settle("project", schema.name(self.project, "project"))
        self._settle("searcher", schema.name(self.searcher, "searcher"))
        self._settle("seed", schema.integer(self.seed, "seed", at_least=0))
        for key in ("budget", "parallel_bandwidth"):
            if getattr(self, key) is not None:
                self._settle(key, schema.integer(getattr(self, key), key, at_least=1))
        self._settle("num_solutions", schema.integer(self.num_solutions, "num_solutions", at_least=1))
        self._settle("tasks", tuple(self.tasks))
        is_one = isinstance(self.transfer, str) or not isinstance(self.transfer, Iterable)
        sources = [self.transfer] if is_one else self.transfer
        self._settle("transfer", tuple(_read_source(item) for item in schema.items(sources, "transfer")))
        self._settle("metadata", _read_metadata(self.metadata))
        self._check_tasks()
        self._check_solutions()
        self._check_budget()

    @property
    def full_task(self) -> Task | None:
        """The task that costs 1; ``None`` without tasks."""
        return next((task for task in self.tasks if task.cost == 1), None)

    def task(self, name: str | None) -> Task | None:
        """The task of that name; for no name the full one, ``None`` without tasks.

        Raises:
            InvalidValue: There is no such task.
        """
        if name is None:
            return self.full_task
        for task in self.tasks:
            if task.name == name:
                return task
        known = ", ".join(task.name for task in self.tasks) or "none"
        raise InvalidValue("task", "is no task of the experiment", given=name, remedy=f"Its tasks: {known}.")

    def cost(self, task: str | None) -> float:
        """What a run on a task takes from the budget: 1 on the full task, and where there are no tasks."""
        return next((item.cost for item in self.tasks if item.name == task), 1.0)

    @property
    def needs(self) -> frozenset[str]:
        """The capabilities that a searcher must have for this experiment (see ``heliostat.ports``)."""
        features = {
            "multimetric": len(self.metrics.objectives) > 1,
            "guardrails": bool(self.metrics.guardrails),
            "active_search": not self.metrics.objectives,
            "conditionals": any(item.conditions for item in self.space.dimensions),
            "linear_constraints": bool(self.space.linear_constraints),
            "tasks": bool(self.tasks),
            "multisolution": self.num_solutions > 1,
            "transfer": bool(self.transfer),
        }
        return frozenset(name for name, is_used in features.items() if is_used)

    def to_dict(self) -> dict[str, Any]:
        """The wire form; :func:`read_experiment` gives the same value back."""
        return schema.plain(
            {
                "name": self.name,
                "project": self.project,
                **write_space(self.space),
                "metrics": [metric.to_dict() for metric in self.metrics.all],
                "budget": self.budget,
                "parallel_bandwidth": self.parallel_bandwidth,
                "num_solutions": self.num_solutions if self.num_solutions > 1 else None,
                "tasks": [{"name": task.name, "cost": task.cost} for task in self.tasks],
                "transfer": list(self.transfer),
                "searcher": self.searcher,
                "seed": self.seed,
                "metadata": dict(self.metadata),
            }
        )

    def _settle(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value)

    def _check_tasks(self) -> None:
        if not self.tasks:
            return
        schema.unique((task.name for task in self.tasks), "tasks", "names")
        costs = [task.cost for task in self.tasks]
        if len(costs) < 2 or len(set(costs)) != len(costs) or costs.count(1.0) != 1:
            rule = "need at least two with distinct costs, exactly one of which is 1"
            raise InvalidValue("tasks", rule, given=costs, remedy="Give the full task cost 1.")
        if "task" in self.space.index:
            rule = "'task' is what a sweep's config calls the task, so no parameter may"
            raise InvalidValue("parameters", rule, remedy="Rename the parameter.")

    def _check_solutions(self) -> None:
        if self.num_solutions == 1:
            return
        if len(self.metrics.objectives) != 1:
            rule = "several solutions need exactly one optimized metric"
            remedy = "Store the others." if self.metrics.objectives else "Optimize one of the metrics."
            raise InvalidValue("num_solutions", rule, given=self.num_solutions, remedy=remedy)
        if self.budget is not None and self.budget < self.num_solutions:
            rule = "must be at least num_solutions"
            raise InvalidValue("budget", rule, given=self.budget, remedy=f"Use {self.num_solutions} or more.")

    def _check_budget(self) -> None:
        reasons = [words for need, words in _PLANNED.items() if need in self.needs]
        if self.budget is None and reasons and self.searcher != "grid":
            rule = f"is required with {', '.join(reasons)}"
            raise InvalidValue(
                "budget", rule, remedy="Say how many runs you can afford.", code="HS-VALUE-003"
            )


def read_experiment(value: Any) -> ExperimentSpec:
    """An experiment from its wire form (a mapping), or the value itself.

    Raises:
        InvalidValue: A key is unknown or a value breaks a rule; the error names its path.
    """
    if isinstance(value, ExperimentSpec):
        return value
    data = {key: item for key, item in schema.mapping(value, "experiment").items() if item is not None}
    schema.only_keys(data, "experiment", FIELDS)
    own = {key: data[key] for key in _OWN if key in data}
    if "observation_budget" in own:
        own.setdefault("budget", own.pop("observation_budget"))
    if "type" in own:
        kind = schema.choice(own.pop("type"), "type", tuple(SIGOPT_TYPES))
        own.setdefault("searcher", SIGOPT_TYPES[kind])
    own["name"] = schema.required(data, "name", "")
    own["tasks"] = tuple(_read_task(item, place) for place, item in enumerate(own.get("tasks", ())))
    own["metrics"] = read_metrics(schema.required(data, "metrics", ""))
    return ExperimentSpec(space=read_space(data), **own)


def load_experiment(path: str | Path) -> ExperimentSpec:
    """An experiment from a YAML or JSON file."""
    import yaml

    text = Path(path).read_text(encoding="utf-8")
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidValue(str(path), f"must be YAML or JSON ({error})") from None
    return read_experiment(data)


def _read_task(value: Any, place: int) -> Task:
    if isinstance(value, Task):
        return value
    path = f"tasks[{place}]"
    data = schema.mapping(value, path)
    schema.only_keys(data, path, ("name", "cost"))
    return Task(schema.required(data, "name", path), schema.required(data, "cost", path))


def _read_source(value: Any) -> int | str:
    """An experiment's id, or the text of a condition; whether that holds water is seen when the log is."""
    if isinstance(value, str) and not value.strip().isdecimal():
        if not value.strip():
            rule, remedy = "must not be empty", "Name an experiment's id, or a condition on runs."
            raise InvalidValue("transfer", rule, given=value, remedy=remedy)
        return value.strip()
    try:
        return schema.integer(int(value) if isinstance(value, str) else value, "transfer", at_least=1)
    except InvalidValue as error:
        rule, remedy = "must be an experiment's id or a condition on runs", "Take the id: [experiment.id]."
        raise InvalidValue("transfer", rule, given=value, remedy=remedy) from error


def _read_metadata(value: Any) -> dict[str, Any]:
    data = schema.mapping(value, "metadata")
    for key, item in data.items():
        if not isinstance(item, (str, int, float)):
            raise InvalidValue(f"metadata.{key}", "must be a text or a number", given=item)
    return data
