"""Tasks: train on a tenth of the data while searching, on all of it where it counts."""

from collections import Counter

import heliostat as hs

SHARES = {"tenth": 0.1, "third": 0.3, "full": 1.0}
experiment = hs.Experiment(
    "shares",
    parameters=[hs.Double("rate", 1e-4, 1, log=True), hs.Double("dropout", 0, 0.9)],
    metrics=[hs.minimize("loss")],
    tasks=[{"name": name, "cost": share} for name, share in SHARES.items()],
    budget=10,  # full runs
    seed=1,
)


def trained(rate, dropout, share):
    """A stand-in for a training: with less data the loss is larger, and wants more dropout."""
    wanted = 0.3 + 0.1 * (1 - share)
    return 0.2 / share**0.3 + (dropout - wanted) ** 2 + 0.05 * abs(rate / 3e-3 - 1) ** 0.5


for run in experiment.loop():
    run.log_metric("loss", trained(run["rate"], run["dropout"], SHARES[run.task.name]))

runs = experiment.runs()
print(dict(Counter(run.task for run in runs)))
print(f"run {runs[-1].number}: {runs[-1].why}")
best = experiment.best()  # among full runs: the others measured something else
price = sum(SHARES[run.task] for run in runs)
loss = best.numbers["loss"]
print(f"{len(runs)} runs for the price of {price:.1f}; best loss {loss:.3f} on task {best.task}")
