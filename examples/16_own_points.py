"""Your own points: queued, reported, corrected, deleted; and a limit that moves on the way."""

import heliostat as hs

experiment = hs.Experiment(
    "own points",
    parameters=[hs.Double("x", -5, 5, default_value=0.0), hs.Double("y", -5, 5, default_value=0.0)],
    metrics=[hs.minimize("loss"), hs.guardrail("latency_ms", at_most=5)],
    budget=16,
    seed=3,
)


def measured(x, y):
    return {"loss": (x - 1) ** 2 + (y + 2) ** 2, "latency_ms": 3 + 2 * abs(x)}


experiment.add({"x": 4.0, "y": 4.0}, measured(4.0, 4.0))  # done last week, by hand
wrong = experiment.add({"x": 1.0, "y": 1.0}, {"loss": -99.0, "latency_ms": 5.0})  # a typing error
experiment.queue({"x": 2.0, "y": -1.0}, why="the intern's idea")
mistaken = experiment.queue({"x": -5.0, "y": -5.0})
experiment.unqueue(mistaken)

for run in experiment.loop():
    if run.number == 6:
        experiment.update_run(wrong.id, measured(1.0, 1.0))
    if run.number == 8:
        experiment.update(metrics=[hs.guardrail("latency_ms", at_most=6)])  # it may take a little longer
    if run.number == 10:
        experiment.delete_run(experiment.runs()[0].id)  # another machine's; frees its place in the budget
    run.log_metrics(measured(run["x"], run["y"]))

runs = experiment.runs()
print(f"run 3 was {runs[2].why}; run {wrong.id} now has loss {runs[1].numbers['loss']:.0f}")
best = experiment.best()
print(f"{len(runs)} runs, best loss {best.numbers['loss']:.3f} within {best.numbers['latency_ms']:.1f} ms")
