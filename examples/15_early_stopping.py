"""Stop hopeless trials by their curves, and by a guardrail that they will miss: no settings needed."""

import math
from collections import Counter

from ray import tune

import heliostat as hs

experiment = hs.Experiment(
    "curves",
    parameters=[hs.Double("rate", 1e-3, 1.0, log=True), hs.Int("width", 8, 256, log=True)],
    metrics=[hs.maximize("accuracy"), hs.guardrail("memory <= 150")],
    budget=24,
    searcher="random",
    seed=1,
)


def train(config):
    """A stand-in for a training: better with time, best at a rate near 0.1, larger with the width."""
    distance = abs(math.log10(config["rate"]) + 1)
    for epoch in range(1, 21):
        accuracy = (1 - 2 / config["width"]) * (0.95 - 0.3 * distance) * (1 - 0.5 / epoch)
        tune.report({"accuracy": accuracy, "memory": config["width"]})


result = experiment.sweep(train, parallel=2, early_stopping="auto")
ends = Counter(str(run.state) for run in result.runs)
epochs = sum(len(run.curve) for run in result.runs)
stopped = [run for run in result.runs if str(run.state) == "early_stopped"]
for run in stopped[:2]:
    print(f"run {run.number}: {run.end_reason}")
print(f"{ends['completed']} completed, {ends['early_stopped']} early-stopped: {epochs} of {24 * 20} epochs")
