"""What Ray's head node pays for a node that is there, and for an actor (a trial's worker).

One head node and up to eight others, real raylets that share this machine. CPU of the head's GCS process is
read from the kernel: at rest with 2 and with 8 nodes (the difference is what six nodes cost a second), then
while actors without any work are made and ended in waves (what it takes at rest is left out). The scale plan
(cluster/simulate.py) reads the stored result::

    python tests/benchmarks/ray_head.py            stores the result (about two minutes)
    python tests/benchmarks/ray_head.py --quick    fewer nodes, less rest
    python tests/benchmarks/ray_head.py --report   the stored result
"""

from __future__ import annotations

import os
import sys
import time

from stored_table import Result, machine, run

GOAL_MS = 50.0
"""CPU of the head for an actor: twenty trials a second keep one of its cores busy."""


def gcs_cpu() -> float:
    """CPU seconds of this process's GCS so far."""
    import psutil

    ours = psutil.Process().children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in ours if process.name() == "gcs_server")


def at_rest(seconds: float) -> float:
    """CPU seconds a second."""
    before, begun = gcs_cpu(), time.monotonic()
    time.sleep(seconds)
    return (gcs_cpu() - before) / (time.monotonic() - begun)


def measured(nodes: int, rest: float, waves: int) -> dict[str, float]:
    """All of it, on a cluster of its own."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=2)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        few = at_rest(rest)
        for _ in range(nodes - 2):
            cluster.add_node(num_cpus=0)
        many = at_rest(rest)

        class Idle:
            def answer(self) -> int:
                return os.getpid()

        made = ray.remote(num_cpus=1)(Idle)
        ray.get([actor.answer.remote() for actor in [made.remote() for _ in range(4)]])  # processes are warm
        before, begun = gcs_cpu(), time.monotonic()
        for _ in range(waves):
            actors = [made.remote() for _ in range(4)]
            ray.get([actor.answer.remote() for actor in actors])
            for actor in actors:
                ray.kill(actor)
        spent = gcs_cpu() - before - many * (time.monotonic() - begun)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "nodes": nodes,
        "node_cpu": max(0.0, (many - few) / (nodes - 2)),
        "rest_cpu": few,
        "actors": 4.0 * waves,
        "actor_cpu_ms": 1000 * spent / (4 * waves),
    }


def show(found: Result) -> bool:
    """Print a result; whether the goal is met."""
    kept = found["actor_cpu_ms"] <= GOAL_MS
    print(f"a node at rest: {found['node_cpu'] * 1000:.2f} ms CPU a second of the head's GCS")
    print(f"an actor: {found['actor_cpu_ms']:.1f} ms (goal {GOAL_MS:g}): {'kept' if kept else 'MISSED'}")
    return bool(kept)


def measure(quick: bool) -> Result:
    """What is stored."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    return {**machine("ray"), **(measured(4, 5.0, 4) if quick else measured(8, 20.0, 15))}


if __name__ == "__main__":
    sys.exit(run(__doc__, "ray_head", measure, show))
