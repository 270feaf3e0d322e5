"""A sweep over the GPUs of a cluster, as a job that may be sent again: it goes on where the log ends.

For whoever tunes a model on many machines. Edit the three places marked EDIT; send it with submit.sh, a
RayJob (kuberay/rayjob-sweep.yaml) or a Slurm job (slurm/sweep.sbatch). Checked by tests/cluster/test_job.py,
which runs it on processors through ``ray job submit``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import heliostat as hs

# EDIT 1: what is searched, what is measured.
NAME = "cluster sweep"
PARAMETERS = [hs.Double("lr", 1e-4, 1.0, log=True), hs.Int("width", 8, 128)]
METRICS = [hs.maximize("accuracy")]


# EDIT 2: one training. It runs on any node; report once an epoch, with a checkpoint, so that a trial whose
# machine is taken away goes on at its last epoch on another one.
def train(config: dict[str, Any]) -> None:
    """A small network on handwritten digits, on the GPU where there is one."""
    import tempfile

    import torch
    from ray import tune
    from sklearn.datasets import load_digits

    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = load_digits()
    inputs = torch.tensor(data.data / 16, dtype=torch.float32, device=device)
    labels = torch.tensor(data.target, device=device)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(64, config["width"]), torch.nn.ReLU(), torch.nn.Linear(config["width"], 10)
    ).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=config["lr"], momentum=0.9)
    first = 0
    if (begun := tune.get_checkpoint()) is not None:
        with begun.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt", weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
    for epoch in range(first, config.get("epochs", 5)):
        for batch in torch.arange(1200, device=device).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (network(inputs[1200:]).argmax(1) == labels[1200:]).float().mean().item()
        with tempfile.TemporaryDirectory() as folder:
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, Path(folder) / "state.pt")
            tune.report({"accuracy": accuracy}, checkpoint=tune.Checkpoint.from_directory(folder))


# EDIT 3: what one trial needs, how many run at a time, how many there shall be.
def resources(gpus: float) -> dict[str, float]:
    """Processors and GPUs of one trial."""
    return {"cpu": 4, "gpu": gpus} if gpus else {"cpu": 1}


PARALLEL = 8
BUDGET = 64


def experiment(budget: int) -> hs.Experiment:
    """The experiment of this name that is not complete yet, else a new one."""
    log = hs.open_log()
    for record in reversed(log.experiments()):
        if record.spec.name == NAME and record.spec.budget == budget:
            return hs.Experiment.open(record.id, log)
    return hs.Experiment(NAME, parameters=PARAMETERS, metrics=METRICS, budget=budget, seed=1, log=log)


def main() -> None:
    """Run, or go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", help="folder or bucket that all nodes share, for checkpoints")
    parser.add_argument("--gpus", type=float, default=0.0, help="GPUs of a trial")
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--parallel", type=int, default=PARALLEL)
    given = parser.parse_args()
    import ray

    ray.init(log_to_driver=False)
    begun = time.monotonic()
    found = experiment(given.budget)
    result = found.sweep(
        train,
        parallel=given.parallel,
        resources=resources(given.gpus),
        storage_path=given.storage,
    )
    hosts = {run.metadata.get("host") for run in result.runs}
    best = found.best()
    print(
        f"{len(result.runs)} runs on {len(hosts)} hosts in {time.monotonic() - begun:.0f} s; "
        f"best accuracy {best.numbers['accuracy']:.3f} with {dict(best.assignments)}"
    )


if __name__ == "__main__":
    main()
