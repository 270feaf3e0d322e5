"""Take a cluster apart while a sweep runs on it, and see that nothing is lost.

Five hosts (see ``hosts.py``): a head node without trials, which holds the log, three workers, and the host of
the driver. While the sweep goes on

1. the first worker is cut off the network, declared dead, and comes back;
2. the second worker gets a notice (as a spot machine does), its trial hears of it, then the machine is gone;
3. the head node loses its power and comes back, with Ray's state in Redis or in RocksDB;
4. the driver is killed, and another one goes on.

Printed is what was done when and what the log says in the end. Run as root::

    python tests/kill/cluster.py --store redis
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from head import alone
from hosts import HEALTH, Host, lay_network, until

BUDGET = 40
PACE = 5
"""Runs that may begin between two blows, so that there is something to lose at each of them.

Seven waits of at most ``PACE`` runs beyond those that are over: the budget lasts for all of them.
"""
STEPS = 8
STEP = 0.4
STORE = "10.77.0.254:6390"
SECRET = secrets.token_hex(16)
"""Redis's password. No other cluster can be here: the network is our own."""

WAIT = {"RAY_gcs_rpc_server_reconnect_timeout_s": "120"}
"""How long workers wait for a head node; Ray's own default is a minute."""

DRIVER = """
import socket, sys, time
from pathlib import Path
import ray
import heliostat as hs
from heliostat import cluster

folder, budget, steps, step_time = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

def may_begin(name):
    if (folder / "wanted").read_text() == socket.gethostname():
        return True
    mine = folder / "begun" / name
    if not mine.exists():
        mine.touch()
    order = sorted((folder / "begun").iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return order.index(mine) < int((folder / "allowed").read_text())

def train(config):
    import tempfile
    from ray import tune
    begun, first = tune.get_checkpoint(), 1
    while not may_begin(str(config["x"])):
        time.sleep(0.1)
    if begun:
        with begun.as_directory() as kept:
            first = int((Path(kept) / "step").read_text()) + 1
    for step in range(first, steps + 1):
        time.sleep(step_time)
        (folder / "where" / socket.gethostname()).touch()
        left = cluster.seconds_left()
        if left is not None:
            (folder / "heard").write_text(f"{left:.0f}")
        with tempfile.TemporaryDirectory() as kept:
            (Path(kept) / "step").write_text(str(step))
            tune.report({"loss": config["x"] + 1 / step}, checkpoint=tune.Checkpoint.from_directory(kept))

ray.init("auto", log_to_driver=False)
log = hs.open_log(f"ray://{folder}/runs.db")
known = log.experiments()
if known:
    experiment = hs.Experiment.open(known[0].id, log)
else:
    experiment = hs.Experiment("apart", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")],
                               budget=budget, searcher="sobol", seed=1, log=log)
result = experiment.sweep(train, parallel=3, storage_path=folder / "storage")
print("complete:", result.is_complete, flush=True)
sys.exit(0 if result.is_complete else 1)
"""


def start_redis(folder: Path) -> subprocess.Popen[bytes]:
    """Redis on the network's own address, which has to be there before; it answers when this returns."""
    host, _, port = STORE.partition(":")
    command = ["redis-server", "--bind", host, "--port", port, "--requirepass", SECRET, "--save", ""]
    told = folder / "redis.txt"
    with told.open("wb") as output:
        redis = subprocess.Popen([*command, "--dir", str(folder)], stdout=output)

    def answers() -> bool:
        if redis.poll() is not None:
            sys.exit(f"redis-server ended with {redis.returncode}\n{told.read_text()}")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        return False

    until("an answer of redis-server", answers)
    return redis


class Cluster:
    """The hosts, the store of Ray's state, and the driver, which is started again when it ends early.

    Args:
        folder: Holds the log (the head node's disk), the checkpoints, outputs.
        store: ``redis`` or ``rocksdb``.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self.folder = folder
        self.begun = time.monotonic()
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**token, **WAIT}
        self._stored: dict[str, str] = {}
        self._options = ["--head", "--port=6379", "--num-cpus=0", f"--system-config={HEALTH}"]
        lay_network()
        if store == "redis":
            self._redis = start_redis(folder)
            self._stored = {"RAY_REDIS_ADDRESS": STORE}
            self._options.append(f"--redis-password={SECRET}")
        else:
            self._stored = {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(folder / "gcs")}
        self.head, *self.workers, self.client = (Host(number) for number in range(1, 6))
        self.start_head()
        for host in (*self.workers, self.client):  # one by one: Ray's own limits for a start are short
            self.join(host)
        self.drivers = 0
        for name in ("begun", "where"):
            (folder / name).mkdir()
        self.tell("wanted", "")
        self.allow(PACE)
        self.drive()

    def say(self, what: str) -> None:
        """One line with the time."""
        print(f"{time.monotonic() - self.begun:6.1f} s  {what}", flush=True)

    def start_head(self) -> None:
        """Ray on the head host."""
        self.head.ray(self.folder, *self._options, env={**self.environment, **self._stored})

    def join(self, worker: Host) -> None:
        """Ray on a worker; the driver's host runs no trials."""
        cpus = "--num-cpus=0" if worker is self.client else "--num-cpus=1"
        worker.ray(self.folder, "--address=10.77.0.1:6379", cpus, env=self.environment)

    def drive(self) -> None:
        """A driver on its host."""
        self.drivers += 1
        arguments = [str(self.folder), str(BUDGET), str(STEPS), str(STEP)]
        with (self.folder / "driver.txt").open("ab") as output:
            self.driver = self.client.start(
                [sys.executable, "-c", DRIVER, *arguments], output, **self.environment
            )

    def kill_driver(self) -> None:
        """With SIGKILL; its entrance into the host's namespaces ends by itself."""
        for process in psutil.Process(self.driver.pid).children(recursive=True):
            process.kill()
        self.driver.wait(60)

    def ended(self) -> int:
        """Runs that are over; starts another driver where one gave up."""
        code = self.driver.poll()
        if code not in (None, 0):
            self.say(f"the driver ended ({code}), another one goes on")
            self.drive()
        return sum(not run.state.is_open for run in self.runs())

    def runs(self, curves: bool = False) -> list[Any]:
        """What the log holds now, read from the head node's disk."""
        import heliostat as hs

        if not (self.folder / "runs.db").exists():
            return []
        log = hs.open_log(self.folder / "runs.db")
        try:
            return list(log.runs(curves=curves))
        finally:
            log.close()

    def allow(self, runs: int) -> None:
        """Let so many runs begin in all."""
        self.tell("allowed", str(runs))

    def tell(self, name: str, text: str) -> None:
        """Write a file that trials read, whole at once."""
        part = self.folder / f"{name}.part"
        part.write_text(text)
        part.rename(self.folder / name)

    def await_trial(self, worker: Host) -> None:
        """Until a trial makes a step there: it may begin in any case, a few others too."""
        name = f"host{worker.number}"
        self.allow(self.ended() + PACE)
        self.tell("wanted", name)
        seen = self.folder / "where" / name
        seen.unlink(missing_ok=True)
        until(f"a trial on host {worker.number}", seen.exists)
        self.tell("wanted", "")

    def await_more(self, count: int = 2) -> None:
        """Until so many more runs are over, or all."""
        now = self.ended()
        goal = min(BUDGET, now + count)
        self.allow(max(goal, now + PACE))
        until(f"{goal} runs", lambda: self.ended() >= goal, 200)

    def alive(self) -> dict[str, str]:
        """Address → node id of what the head node takes for alive."""
        code = (
            "import json, ray; ray.init('auto', log_to_driver=False, logging_level='ERROR');"
            "print(json.dumps({n['NodeManagerAddress']: n['NodeID'] for n in ray.nodes() if n['Alive']}))"
        )
        done = self.head.call(sys.executable, "-c", code, **self.environment)
        # Ray tells of dead nodes on the same output.
        told = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return json.loads(told[-1]) if done.returncode == 0 and told else {}

    def announce(self, worker: Host, seconds: float) -> None:
        """Tell Ray that a node will be taken back, as a cloud's notice does."""
        node = self.alive()[worker.address]
        code = (
            "import sys, time; from ray._raylet import GcsClient;"
            "from ray.core.generated import autoscaler_pb2 as a;"
            "r = a.DrainNodeReason.Value('DRAIN_NODE_REASON_PREEMPTION');"
            f"d = int((time.time() + {seconds}) * 1000);"
            f"ok, why = GcsClient(address='10.77.0.1:6379').drain_node('{node}', r, 'spot', d);"
            "sys.exit(not ok)"
        )
        done = self.head.call(sys.executable, "-c", code, **self.environment)
        assert done.returncode == 0, done.stderr


def play(folder: Path, store: str) -> dict[str, Any]:
    """The four blows; what the log says in the end."""
    cluster = Cluster(folder, store)
    first, second, third = cluster.workers
    cluster.say(f"head, three workers and a driver; Ray's state in {store}")
    cluster.await_more()

    cluster.await_trial(first)
    first.cut()
    cluster.say("worker 1 cut off the network")
    until("its end", lambda: cluster.head.address in (now := cluster.alive()) and first.address not in now)
    first.mend()
    until("the end of Ray on the host that was cut off", lambda: not first.runs("raylet"))
    cluster.join(first)
    cluster.say("worker 1 declared dead, its cable mended, Ray gave up there and was started again")
    cluster.await_more()

    cluster.await_trial(second)
    cluster.announce(second, 60)
    heard = until("the notice in a trial", (folder / "heard").exists)
    cluster.say(
        f"worker 2 told that it goes in 60 s; its trial heard: {(folder / 'heard').read_text()} s left"
    )
    second.lose_power()
    cluster.say("worker 2 gone")
    second.power_up()
    cluster.join(second)
    cluster.await_more()

    cluster.await_trial(third)
    known = cluster.alive()
    drivers = cluster.drivers
    cluster.head.lose_power()
    cluster.say("head node without power")
    cluster.head.power_up()
    cluster.start_head()
    after = until("the workers' return", lambda: _returned(cluster, known))
    cluster.say(f"head node back; {after} of 4 other nodes are the same as before")
    survived = cluster.drivers == drivers and cluster.driver.poll() is None
    cluster.await_more()
    cluster.say(
        "the sweep went on under the same driver" if survived else "the sweep went on under another driver"
    )

    cluster.await_trial(third)
    open_runs = BUDGET - cluster.ended()
    cluster.kill_driver()
    cluster.say("driver killed")
    cluster.allow(BUDGET)
    cluster.await_more(BUDGET)
    code = cluster.driver.wait(120)
    cluster.say(f"the last driver ended with {code}")
    return {
        "heard": bool(heard),
        "open_at_last_blow": open_runs,
        "same_nodes": after,
        "drivers": cluster.drivers,
        **_summary(cluster),
    }


def _returned(cluster: Cluster, known: dict[str, str]) -> int:
    now = cluster.alive()
    workers = [address for address in known if address != cluster.head.address]
    return sum(now.get(address) == known[address] for address in workers) if len(now) == len(known) else 0


def _summary(cluster: Cluster) -> dict[str, Any]:
    import heliostat as hs

    runs = cluster.runs(curves=True)
    log = hs.open_log(cluster.folder / "runs.db")
    reasons = [event.body["reason"] for event in log.events(0, 5000, kinds=("RetryRun",))]
    log.close()
    return {
        "runs": len(runs),
        "states": sorted({str(run.state) for run in runs}),
        "attempts": sum(run.attempt for run in runs),
        "reasons": sorted(set(reasons)),
        "faults": list(_faults(runs)),
    }


def _faults(runs: list[Any]) -> Iterator[str]:
    if len(runs) != BUDGET:
        yield f"{len(runs)} runs of a budget of {BUDGET}"
    for run in runs:
        steps = [point.step for point in run.curve]
        if str(run.state) == "completed" and steps != list(range(1, STEPS + 1)):
            yield f"run {run.id}: steps {steps}"
        if str(run.state) != "completed":
            yield f"run {run.id} is {run.state}: {run.reason}"


def _state(folder: Path) -> str:
    """What tells why a wait was in vain."""
    import heliostat as hs

    if not (folder / "allowed").exists():
        return "the cluster never came up"
    log = hs.open_log(folder / "runs.db")
    runs = [f"{run.number} {run.state} attempt {run.attempt} {run.end_reason}" for run in log.runs()]
    log.close()
    allowed, begun = (folder / "allowed").read_text(), len(list((folder / "begun").iterdir()))
    heads = [f"{begun} begun of {allowed} allowed", *runs]
    return "\n".join([*heads, (folder / "driver.txt").read_text()[-6000:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", choices=("redis", "rocksdb"), default="redis")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.here:
        return subprocess.run(alone(sys.argv[1:], __file__), check=False, env={**os.environ}).returncode
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-", ignore_cleanup_errors=True) as folder:
        try:
            found = play(Path(folder), given.store)
        except SystemExit:
            print(_state(Path(folder)), file=sys.stderr)
            raise
        print(json.dumps(found), flush=True)
        if found["faults"]:
            print((Path(folder) / "driver.txt").read_text()[-4000:], file=sys.stderr)
    print("\n".join(found["faults"]) or "lost: nothing; the budget is met, every curve is whole")
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
