"""A Ray Tune script that is killed with kill -9 and restored: it goes on from the run log."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ray import tune

import heliostat as hs
from heliostat import cluster
from heliostat_searchers.tune import HeliostatSearch

STORAGE = Path("tune").absolute()


def train(config):
    """A second of work."""
    for epoch in range(4):
        time.sleep(0.25)
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / (epoch + 1)})


def main(is_restored):
    """The script: begin, or go on."""
    cluster.connect()
    if is_restored:
        tuner = tune.Tuner.restore(str(STORAGE / "killed"), train)
    else:
        search = HeliostatSearch(metric="loss", mode="min", searcher="sobol")
        tuner = tune.Tuner(
            train,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                num_samples=8, search_alg=search, max_concurrent_trials=2, reuse_actors=True
            ),
            run_config=tune.RunConfig(name="killed", storage_path=str(STORAGE), verbose=0),
        )
    tuner.fit()


def finished(runs):
    """The ends of the runs that have one."""
    return {run.number: run.ended for run in runs if run.ended is not None}


if len(sys.argv) > 1:
    main(sys.argv[1] == "restore")
    sys.exit()

script = subprocess.Popen([sys.executable, __file__, "begin"], stderr=subprocess.DEVNULL)
log = hs.open_log()
while len(finished(log.runs())) < 3:
    assert script.poll() is None, "the script ended before it could be killed"
    time.sleep(0.05)
os.kill(script.pid, signal.SIGKILL)
script.wait()
before = finished(log.runs())
print(f"killed when {len(before)} of 8 runs had finished")

subprocess.run([sys.executable, __file__, "restore"], stderr=subprocess.DEVNULL, check=True)
runs = log.runs()
after = finished(runs)
print(
    f"{len(runs)} runs in the log, none repeated:", all(after[number] == before[number] for number in before)
)
