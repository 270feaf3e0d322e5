"""Nothing to optimize, only limits to keep: find the region that keeps them, and cover all of it."""

import math

import heliostat as hs


def tried(searcher):
    """A winding valley between two limits: 16 % of the plane."""
    experiment = hs.Experiment(
        searcher,
        parameters=[hs.Double("heat", 0, 1), hs.Double("time", 0, 1)],
        metrics=[hs.guardrail("strength >= 0.7"), hs.guardrail("cost <= 1.2")],
        budget=40,
        searcher=searcher,
        seed=1,
    )
    for run in experiment.loop():
        off = run["heat"] - 0.5 - 0.3 * math.sin(5 * run["time"])
        run.log_metrics({"strength": math.exp(-((off / 0.15) ** 2)), "cost": run["heat"] + run["time"]})
    return experiment


def satisfactory(experiment):
    metrics = experiment.spec.metrics
    return [run.assignments for run in experiment.runs() if metrics.is_feasible(run.numbers)]


found = {searcher: satisfactory(tried(searcher)) for searcher in ("random", "bayesian")}
for searcher, points in found.items():
    tenths = {int(10 * point["time"]) for point in points}
    print(f"{searcher}: {len(points)} of 40 keep both limits, in {len(tenths)} tenths of the time scale")
print(f"more than twice as many: {len(found['bayesian']) > 2 * len(found['random'])}")
