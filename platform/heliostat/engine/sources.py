"""Transfer sources: past runs from anywhere in the log that warm-start an experiment."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from heliostat.errors import InvalidValue, NotFound
from heliostat.experiment import ExperimentSpec
from heliostat.ports import RunLog
from heliostat.query import And, Condition, Filter, Or, RunPage, RunQuery, read_where
from heliostat.trial import Run, State

logger = logging.getLogger("heliostat")

MOST = 2_000
"""Runs taken of one source, the newest: a model of more learns little and a fit costs seconds."""

_ENDED = Or(tuple(Filter("state", "==", state.value) for state in (State.COMPLETED, State.FAILED)))


def read_sources(spec: ExperimentSpec, log: RunLog, experiment: int) -> tuple[Run, ...]:
    """The completed and failed runs of the spec's sources, in declared order, each source by age.

    A run that several sources name comes once, with the first of them; the experiment's own runs never come.

    Args:
        spec: The declaration.
        log: Where the sources are.
        experiment: The experiment's id.
    """
    found: dict[int, Run] = {}
    proxies = {
        (record.id, task.name) for record in log.experiments() for task in record.spec.tasks if task.cost < 1
    }
    for source in spec.transfer:
        page = _page(source, log)
        if page.count > len(page.runs):
            logger.warning("transfer source %r has %d runs: the newest %d count", source, page.count, MOST)
        for run in reversed(page.runs):
            if run.experiment != experiment and _is_full(run, proxies):
                found.setdefault(run.id, run)
    return tuple(found.values())


def _is_full(run: Run, proxies: set[tuple[int, str]]) -> bool:
    """Whether a run measured the full task: proxies estimate another quantity."""
    return run.task is None or run.experiment is None or (run.experiment, run.task) not in proxies


def check_sources(spec: ExperimentSpec, log: RunLog) -> None:
    """Refuse sources that cannot teach the experiment anything.

    Raises:
        NotFound: There is no such experiment.
        InvalidValue: A condition is none or no run meets it; or a source shares no parameter with the
            experiment, or none of its steering metrics.
    """
    for place, source in enumerate(spec.transfer):
        field = f"transfer[{place}]"
        parameters, metrics = _declared(source, log, field) if isinstance(source, int) else ((), ())
        if isinstance(source, str):
            runs = _page(source, log).runs
            if not runs:
                remedy = "See what is there with: heliostat ls runs --where '…'."
                raise InvalidValue(field, "no ended run meets the condition", given=source, remedy=remedy)
            parameters = tuple({name for run in runs for name in run.assignments})
            metrics = tuple({name for run in runs for name in run.values})
        _refuse_strangers(field, source, "parameter", list(spec.space.index), parameters)
        _refuse_strangers(field, source, "metric", [item.name for item in spec.metrics.steering], metrics)


def _page(source: int | str, log: RunLog) -> RunPage:
    if isinstance(source, int):
        return log.query(_newest(_ENDED), experiment=source)
    condition = read_where(source)
    return log.query(_newest(_ENDED if condition is None else And((condition, _ENDED))))


def _newest(condition: Condition) -> RunQuery:
    return RunQuery(condition, sort="id", ascending=False, limit=MOST)


def _declared(source: int, log: RunLog, field: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        spec = log.experiment(source).spec
    except NotFound:
        rule, remedy = f"{field}: the log has no such experiment", "List the known ones with: heliostat ls"
        raise NotFound(rule, given=source, remedy=remedy) from None
    return tuple(spec.space.index), tuple(metric.name for metric in spec.metrics.all)


def _refuse_strangers(
    field: str, source: int | str, what: str, own: Sequence[str], theirs: Sequence[str]
) -> None:
    if not set(own) & set(theirs):
        rule = f"the source has no {what} of this experiment ({_listed(own)}), so it teaches nothing"
        remedy = f"It has {_listed(sorted(theirs))}; rename yours alike, or drop the source."
        raise InvalidValue(field, rule, given=source, remedy=remedy)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_short(names)) or "none"


def _short(names: Sequence[str], most: int = 8) -> Iterator[str]:
    yield from names[:most]
    if len(names) > most:
        yield "…"
