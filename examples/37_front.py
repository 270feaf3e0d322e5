"""Three objectives with thresholds: only the part of the front that lies within them is searched."""

import math

import heliostat as hs

experiment = hs.Experiment(
    "front",
    parameters=[hs.Double("depth", 0, 1), hs.Double("width", 0, 1), hs.Double("precision", 0, 1)],
    metrics=[
        hs.maximize("accuracy", threshold=0.6),
        hs.minimize("latency_ms", threshold=30),
        hs.minimize("memory_gb", threshold=8),
    ],
    budget=40,
    seed=1,
)
for run in experiment.loop():
    capacity = 0.5 * run["depth"] + 0.5 * run["width"]
    run.log_metrics(
        {
            "accuracy": 1 - math.exp(-3 * capacity) - 0.1 * (1 - run["precision"]) ** 2,
            "latency_ms": 5 + 60 * run["depth"] + 10 * run["precision"],
            "memory_gb": 1 + 16 * run["width"] * (0.5 + 0.5 * run["precision"]),
        }
    )
front = experiment.best_runs()
within = [
    run
    for run in front
    if run.numbers["accuracy"] >= 0.6 and run.numbers["latency_ms"] <= 30 and run.numbers["memory_gb"] <= 8
]
for run in sorted(within, key=lambda run: -run.numbers["accuracy"])[:5]:
    print(", ".join(f"{name} {value:.3g}" for name, value in run.numbers.items()))
print(
    f"{len(front)} runs on the front, {len(within)} within all thresholds; more than ten: {len(within) > 10}"
)
