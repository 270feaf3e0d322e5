"""Four trials share one GPU; those that need more than a quarter run out of memory, which is learned."""

import sys
import time
from collections import Counter

import ray
import torch
from ray import tune

import heliostat as hs
from heliostat import cluster

if not torch.cuda.is_available():
    sys.exit(print("skipped: this machine has no GPU, or its torch is built for processors only"))

SHARE = 0.25


def train(config):
    """Multiply matrices; Ray shares GPUs out by number only, so the limit of memory is torch's."""
    torch.cuda.set_per_process_memory_fraction(SHARE)
    images = torch.randn(config["batch"], 4096, device="cuda")
    weights = torch.randn(4096, config["width"], device="cuda", requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=1e-3)
    for epoch in range(5):
        began = time.perf_counter()
        for _ in range(10):
            optimizer.zero_grad()
            (images @ weights).square().mean().backward()
            optimizer.step()
        torch.cuda.synchronize()
        speed = 10 * config["batch"] / (time.perf_counter() - began)
        tune.report({"epoch": epoch, "loss": weights.square().mean().item(), "images_per_second": speed})


cluster.connect()
memory = torch.cuda.get_device_properties(0).total_memory / 2**20
experiment = hs.Experiment(
    "a quarter each",
    parameters=[hs.Int("batch", 2**8, 2**20, log=True), hs.Int("width", 2**8, 2**15, log=True)],
    metrics=[
        hs.maximize("images_per_second"),
        hs.guardrail("gpu_peak_memory_mb", at_most=0.2 * memory),  # measured, not reported
    ],
    budget=24,
    seed=1,
)
result = experiment.sweep(train, parallel=4, resources={"cpu": 1, "gpu": SHARE}, trial_timeout=120)
ends = Counter(run.failure.kind if run.failure else str(run.state) for run in result.runs)
halves = [sum(run.failure is not None for run in half) for half in (result.runs[:12], result.runs[12:])]
print(f"on {ray.cluster_resources()['GPU']:g} GPU of {memory:.0f} MiB: {dict(ends)}")
print(f"out of memory {halves[0]} times among the first 12 runs, {halves[1]} times among the last 12")
for run in result.best:
    facts = {name: run.metadata.get(name) for name in ("gpus", "gpu_memory_mb", "gpu_utilization")}
    print(f"run {run.number}: {run.numbers['images_per_second']:.0f} images/s, {facts}")
