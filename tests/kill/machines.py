"""Take machines away from sweeps: killed, announced and killed, and short of memory; and share a GPU.

A cluster of several nodes on this machine; the head node runs no trials. The first attempt of each run stops
at its third step and waits for its end. What becomes of the run is printed, and judged by the test::

    python tests/kill/machines.py

As root it runs in namespaces of its own, so that it neither sees nor disturbs another Ray on the machine.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from head import alone

SMALL = {"object_store_memory": 80 * 2**20}
PATIENCE = 120.0
HEALTH = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 3,
}
"""A dead node is seen in 1.5 s instead of 15."""

LOW = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"}
"""A node that thinks itself short of memory: its monitor ends what runs there, and nothing else."""


def counting(config: dict[str, Any], folder: str) -> None:
    """Six steps with a checkpoint each; at the third, the first attempt waits to be killed."""
    import ray
    from ray import tune

    begun, step = tune.get_checkpoint(), 0
    if begun:
        with begun.as_directory() as kept:
            step = int((Path(kept) / "step").read_text())
    mark = Path(folder) / "where"
    while step < 6:
        step += 1
        with tempfile.TemporaryDirectory() as kept:
            (Path(kept) / "step").write_text(str(step))
            tune.report({"loss": 1 / step}, checkpoint=tune.Checkpoint.from_directory(kept))
        if step == 3 and not mark.exists():
            told = mark.with_suffix(".part")
            told.write_text(ray.get_runtime_context().get_node_id())
            told.rename(mark)
            threading.Event().wait()


def lose(cluster: Any, folder: Path, how: str, end: Callable[[Any], None]) -> dict[str, Any]:
    """A sweep of one run whose first machine is taken away by `end`, and what the log says of it."""
    import heliostat as hs

    while len(cluster.worker_nodes) < 2:  # here, since nodes can only be added in the main thread
        cluster.add_node(num_cpus=1, **SMALL)
    place = folder / how
    place.mkdir()
    parameters, metrics = [hs.Double("x", 0, 1)], [hs.minimize("loss")]
    log = hs.open_log(folder / f"{how}.db")
    experiment = hs.Experiment(how, parameters=parameters, metrics=metrics, budget=1, log=log)

    def take_away() -> None:
        begun = time.monotonic()
        while not (place / "where").exists() or len(experiment.runs()[0].curve) < 3:
            if time.monotonic() - begun > PATIENCE:
                print(f"{how}: the run never came to its third step", file=sys.stderr, flush=True)
                os._exit(1)  # the sweep waits for ever
            time.sleep(0.05)
        where = (place / "where").read_text()
        node = next(node for node in cluster.worker_nodes if node.node_id == where)
        end(node)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=take_away)
    thread.start()
    result = experiment.sweep(lambda config: counting(config, str(place)), parallel=1, storage_path=place)
    thread.join()
    (run,) = result.runs
    retries = [event.body["reason"] for event in log.events(0, 1000, kinds=("RetryRun",))]
    return {
        "state": str(run.state),
        "attempt": run.attempt,
        "steps": [point.step for point in run.curve],
        "resumed_at": run.metadata.get("resumed_at"),
        "reasons": retries,
    }


def announce(node: Any) -> None:
    """Tell Ray that a node will be taken back in a minute, as a cloud's notice does."""
    import ray
    from ray._raylet import GcsClient
    from ray.core.generated import autoscaler_pb2

    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    client = GcsClient(address=ray.get_runtime_context().gcs_address)
    deadline = int((time.time() + 60) * 1000)
    accepted, why = client.drain_node(node.node_id, reason, "spot instance", deadline)
    assert accepted, why


def starve(cluster: Any, folder: Path) -> dict[str, Any]:
    """A trial of a plain Ray Tune script that a node's memory monitor ends."""
    from ray import tune

    import heliostat as hs
    from heliostat_trackers.tune import RunLogCallback

    os.environ.update(LOW)
    cluster.add_node(num_cpus=1, resources={"low": 1}, **SMALL)

    def waits(config: dict[str, Any]) -> None:
        threading.Event().wait()

    path = folder / "starved.db"
    needs = tune.with_resources(waits, {"cpu": 1, "custom_resources": {"low": 1}})
    told = tune.RunConfig(callbacks=[RunLogCallback(log=path)], verbose=0, storage_path=str(folder))
    tune.Tuner(needs, run_config=told).fit()
    log = hs.open_log(path)
    (run,) = log.runs()
    assert run.failure is not None
    return {"state": str(run.state), "kind": run.failure.kind, "message": run.failure.message}


def share(cluster: Any, folder: Path) -> dict[str, Any]:
    """Four trials on a node that says to have a GPU, with a program in the place of its driver's."""
    import heliostat as hs

    cluster.add_node(num_cpus=2, num_gpus=1, **SMALL)
    asked = folder / "asked"

    def looks(config: dict[str, Any]) -> None:
        from ray import tune

        begun = time.monotonic()
        while not asked.exists() and time.monotonic() - begun < PATIENCE:
            time.sleep(0.05)
        tune.report({"loss": config["x"], "device": int(os.environ["CUDA_VISIBLE_DEVICES"])})

    metrics = [hs.minimize("loss"), hs.store("device")]
    parameters = [hs.Double("x", 0, 1)]
    log = folder / "shared.db"
    experiment = hs.Experiment("shared", parameters=parameters, metrics=metrics, budget=4, log=log)
    result = experiment.sweep(looks, parallel=4, resources={"cpu": 0.25, "gpu": 0.25})
    return {
        "states": [str(run.state) for run in result.runs],
        "devices": [run.numbers.get("device") for run in result.runs],
        "asked": asked.read_text().splitlines()[0],
    }


def play(folder: Path) -> None:
    """All ways, one after the other, on one cluster."""
    import ray
    from ray.cluster_utils import Cluster

    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\necho "NVIDIA L4, 23034, 512, 40"\n')
    program.chmod(0o700)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH, **SMALL}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        print(json.dumps({"killed": lose(cluster, folder, "killed", lambda node: None)}), flush=True)
        print(json.dumps({"announced": lose(cluster, folder, "announced", announce)}), flush=True)
        print(json.dumps({"shared": share(cluster, folder)}), flush=True)
        print(json.dumps({"starved": starve(cluster, folder)}), flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()


def main() -> int:
    if "--here" not in sys.argv:
        # One mode for all processes, in their environment; no token file of the user's is used or made.
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        return subprocess.run(alone([], __file__), env={**os.environ, **auth}, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-", ignore_cleanup_errors=True) as folder:
        play(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
