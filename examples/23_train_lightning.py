"""A Lightning trainer in Ray Train inside each trial; on GPUs where there are some, else on processors."""

import logging
import os
import warnings

import lightning.pytorch as pl
import numpy as np
import ray
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback
from sklearn.datasets import load_digits

import heliostat as hs
from heliostat import cluster

WORKERS = 1


class Digits(pl.LightningModule):
    """A small classifier that reports its validation accuracy after each epoch."""

    def __init__(self, rate, width):
        super().__init__()
        self.rate = rate
        layers = (torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))
        self.net = torch.nn.Sequential(*layers)

    def training_step(self, batch, _):
        X, y = batch
        return torch.nn.functional.cross_entropy(self.net(X), y)

    def validation_step(self, batch, _):
        X, y = batch
        self.log("accuracy", (self.net(X).argmax(1) == y).float().mean(), sync_dist=True)

    def on_validation_epoch_end(self):
        if not self.trainer.sanity_checking:
            ray.train.report({"accuracy": self.trainer.callback_metrics["accuracy"].item()})

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def loaders():
    images, labels = load_digits(return_X_y=True)
    is_test = np.arange(len(labels)) % 5 == 0
    for chosen in (~is_test, is_test):
        X, y = torch.as_tensor(images[chosen] / 16, dtype=torch.float32), torch.as_tensor(labels[chosen])
        yield torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=32)


def train_worker(config):
    """What each process of the group does."""
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, prepare_trainer

    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = prepare_trainer(
        pl.Trainer(
            max_epochs=4,
            devices="auto",
            accelerator="auto",
            strategy=RayDDPStrategy(),
            plugins=[RayLightningEnvironment()],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )
    )
    train, test = loaders()
    trainer.fit(Digits(config["rate"], config["width"]), train, test)


def train(config):
    """The trial: it starts a group of workers, which ask for resources of their own."""
    share = {"GPU": 1} if has_gpu else {"CPU": 1}
    TorchTrainer(
        train_worker,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=WORKERS, use_gpu=has_gpu, resources_per_worker=share),
        run_config=RunConfig(callbacks=[TuneReportCallback()], storage_path=os.getcwd()),
    ).fit()


experiment = hs.Experiment(
    "lightning",
    parameters=[hs.Double("rate", 1e-4, 1e-1, log=True), hs.Int("width", 8, 64, log=True)],
    metrics=[hs.maximize("accuracy")],
    budget=2,
    searcher="sobol",
)
cluster.connect()
has_gpu = ray.cluster_resources().get("GPU", 0) > 0
result = experiment.sweep(train, parallel=1, resources={"cpu": 0.5})
for run in result.runs:
    curve = " ".join(f"{point.values['accuracy']:.2f}" for point in run.curve)
    print(f"run {run.number}: {run.state}, accuracy {curve}")
print(f"{WORKERS} worker a trial, on {'GPUs' if has_gpu else 'processors'}")
