"""The model of an experiment's results: its searcher's own, or the default searcher's where it has none."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.engine.known import shown
from heliostat.errors import NotFound
from heliostat.experiment import ExperimentSpec
from heliostat.ports import Modeller, Searcher, Surrogate
from heliostat.registry import make_searcher
from heliostat.trial import History, Run

DEFAULT = "bayesian"


def surrogate_of(spec: ExperimentSpec, runs: Sequence[Run], sources: Sequence[Run] = ()) -> Surrogate | None:
    """The model that figures show.

    Args:
        spec: The experiment.
        runs: Its runs, with their curves where runs may be stopped early.
        sources: Runs of the experiments that it learned from (:func:`heliostat.engine.read_sources`).

    Returns:
        The model; ``None`` while there are too few results, or where no installed searcher can model them.
    """
    seen = (shown(run, spec.space) for run in sorted(runs, key=lambda run: run.number))
    history = History(tuple(run for run in seen if run is not None), tuple(sources))
    for name in (spec.searcher, DEFAULT):
        searcher = _named(name)
        if isinstance(searcher, Modeller) and spec.needs <= searcher.capabilities:
            return searcher.surrogate(spec, history)
    return None


def _named(name: str) -> Searcher | None:
    try:
        return make_searcher(name)
    except NotFound:  # another machine's searcher
        return None
