"""Runs on many nodes, one log on the head node: no shared disk, no database."""

import ray

import heliostat as hs
from heliostat import cluster

cluster.connect()  # the cluster that $RAY_ADDRESS names, or a private one on this machine
log = hs.open_log("ray://heliostat.db")  # a file on the head node, behind one actor


@ray.remote
def train(log, rate):
    """A stand-in for a training, on whatever node has room; the log comes along as an argument."""
    with hs.create_run(f"rate {rate}", project="fleet", log=log, capture="none") as run:
        run.params.rate = rate
        loss = 1.0
        for epoch in range(1, 11):
            loss *= 1 - 0.5 * rate if rate < 1 else 1.1
            run.log_checkpoint({"loss": loss}, step=epoch)
        run.log_metric("loss", loss)
    return run.id


ray.get([train.remote(log, rate) for rate in (0.01, 0.1, 0.5, 1.5)])

# The same file, read on the head node without Ray; while the fleet is at work, just the same.
for run in hs.open_log("heliostat.db").runs(project="fleet"):
    print(f"run {run.id}, {run.state}: loss {run.numbers['loss']:.3f} at rate {run.assignments['rate']}")
best = min(log.runs(project="fleet"), key=lambda run: run.numbers["loss"])
print(f"best rate: {best.assignments['rate']}")
