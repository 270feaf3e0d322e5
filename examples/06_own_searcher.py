"""A searcher of your own: one class, used directly here, or by name through an entry point."""

import heliostat as hs
from heliostat.space import sample
from heliostat.testing.searchers import SearcherContract
from heliostat.trial import Proposal


class Climber:
    """Takes the best run so far and moves one of its parameters."""

    capabilities = frozenset({"conditionals", "linear_constraints"})

    def suggest(self, spec, history, count, rng):
        """A neighbour of the best run; a random point while there is none."""
        metric = spec.metrics.objectives[0]
        found = []
        for point in sample(spec.space, rng, count):
            if history.completed:
                best = max(history.completed, key=lambda run: metric.sign * run.numbers[metric.name])
                name = rng.choice(list(point))
                unit = spec.space.encode({**best.assignments, name: point[name]})
                found.append(Proposal(spec.space.decode(unit), why="a step from the best"))
            else:
                found.append(Proposal(point, why="the first step"))
        return found


experiment = hs.Experiment(
    "climb",
    parameters=[hs.Double("x", -5, 5), hs.Double("y", -5, 5)],
    metrics=[hs.minimize("loss")],
    budget=40,
)
experiment.engine.use(Climber())
for run in experiment.loop():
    run.log_metric("loss", (run["x"] - 1) ** 2 + (run["y"] + 2) ** 2)
print(f"best loss {experiment.best().numbers['loss']:.3f}; held to {SearcherContract.__name__} by its tests")
