"""Limits that only a run can tell, met on 1 % of the space: they are found first, then the best there."""

import heliostat as hs


def tried(searcher):
    """A beam that must be neither too weak nor too heavy, and cheap."""
    experiment = hs.Experiment(
        searcher,
        parameters=[hs.Double("width", 0, 10), hs.Double("height", 0, 10), hs.Double("length", 0, 10)],
        metrics=[hs.minimize("price"), hs.guardrail("strength", at_least=14), hs.guardrail("weight <= 40")],
        budget=50,
        searcher=searcher,
        seed=2,
    )
    for run in experiment.loop():
        width, height, length = run["width"], run["height"], run["length"]
        run.log_metrics(
            {
                "price": width + 2 * height + abs(length - 7),
                "strength": width * height**2 / 10 - (length - 8) ** 2,
                "weight": width * height + 2 * length,
            }
        )
    return experiment


for searcher in ("random", "bayesian"):
    experiment = tried(searcher)
    feasible = [run for run in experiment.runs() if experiment.spec.metrics.is_feasible(run.numbers)]
    first = feasible[0].number if feasible else "none"
    best = f"{experiment.best().numbers['price']:.2f}" if feasible else "none"
    print(f"{searcher}: first within the limits: run {first}; {len(feasible)} of 50; lowest price {best}")
print(f"why, of run 20: {experiment.runs()[19].why}")
print(f"limits kept ten times or more: {len(feasible) >= 10}")
