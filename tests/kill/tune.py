"""Kill the processes of a sweep on a cluster of several nodes.

A head node and two others, on this machine, each with a raylet of its own, and a driver that sweeps. Each
round kills one of them with SIGKILL at a random moment: a trial's worker, a node in mid-trial (another takes
its place), the actor that thinks, or the driver, whose successor goes on from the log. In the end the budget
is met exactly, no trial that had finished was run again or has changed, each started trial has one end, and
the history that the last driver's searcher knows is the log's::

    python tests/kill/tune.py --rounds 20
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["RAY_AUTH_MODE"] = "disabled"  # the driver and the nodes are processes of their own

import psutil
from ray.cluster_utils import Cluster

import heliostat as hs
from heliostat.trial import Run, State

PER_ROUND = 6
"""Trials that a round may use."""

DRIVER = """
import json, os, sys, time
import heliostat as hs

url, experiment, folder = sys.argv[1:]

def train(config):
    from ray import tune
    with open(f"{folder}/workers/{os.getpid()}", "w"):
        pass
    with open(f"{folder}/begun-{os.getpid()}", "a") as file:
        print(json.dumps([config["x"], time.time()]), file=file, flush=True)
    for step in range(3):
        time.sleep(0.15)
        tune.report({"loss": (config["x"] - 0.3) ** 2 + 1 / (step + 1)})

log = hs.open_log(url)
experiment = hs.Experiment.open(int(experiment), log)
result = experiment.sweep(train, parallel=4)
known = [[run.id, str(run.state), run.numbers] for run in experiment.engine.history.runs]
with open(f"{folder}/history.json.new", "w") as file:
    json.dump({"is_complete": result.is_complete, "runs": known}, file)
os.replace(f"{folder}/history.json.new", f"{folder}/history.json")
"""


class Sweep:
    """The cluster, the driver, and what is known of both.

    Args:
        folder: For the log and for what workers note.
        budget: Of the experiment.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder, self.budget = folder, budget
        (folder / "workers").mkdir()
        self.url = f"sqlite:///{folder / 'runs.db'}"
        self.log = hs.open_log(self.url)
        self.experiment = hs.Experiment(
            "killed",
            parameters=[hs.Double("x", 0, 1)],
            metrics=[hs.minimize("loss")],
            searcher="sobol",
            budget=budget,
            log=self.log,
        )
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.nodes = [self._new_node() for _ in range(2)]
        self.settled: dict[int, Run] = {}
        self.driver = self._start()

    def runs(self) -> list[Run]:
        """All runs of the log."""
        return self.log.runs(self.experiment.id)

    @property
    def is_over(self) -> bool:
        """Whether a driver has come to the end."""
        return (self.folder / "history.json").exists()

    def await_progress(self, patience: float = 180.0) -> None:
        """Wait until another run has ended, or the sweep has."""
        before, deadline = self._ended(), time.monotonic() + patience
        while self._ended() == before and not self.is_over:
            if self.driver.poll() is not None and not self.is_over:
                sys.exit(f"the driver ended by itself: {self._said()}")
            if time.monotonic() > deadline:
                sys.exit(f"no run has ended within {patience:g} s: {self._said()}")
            time.sleep(0.02)  # another process works: there is nothing to wait on

    def kill_worker(self) -> bool:
        """Kill the process of a running trial."""
        found = [int(path.name) for path in (self.folder / "workers").iterdir()]
        alive = [process for process in found if psutil.pid_exists(process)]
        return bool(alive) and _kill(random.choice(alive))

    def kill_node(self) -> bool:
        """Kill a node with all that runs there; another one joins."""
        node = self.nodes.pop(random.randrange(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._new_node())
        return True

    def kill_thinker(self) -> bool:
        """Kill the actor that thinks."""
        raylets = {node.all_processes["raylet"][0].process.pid for node in self._all_nodes()}
        for process in psutil.process_iter(["name", "cmdline", "ppid"]):
            is_thinking = any("Thinking" in word for word in process.info["cmdline"] or ())
            if is_thinking and process.info["ppid"] in raylets:
                return _kill(process.pid)
        return False

    def kill_driver(self) -> bool:
        """Kill the driver; the next one goes on. What had ended is noted first."""
        self.driver.kill()
        self.driver.wait()
        self.settled |= {run.id: run for run in self.runs() if not run.state.is_open}
        self.driver = self._start()
        return True

    def finish(self, patience: float = 400.0) -> None:
        """Let the last driver come to the end."""
        try:
            self.driver.wait(patience)
        except subprocess.TimeoutExpired:
            sys.exit(f"the sweep did not end within {patience:g} s: {self._said()}")

    def close(self) -> None:
        """Leave nothing behind."""
        self.driver.kill()
        self.driver.wait()
        self.cluster.shutdown()
        self.log.close()

    def faults(self) -> Iterator[str]:
        """What is lost, twice or different."""
        runs = self.runs()
        counted = [run for run in runs if run.state.uses_budget]
        if len(counted) != self.budget:
            yield f"{len(counted)} runs count in a budget of {self.budget}"
        if [run.number for run in runs] != list(range(1, len(runs) + 1)):
            yield "the runs are not numbered 1, 2, 3, …"
        for run in runs:
            is_fine = run.state in {State.COMPLETED, State.CANCELLED} or _died_too_often(run)
            if not is_fine:
                yield f"run {run.number} is {run.state}: {run.end_reason}"
        yield from self._repeated({run.assignments["x"]: run for run in runs})
        for id, before in self.settled.items():
            after = self.log.run(id)
            if (after.state, after.ended, after.numbers) != (before.state, before.ended, before.numbers):
                yield f"run {before.number} had ended and has changed"
        known = json.loads((self.folder / "history.json").read_text())
        if not known["is_complete"]:
            yield "the last driver does not call it complete"
        if known["runs"] != [[run.id, str(run.state), run.numbers] for run in runs]:
            yield "the searcher's history is not the log's"

    def _repeated(self, runs: dict[Any, Run]) -> Iterator[str]:
        for path in self.folder.glob("begun-*"):
            for line in path.read_text().splitlines():
                x, begun = json.loads(line)
                ended = runs[x].ended
                if ended is not None and begun > ended:
                    yield f"run {runs[x].number} began again after its end"

    def _ended(self) -> int:
        return sum(not run.state.is_open for run in self.runs())

    def _new_node(self, patience: int = 3) -> Any:
        """A node that has joined; on a busy machine one may not come up in the time that Ray gives it."""
        for _ in range(patience - 1):
            try:
                return self.cluster.add_node(num_cpus=2)
            except Exception as error:
                print(f"a node did not come up: {error}", flush=True)
        return self.cluster.add_node(num_cpus=2)

    def _all_nodes(self) -> list[Any]:
        return [self.cluster.head_node, *self.nodes]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", DRIVER, self.url, str(self.experiment.id), str(self.folder)]
        env = {**os.environ, "RAY_ADDRESS": self.cluster.address}
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(command, env=env, stdout=said, stderr=said)

    def _said(self) -> str:
        return (self.folder / "said").read_text(errors="replace")[-2000:]


def _kill(process: int) -> bool:
    try:
        psutil.Process(process).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def _died_too_often(run: Run) -> bool:
    """A run that was hit by three kills is taken for their cause."""
    return run.failure is not None and run.failure.kind == "worker_died"


def play(rounds: int, folder: Path) -> list[str]:
    """All rounds; the faults found in the end."""
    sweep = Sweep(folder, rounds * PER_ROUND)
    ways: dict[str, Callable[[], bool]] = {
        "worker": sweep.kill_worker,
        "node": sweep.kill_node,
        "thinker": sweep.kill_thinker,
        "driver": sweep.kill_driver,
    }
    try:
        for number in range(rounds):
            sweep.await_progress()
            if sweep.is_over:
                print(f"the sweep was over after {number} rounds")
                break
            time.sleep(random.uniform(0.0, 1.0))
            way = list(ways)[number % 4] if number < len(ways) else random.choice(list(ways))
            was_there = ways[way]()
            print(f"round {number + 1}: {way}{'' if was_there else ', which was not there'}", flush=True)
        sweep.finish()
        runs = sweep.runs()
        attempts = sum(run.attempt for run in runs)
        print(f"{len(runs)} runs, {attempts} attempts, budget {sweep.budget}")
        return list(sweep.faults())
    finally:
        sweep.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    print(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-", ignore_cleanup_errors=True) as folder:
        found = play(given.rounds, Path(folder))
    print("\n".join(found) or "budget met, none lost, none twice, the history is the log's", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
