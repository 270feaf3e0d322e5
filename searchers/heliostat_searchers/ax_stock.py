"""Ax's stock client behind our interface: a reference to compare with, and for those who ask for it.

Each call builds an ``ax.api`` client from the experiment and its history, so that nothing but the arguments
matters; that costs seconds. Parameters and metrics get ids of our own (``p0``, ``m0``):
Ax reads names as SymPy expressions, where ``lambda`` or ``E`` would fail. Priors are not used; grids become
ordered choices; a parameter in a linear constraint must be linear and without a grid.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric
from heliostat.space import Categorical, Double, Int, Parameter, Value
from heliostat.trial import History, Proposal, Run, State
from heliostat_searchers.novelty import ENUMERABLE, Key, key, size_bound, taken, untried
from heliostat_searchers.quiet import compile_nothing, quiet
from heliostat_searchers.sobol import next_points

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger("heliostat")

LOGGERS = (
    "ax.api.client",
    "ax.core.experiment",
    "ax.generation_strategy.dispatch_utils",
    "ax.storage.sqa_store.with_db_settings_base",
)
"""Ax's loggers that speak during its import and a suggestion; the level of their parent is not inherited."""

LARGEST_SEED = 2**31 - 1
"""Ax hands its seed to PyTorch and SciPy as a signed 32-bit number."""


class AxSearcher:
    """Ax with its defaults: centre, Sobol, then the model that it chooses."""

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"multimetric", "guardrails", "conditionals", "linear_constraints"}
    )

    def check(self, spec: ExperimentSpec) -> None:
        """Refuse a space that Ax's client cannot express; see :class:`heliostat.ports.Checker`."""
        refuse_inexpressible(spec)

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`.

        Raises:
            Unsupported: The space has what Ax's client cannot express.
        """
        used = taken(history)
        table = Names.of(spec)
        refuse_inexpressible(spec)
        if size_bound(spec.space) <= ENUMERABLE:  # Ax searches long for points that do not exist
            count = sum(1 for _ in islice(untried(spec.space, used), count))
        seed = int(rng.integers(LARGEST_SEED))
        points, reason = _asked(spec, history, table, count, seed, set(used)) if count else ([], "")
        proposals = [Proposal(values, why="Ax") for values in points]
        used |= {key(values) for values in points}
        short = count - len(proposals)
        rest = next_points(spec, len(history) + len(points), used, short, rng) if short else []
        return proposals + [Proposal(values, why=f"explore: {reason}") for values in rest]


@dataclass(frozen=True)
class Names:
    """Ax's ids for our names.

    Args:
        parameters: Name → ``p0``, ``p1``, ….
        metrics: Name → ``m0``, ``m1``, …, steering metrics only.
    """

    parameters: Mapping[str, str]
    metrics: Mapping[str, str]

    @staticmethod
    def of(spec: ExperimentSpec) -> Names:
        """The ids for one experiment."""
        return Names(
            {item.name: f"p{place}" for place, item in enumerate(spec.space.dimensions)},
            {metric.name: f"m{place}" for place, metric in enumerate(spec.metrics.steering)},
        )


def refuse_inexpressible(spec: ExperimentSpec) -> None:
    """Refuse a space that Ax's client cannot express.

    Raises:
        Unsupported: Several conditions on a parameter, or a log or grid parameter in a constraint.
    """
    for item in spec.space.dimensions:
        if len(item.conditions) > 1 or any(len(wanted) > 1 for _, wanted in item.conditions):
            rule = f"Ax brings a parameter to life by one value of one switch; {item.name!r} has more"
            raise Unsupported(rule, given=dict(item.conditions), remedy="Use searcher='bayesian'.")
    for constraint in spec.space.linear_constraints:
        for name, _ in constraint.terms:
            item = spec.space.by_name[name]
            if isinstance(item, (Double, Int)) and (item.log or item.grid is not None):
                rule = f"Ax's linear constraints cannot hold the log or grid parameter {name!r}"
                raise Unsupported(rule, remedy="Use searcher='bayesian'.")


def _asked(
    spec: ExperimentSpec, history: History, table: Names, count: int, seed: int, used: set[Key]
) -> tuple[list[dict[str, Value]], str]:
    """What Ax suggests, as new legal points, and why there are not `count` of them."""
    with quiet(*LOGGERS):
        compile_nothing()
        from ax.exceptions.core import AxError

        try:
            client = _client(spec, history, table, seed)
            found = list(client.get_next_trials(max_trials=count).values())
        except AxError as error:  # needs data, or finds nothing new: both are regular ends
            return [], f"Ax has no suggestion ({type(error).__name__})"
        except Exception as error:  # a sweep must outlive whatever code that is not ours makes of its results
            logger.warning("Ax failed, a Sobol point takes its place: %r", error)
            return [], f"Ax's model failed ({type(error).__name__})"
    points = []
    for parameters in found:
        values = _decoded(spec, table, parameters)
        if key(values) not in used:
            used.add(key(values))
            points.append(values)
    return points, "Ax repeated itself"


def _client(spec: ExperimentSpec, history: History, table: Names, seed: int) -> Any:
    from ax.api.client import Client

    client = Client(random_seed=seed)
    client.configure_experiment(
        parameters=[_parameter(item, spec, table) for item in spec.space.dimensions],
        parameter_constraints=list(_constraints(spec, table)),
    )
    client.configure_optimization(
        objective=", ".join(_signed(metric, table) for metric in spec.metrics.objectives),
        outcome_constraints=[
            f"{table.metrics[metric.name]} {'>=' if metric.sign > 0 else '<='} {metric.threshold!r}"
            for metric in spec.metrics.steering
            if metric.threshold is not None
        ],
    )
    for run in history.runs:
        if run.state not in (State.LOST, State.CANCELLED):
            _attach(client, run, spec, table)
    return client


def _attach(client: Any, run: Run, spec: ExperimentSpec, table: Names) -> None:
    parameters = {
        table.parameters[name]: float(value) if isinstance(spec.space.by_name[name], Double) else value
        for name, value in run.assignments.items()
        if name in table.parameters
    }
    index = client.attach_trial(parameters=parameters)
    if run.state is State.ACTIVE:
        return
    if run.state is State.FAILED or spec.metrics.missing(run.numbers):
        client.mark_trial_failed(trial_index=index)
        return
    data = {}
    for name, ident in table.metrics.items():
        measured = run.values[name]
        data[ident] = measured.value if measured.stddev is None else (measured.value, measured.stddev)
    client.complete_trial(trial_index=index, raw_data=data)


def _parameter(item: Parameter, spec: ExperimentSpec, table: Names) -> Any:
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    ident = table.parameters[item.name]
    if isinstance(item, Categorical):
        children = _children(item, spec, table)
        return ChoiceParameterConfig(
            ident, list(item.values), "str", is_ordered=False, dependent_parameters=children or None
        )
    kind: Any = "float" if isinstance(item, Double) else "int"
    if item.grid is not None:
        return ChoiceParameterConfig(ident, list(item.grid), kind, is_ordered=True)
    return RangeParameterConfig(ident, item.bounds, kind, scaling="log" if item.log else None)


def _children(switch: Categorical, spec: ExperimentSpec, table: Names) -> dict[Any, list[str]]:
    result: dict[Any, list[str]] = {}
    for item in spec.space.dimensions:
        for name, wanted in item.conditions:
            if name == switch.name:
                result.setdefault(wanted[0], []).append(table.parameters[item.name])
    return result


def _constraints(spec: ExperimentSpec, table: Names) -> Iterator[str]:
    for constraint in spec.space.linear_constraints:
        left = " + ".join(f"{weight!r}*{table.parameters[name]}" for name, weight in constraint.terms)
        yield f"{left} {'<=' if constraint.type == 'less_than' else '>='} {constraint.threshold!r}"


def _signed(metric: Metric, table: Names) -> str:
    return f"{'-' if metric.sign < 0 else ''}{table.metrics[metric.name]}"


def _decoded(spec: ExperimentSpec, table: Names, parameters: Mapping[str, Any]) -> dict[str, Value]:
    """Ax's values in our types; rounding beyond a bound or a constraint is pulled inside."""
    names = {ident: name for name, ident in table.parameters.items()}
    given = {names[ident]: value for ident, value in parameters.items() if value is not None}
    values: dict[str, Value] = {}
    for item in spec.space.dimensions:
        if spec.space.is_alive(item, values):
            values[item.name] = _clipped(item, given[item.name])
    return values if spec.space.meets_constraints(values) else spec.space.decode(spec.space.encode(values))


def _clipped(item: Parameter, value: Any) -> Value:
    if isinstance(item, Categorical):
        return str(value)
    low, high = item.bounds
    return min(max(float(value), low), high) if isinstance(item, Double) else min(max(int(value), low), high)
