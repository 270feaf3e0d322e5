"""Declare an experiment, loop over its runs, take the best."""

import heliostat as hs

experiment = hs.Experiment(
    "bowl",
    parameters=[hs.Double("x", -5, 5), hs.Double("y", -5, 5)],
    metrics=[hs.minimize("loss"), hs.guardrail("latency_ms", at_most=20)],
    budget=20,
    seed=1,
)
for run in experiment.loop():
    run.log_metric("loss", (run["x"] - 1) ** 2 + (run["y"] + 2) ** 2)
    run.log_metric("latency_ms", 3 + 4 * abs(run["x"]))

best = experiment.best()
print(f"best of 20: loss {best.numbers['loss']:.4f} in run {best.number}")
