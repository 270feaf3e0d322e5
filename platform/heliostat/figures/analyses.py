"""All cards of an experiment's analysis page."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.analysis import Importance, importances, sensitivities
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.contour import contour
from heliostat.figures.convergence_evidence import convergence_evidence
from heliostat.figures.coverage import coverage
from heliostat.figures.cross_validation import cross_validation
from heliostat.figures.distinct_optima import distinct_optima
from heliostat.figures.failure_map import failure_map
from heliostat.figures.guardrails import guardrails
from heliostat.figures.histogram import histogram
from heliostat.figures.pareto_3d import pareto_3d
from heliostat.figures.sensitivity import sensitivity
from heliostat.figures.slices import slices
from heliostat.figures.task_mix import task_mix
from heliostat.figures.timeline import timeline
from heliostat.figures.training_curves import training_curves
from heliostat.figures.transfer_benefit import transfer_benefit
from heliostat.ports import Surrogate
from heliostat.trial import Run


def analyses(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    surrogate: Surrogate | None = None,
    sources: Sequence[Run] = (),
    known: Sequence[Importance] | None = None,
) -> tuple[Card, ...]:
    """What :func:`~heliostat.figures.overview` does not show, from results to process.

    Args:
        spec: The experiment.
        runs: Its runs, read with their curves.
        surrogate: The searcher's model of these runs (``heliostat.engine.surrogate_of``), if there is one.
        sources: Runs of the experiments that it learned from.
        known: Importances, to save fitting them again.
    """
    shares = importances(spec, runs) if known is None else known
    found = sensitivities(spec.space, surrogate) if surrogate is not None else []
    return (
        sensitivity(found),
        contour(spec, runs, surrogate, found),
        *slices(spec, runs, surrogate, found),
        *cross_validation(spec, runs, surrogate),
        pareto_3d(spec, runs),
        *guardrails(spec, runs),
        failure_map(spec, runs, known=shares),
        histogram(spec, runs),
        convergence_evidence(spec, runs),
        training_curves(spec, runs, by="relative", key="curves-by-time"),
        timeline(spec, runs),
        distinct_optima(spec, runs, shares),
        coverage(spec, runs, shares),
        task_mix(spec, runs),
        transfer_benefit(spec, runs, sources),
    )
