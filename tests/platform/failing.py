"""Trainables that fail, one way each, as real code does; imported by tests, carried whole to workers."""

import os
import resource
import tempfile
import time
from pathlib import Path

from ray import tune

ROOM = 300 * 2**20
"""Bytes of address space beyond what the process has."""


class Unreadable(Exception):
    """An exception as users write them: its arguments are not those of its constructor."""

    def __init__(self, layer, size):
        super().__init__(f"layer {layer} cannot have size {size}")


def too_large():
    """Run into a small limit of the address space, and lift it again: the process may run other trials."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    try:
        return bytearray(2 * ROOM)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def failing(config):
    mode = config["mode"]
    tune.report({"loss": 0.5, "size": 0.1})
    if mode == "host_oom":
        too_large()
    if mode == "gpu_oom":
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
    if mode == "nan":
        raise FloatingPointError("overflow encountered in exp")
    if mode == "user_error":
        raise Unreadable(3, -1)
    if mode == "timeout":
        hang()
    if mode == "exits":
        raise SystemExit(3)


def hang():
    while True:
        try:
            time.sleep(3600)
        except Exception:  # code that catches too much
            continue


class Failing(tune.Trainable):
    """The same in a class, where the code runs in the main thread, and may fail before its first step."""

    def setup(self, config):
        if config["mode"] == "setup":
            raise Unreadable(1, 0)

    def step(self):
        if self.config["mode"] == "timeout":
            hang()
        return {"loss": 0.5, "size": 0.1, "done": True}

    def cleanup(self):
        if self.config["mode"] == "setup":
            raise RuntimeError("it was never set up")


def resuming(config):
    """Counts to 6 with a checkpoint at each step; its process dies once, at step 4."""
    begun = tune.get_checkpoint()
    step = 0
    if begun:
        with begun.as_directory() as folder:
            step = int((Path(folder) / "step").read_text())
    mark = Path(config["folder"]) / str(config["x"])
    while step < 6:
        step += 1
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step").write_text(str(step))
            tune.report({"loss": 1 / step, "size": 0.0}, checkpoint=tune.Checkpoint.from_directory(folder))
        if step == 4 and not mark.exists():
            mark.touch()
            os._exit(1)
