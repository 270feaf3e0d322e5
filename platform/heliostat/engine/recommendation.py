"""The point to use in the end: with noise, not the one that happened to be measured best."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.analysis import is_counted, leaders
from heliostat.engine.book import Book
from heliostat.engine.sources import read_sources
from heliostat.errors import InvalidValue, NotFound
from heliostat.experiment import ExperimentSpec
from heliostat.ports import Recommender, RunLog, Searcher
from heliostat.registry import make_searcher
from heliostat.space import Value
from heliostat.trial import History, Prediction, Proposal, Run


def recommended(log: RunLog, experiment: int, searcher: Searcher | None = None) -> Proposal | None:
    """What the searcher believes to be the best point; if it has no opinion, the best observed one.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        searcher: Who to ask; by default the one that the experiment names.
    """
    spec, runs = log.experiment(experiment).spec, log.runs(experiment, curves=True)
    asked = searcher or _named(spec)
    if isinstance(asked, Recommender):
        book = Book(experiment)
        book.fill(runs)
        history = History(book.known(spec.space), read_sources(spec, log, experiment))
        found = asked.recommend(spec, history)
        if found is not None:
            return found
    return best_observed(spec, runs)


def best_observed(spec: ExperimentSpec, runs: Sequence[Run]) -> Proposal | None:
    """The best feasible run as a proposal; of a Pareto front the one that is best in the first objective."""
    found = leaders(spec, [run for run in runs if _is_legal(spec, run)])
    if not found or not spec.metrics.objectives:
        return None
    first = spec.metrics.objectives[0]
    best = max(found, key=lambda run: first.sign * run.numbers[first.name])
    measured = {
        metric.name: Prediction(best.values[metric.name].value, best.values[metric.name].stddev or 0.0)
        for metric in spec.metrics.steering
    }
    return Proposal(_own(spec, best), best.task, f"best observed: run {best.number}", measured)


def is_noisy(spec: ExperimentSpec, runs: Sequence[Run]) -> bool:
    """Whether an objective has shown noise: a standard error, or two values at one point."""
    seen: dict[tuple[str, str], float] = {}
    for run in runs:
        if run.archived or not is_counted(spec, run):
            continue
        point = repr(sorted(run.assignments.items()))
        for metric in spec.metrics.objectives:
            measured = run.values[metric.name]
            if measured.stddev or seen.setdefault((metric.name, point), measured.value) != measured.value:
                return True
    return False


def _is_legal(spec: ExperimentSpec, run: Run) -> bool:
    """Whether the run's point could still be tried: a category may have gone since."""
    try:
        spec.space.check(_own(spec, run), in_bounds=False)
    except InvalidValue:
        return False
    return True


def _own(spec: ExperimentSpec, run: Run) -> dict[str, Value]:
    return {name: value for name, value in run.assignments.items() if name in spec.space.index}


def _named(spec: ExperimentSpec) -> Searcher | None:
    try:
        return make_searcher(spec.searcher)
    except NotFound:  # another machine's searcher; what was observed is known all the same
        return None
