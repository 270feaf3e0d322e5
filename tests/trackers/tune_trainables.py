"""Trainables for the tests of the Ray Tune callback; they travel whole to the workers."""

import os
import time
from pathlib import Path

from ray import tune


def odd(config):
    """What happens depends on the mode."""
    mark = Path(config["folder"]) / config["mode"]
    is_first = not mark.exists()
    mark.touch()
    if config["mode"] == "dies":
        os._exit(1)
    if config["mode"] == "raises" or (config["mode"] == "raises once" and is_first):
        raise ValueError("no such <b>layer</b>\nreally")
    if config["mode"] == "dies once" and is_first:
        os._exit(1)
    for step in range(3):
        loss = float("nan") if config["mode"] == "nan" else 1.0 / (step + 1)
        tune.report({"loss": loss, "parts": {"first": step}, "remark": "text"})


def curve(config):
    for step in range(8):
        tune.report({"loss": config["x"] + 1 / (step + 1)})


def slow(config):
    for step in range(600):
        time.sleep(0.1)
        tune.report({"loss": config["x"], "step": step})


class Enough(tune.Stopper):
    """Breaks the whole search off after so many results, as a budget of time does."""

    def __init__(self, results):
        self.left = results

    def __call__(self, trial_id, result):
        self.left -= 1
        return False

    def stop_all(self):
        return self.left <= 0


class Growing(tune.Trainable):
    """Its score grows by its rate; population based training changes the rate."""

    def setup(self, config):
        self.score = 0.0

    def step(self):
        self.score += self.config["rate"]
        return {"score": self.score}

    def save_checkpoint(self, folder):
        Path(folder, "score").write_text(str(self.score))

    def load_checkpoint(self, folder):
        self.score = float(Path(folder, "score").read_text())

    def reset_config(self, config):
        return True
