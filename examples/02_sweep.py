"""A sweep on Ray Tune: a switch, two objectives, a guardrail, early stopping; it ends in a Pareto front."""

import math

from ray import tune

import heliostat as hs

experiment = hs.Experiment(
    "curves",
    conditionals=[hs.Conditional("schedule", ["constant", "cosine"])],
    parameters=[
        hs.Double("rate", 1e-3, 1.0, log=True),
        hs.Double("floor", 0.0, 0.5, conditions={"schedule": "cosine"}),
        hs.Int("width", 8, 256, log=True),
    ],
    metrics=[hs.maximize("accuracy"), hs.minimize("cost"), hs.guardrail("memory <= 200")],
    budget=24,
    seed=1,
)


def train(config):
    """A stand-in for a training: better with time, best at a rate near 0.1."""
    fit = math.exp(-((math.log10(config["rate"]) + 1) ** 2)) * (1 - config.get("floor", 0.1))
    for epoch in range(1, 11):
        accuracy = (1 - 4 / config["width"]) * (0.5 + 0.5 * fit * (1 - 0.6**epoch))
        tune.report({"accuracy": accuracy, "cost": config["width"] ** 0.5, "memory": config["width"]})


rule = hs.EarlyStopping("accuracy", max_steps=10, grace=2)
result = experiment.sweep(train, parallel=2, early_stopping=rule)
for run in result.best:
    print(f"run {run.number}: accuracy {run.numbers['accuracy']:.3f} at cost {run.numbers['cost']:.1f}")
print("report:", experiment.report("curves.html").name)
