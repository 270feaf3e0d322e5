"""Roles change while an experiment runs: a metric that was only stored becomes a limit, the search turns."""

from itertools import islice

import heliostat as hs

experiment = hs.Experiment(
    "roles",
    parameters=[hs.Double("size", 0, 1), hs.Double("rate", 0, 1)],
    metrics=[hs.minimize("loss"), hs.store("latency_ms")],
    budget=30,
    seed=1,
)


def tried(count):
    """So many more runs; the loss falls with the size, and so the latency grows."""
    for run in islice(experiment.loop(), count):
        loss = (run["size"] - 0.9) ** 2 + (run["rate"] - 0.4) ** 2
        run.log_metrics({"loss": loss, "latency_ms": 10 + 60 * run["size"] ** 2})


tried(15)
before = experiment.best()
print(f"best of 15: loss {before.numbers['loss']:.3f} at {before.numbers['latency_ms']:.0f} ms")
experiment.update(metrics=[hs.minimize("loss"), hs.guardrail("latency_ms <= 30")])  # product asks for it
judged = experiment.best()
print(f"by the new limit: run {judged.number}, loss {judged.numbers['loss']:.3f}")
tried(15)
after = experiment.best()
print(f"best of 30: loss {after.numbers['loss']:.3f} at {after.numbers['latency_ms']:.1f} ms")
print(f"found after the change, below 30 ms: {after.number > 15 and after.numbers['latency_ms'] <= 30}")
