"""Trainables that misbehave, one way each; imported by tests and by the scripts that tests start."""

import os
import time
from pathlib import Path

from ray import tune


def bowl(config):
    tune.report({"loss": (config["x"] - 0.3) ** 2, "size": config["x"]})


def odd(config):
    """What happens depends on the mode alone."""
    mode = config["mode"]
    if mode == "raises":
        raise ValueError("no such <b>layer</b>")
    report = {"loss": config["x"], "size": 0.1}
    if mode == "nan":
        report["loss"] = float("nan")
    if mode == "text":
        report["loss"] = "low"
    if mode == "forgets":
        del report["loss"]
    if mode == "nothing":
        return None
    if mode == "returns":
        return report
    tune.report(report)
    return None


def slow_bowl(config):
    for epoch in range(3):
        time.sleep(0.05)
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / (epoch + 1), "size": config["x"]})


def curve(config):
    for epoch in range(9):
        tune.report({"loss": config["x"] + 1 / (epoch + 1), "size": 0.0})


def dies_once(config):
    """Its process dies at the first attempt of each point; folder from the environment of the worker."""
    mark = Path(config["folder"]) / f"{config['x']}"
    if not mark.exists():
        mark.touch()
        os._exit(1)
    tune.report({"loss": config["x"], "size": 0.0})


def always_dies(config):
    os._exit(1)
