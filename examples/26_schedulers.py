"""Our schedulers in a Ray Tune script: trials pause, and the good ones go on where they were."""

import json
import math
import tempfile
from collections import Counter
from pathlib import Path

from ray import tune

import heliostat as hs
from heliostat import cluster
from heliostat_searchers.schedulers import CostAwareHalving
from heliostat_searchers.stopper import ConvergenceStopper
from heliostat_searchers.tune import HeliostatSearch

EPOCHS = 12


def train(config):
    """A stand-in for a training that saves its state after every epoch and goes on from it."""
    first = 1
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            first = 1 + json.loads((Path(folder) / "epoch.json").read_text())
    distance = abs(math.log10(config["rate"]) + 1)
    for epoch in range(first, EPOCHS + 1):
        accuracy = (1 - 2 / config["width"]) * (0.95 - 0.3 * distance) * (1 - 0.5 / epoch)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "epoch.json").write_text(json.dumps(epoch))
            report = {"accuracy": accuracy, "cost": config["width"], "memory": config["width"] / 2}
            tune.report(report, checkpoint=tune.Checkpoint.from_directory(folder))


experiment = hs.Experiment(
    "halving",
    parameters=[hs.Double("rate", 1e-3, 1.0, log=True), hs.Int("width", 8, 256, log=True)],
    metrics=[hs.maximize("accuracy"), hs.minimize("cost"), hs.guardrail("memory <= 100")],
    budget=20,
    searcher="random",
    seed=1,
)
cluster.connect()
search = HeliostatSearch(experiment, parallel=2)
tuner = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(
        search_alg=search,
        scheduler=CostAwareHalving(experiment, EPOCHS, min_runs=4, irreversible=["memory"]),
        num_samples=-1,
        reuse_actors=True,
    ),
    run_config=tune.RunConfig(stop=ConvergenceStopper(experiment), verbose=0),
)
tuner.fit()
search.close()

runs = experiment.runs()
ends = Counter(str(run.state) for run in runs)
for run in [run for run in runs if str(run.state) == "early_stopped"][:2]:
    print(f"run {run.number}: {run.end_reason}")
epochs = sum(len(run.curve) for run in runs)
print(
    f"{ends['completed']} completed, {ends['early_stopped']} early-stopped: {epochs} of {20 * EPOCHS} epochs"
)
