"""PyTorch DDP through Ray Train inside each trial; on GPUs where there are some, else on two processes."""

import os
import time

import numpy as np
import ray
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_model
from ray.tune.integration.ray_train import TuneReportCallback
from sklearn.datasets import load_digits

import heliostat as hs
from heliostat import cluster

WORKERS = 2


def train_worker(config):
    """What each process of the group does; rank 0's reports become the run's curve."""
    import ray.train

    images, labels = load_digits(return_X_y=True)
    rank, size = ray.train.get_context().get_world_rank(), ray.train.get_context().get_world_size()
    is_test = np.arange(len(labels)) % 5 == 0
    torch.manual_seed(0)
    device = ray.train.torch.get_device()
    X, y = (torch.as_tensor(part[~is_test][rank::size], device=device) for part in (images / 16, labels))
    X_test, y_test = (torch.as_tensor(part[is_test], device=device) for part in (images / 16, labels))
    layers = (torch.nn.Linear(64, config["width"]), torch.nn.ReLU(), torch.nn.Linear(config["width"], 10))
    model = prepare_model(torch.nn.Sequential(*layers).double())
    optimizer = torch.optim.Adam(model.parameters(), lr=config["rate"])
    for _ in range(5):
        began = time.perf_counter()
        for batch in torch.arange(len(X)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(X[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(X_test).argmax(1) == y_test).double().mean().item()
        speed = size * len(X) / (time.perf_counter() - began)
        ray.train.report({"accuracy": accuracy, "images_per_second": speed})


def train(config):
    """The trial: it starts a group of workers, which ask for resources of their own."""
    share = {"GPU": 0.5} if has_gpu else {"CPU": 0.5}
    TorchTrainer(
        train_worker,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=WORKERS, use_gpu=has_gpu, resources_per_worker=share),
        run_config=RunConfig(callbacks=[TuneReportCallback()], storage_path=os.getcwd()),
    ).fit()


experiment = hs.Experiment(
    "ddp",
    parameters=[hs.Double("rate", 1e-4, 1e-1, log=True), hs.Int("width", 8, 64, log=True)],
    metrics=[hs.maximize("accuracy"), hs.guardrail("images_per_second", at_least=100)],
    budget=2,
    searcher="sobol",
)
cluster.connect()
has_gpu = ray.cluster_resources().get("GPU", 0) > 0
# The trial itself takes half a processor. With one at a time its workers always find theirs: trials that hold
# all processors while their workers wait for one would wait for ever.
result = experiment.sweep(train, parallel=1, resources={"cpu": 0.5})
for run in result.runs:
    curve = " ".join(f"{point.values['accuracy']:.2f}" for point in run.curve)
    print(f"run {run.number}: {run.state}, {run.numbers['images_per_second']:.0f} images/s, accuracy {curve}")
print(f"{WORKERS} workers a trial, on {'GPUs' if has_gpu else 'processors'}")
