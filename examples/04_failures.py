"""Runs that fail are recorded with their reason, and the searcher learns where not to go."""

import logging
from collections import Counter

import heliostat as hs

logging.getLogger("heliostat").setLevel(logging.ERROR)  # or each failure is announced

experiment = hs.Experiment(
    "crashes",
    parameters=[hs.Double("x", 0, 1), hs.Double("y", 0, 1)],
    metrics=[hs.minimize("loss")],
    budget=25,
    seed=2,
)
for run in experiment.loop():
    with run:
        if run["x"] + run["y"] > 1.1:
            raise MemoryError("too large for this machine")
        run.log_metric("loss", (run["x"] - 0.8) ** 2 + (run["y"] - 0.6) ** 2)

runs = experiment.runs()
print(dict(Counter(str(run.state) for run in runs)))
print("first failure:", next(run.failure.message for run in runs if run.failure))
print(f"best loss {experiment.best().numbers['loss']:.4f}; the best possible is 0.0450")
