"""The models of the metrics, for people to look at.

They are those that the searcher decides by, without its additions for the sake of the next proposal: failed
and open runs take no part, since they measured nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from heliostat.errors import HeliostatError
from heliostat.experiment import ExperimentSpec
from heliostat.ports import CrossValidation, Expected
from heliostat.space import Value
from heliostat.trial import History, State
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.gp import GP, NO_FIT
from heliostat_searchers.bayesian.models import Models, fitted, kept_rows
from heliostat_searchers.bayesian.rows import Column, read_rows
from heliostat_searchers.threads import one_thread

FEWEST = 3
"""Different places that a model needs before it is worth a look: with two, any line fits."""


@dataclass(frozen=True, eq=False)
class GaussianProcesses:
    """One posterior per steering metric; a :class:`heliostat.ports.Surrogate`.

    Args:
        cube: Where the points lie.
        models: The posteriors.
        numbers: Of the runs that they learned from.
    """

    cube: Cube
    models: Models
    numbers: tuple[int, ...]

    def at(self, points: Sequence[Mapping[str, Value]]) -> Mapping[str, Expected]:
        """See :class:`heliostat.ports.Surrogate`."""
        features = self.cube.features(self.cube.encoded([dict(values) for values in points]))
        found = {}
        with one_thread():
            for column, model in self._each():
                mean, variance = model.at(features)
                found[column.metric.name] = Expected(*column.naturals(mean, np.sqrt(variance)))
        return found

    def left_out(self) -> Mapping[str, CrossValidation]:
        """See :class:`heliostat.ports.Surrogate`; hyper-parameters stay those of all rows."""
        found = {}
        with one_thread():
            for column, model in self._each():
                mean, variance = model.left_out
                observed, _ = column.naturals(model.data.values, np.zeros(model.data.n))
                expected = Expected(*column.naturals(mean, np.sqrt(variance)))
                found[column.metric.name] = CrossValidation(self.numbers, observed, expected)
        return found

    def _each(self) -> list[tuple[Column, GP]]:
        models = (*self.models.objectives, *self.models.guardrails)
        return list(zip(self.models.columns, models, strict=True))


def surrogate_of(spec: ExperimentSpec, history: History) -> GaussianProcesses | None:
    """The models of an experiment's runs; ``None`` with too few results, or where none fits them."""
    measured = tuple(run for run in history.runs if run.state in (State.COMPLETED, State.EARLY_STOPPED))
    rows = read_rows(spec, History(measured, history.sources))
    if rows.distinct < FEWEST or all(column.is_constant for column in rows.columns):
        return None
    rows = replace(rows, failed=rows.failed[:0], tasks=(rows.tasks[0], rows.tasks[1][:0], rows.tasks[2]))
    cube = Cube(spec.space, has_tasks=bool(spec.tasks))
    try:
        models = fitted(spec, cube, rows, history.sources)
    except HeliostatError:
        raise
    except NO_FIT:
        return None
    chosen = kept_rows(rows, len(spec.metrics.objectives))
    return GaussianProcesses(cube, models, tuple(rows.numbers[place] for place in chosen))
