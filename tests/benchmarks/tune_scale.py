"""Large sweeps on one machine: many trials, many at once, many results; and the driver's memory meanwhile.

Each sweep runs in a process of its own and uses :func:`heliostat.sweep` as users do, with a searcher that
costs nothing. Memory is the driver's resident set, read when so many runs have ended.

    python tests/benchmarks/tune_scale.py            all sweeps, stores the table (about half an hour)
    python tests/benchmarks/tune_scale.py --quick    the same shapes, much smaller
    python tests/benchmarks/tune_scale.py --report   the stored table beside the goals
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from stored_table import Result, machine, run

LEVEL_GOAL = 6.0
"""Kilobytes of memory that a further trial may cost the driver once it is warm: 60 MB for 10,000 trials."""


@dataclass(frozen=True)
class Shape:
    """One sweep.

    Args:
        name: What it shows.
        trials: Its budget.
        parallel: Trials at once.
        results: Results of each trial.
        parameters: Dimensions of the space.
    """

    name: str
    trials: int
    parallel: int
    results: int
    parameters: int


SHAPES = (
    Shape("many trials", 10_000, 4, 1, 3),
    Shape("256 at once", 512, 256, 3, 3),
    Shape("1,000 results", 40, 4, 1_000, 3),
    Shape("200 parameters", 400, 4, 1, 200),
)
QUICK = (
    Shape("many trials", 300, 4, 1, 3),
    Shape("24 at once", 48, 24, 3, 3),
    Shape("200 results", 4, 4, 200, 3),
)


def train(config: dict[str, Any]) -> None:
    """So many results at once."""
    from ray import tune

    results = int(os.environ["HELIOSTAT_SCALE_RESULTS"])
    for step in range(results):
        tune.report({"loss": config["x0"] + 1 / (step + 1)})


def drive(shape: Shape) -> None:
    """Run one sweep in this process and print what it cost."""
    import psutil

    import heliostat as hs
    from heliostat import cluster

    os.environ["HELIOSTAT_SCALE_RESULTS"] = str(shape.results)
    cluster.connect(num_cpus=max(4, shape.parallel))
    with tempfile.TemporaryDirectory(prefix="heliostat-scale-", ignore_cleanup_errors=True) as folder:
        experiment = hs.Experiment(
            "scale",
            parameters=[hs.Double(f"x{place}", 0, 1) for place in range(shape.parameters)],
            metrics=[hs.minimize("loss")],
            searcher="random",
            budget=shape.trials,
            log=f"{folder}/runs.db",
        )
        memory: dict[int, float] = {}
        done = threading.Event()

        def watch() -> None:
            while not done.wait(2.0):
                counts = experiment.log.experiment(experiment.id).counts
                ended = sum(count for state, count in counts.items() if state != "active")
                memory[ended] = psutil.Process().memory_info().rss / 1e6

        watcher = threading.Thread(target=watch)
        watcher.start()
        cpu, wall = time.process_time(), time.perf_counter()
        result = experiment.sweep(train, parallel=shape.parallel, storage_path=f"{folder}/tune")
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        done.set()
        watcher.join()
        runs = experiment.log.runs(experiment.id, curves=shape.results > 1)
        facts = {
            **asdict(shape),
            "completed": sum(run.state.value == "completed" for run in runs),
            "numbers": len({run.number for run in runs}),
            "points": sum(len(run.curve) for run in runs) if shape.results > 1 else len(runs),
            "is_complete": result.is_complete,
            "cpu": cpu,
            "wall": wall,
            "memory": sorted(memory.items()),
        }
    print(json.dumps(facts))


def level(row: dict[str, Any]) -> float:
    """Kilobytes a trial by which memory grew over the last four fifths of a sweep."""
    late = [(ended, size) for ended, size in row["memory"] if ended >= row["trials"] / 5]
    (first, low), (last, high) = late[0], late[-1]
    return 1e3 * (high - low) / max(1, last - first)


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """The goals that are missed."""
    missed = []
    for row in rows:
        expected = (row["trials"], row["trials"], row["trials"] * row["results"], True)
        if (row["completed"], row["numbers"], row["points"], row["is_complete"]) != expected:
            missed.append(f"{row['name']}: every trial completed once, with every result")
    if rows[0]["trials"] >= 10_000 and level(rows[0]) > LEVEL_GOAL:
        missed.append(f"{rows[0]['name']}: at most {LEVEL_GOAL:g} kB of the driver's memory a trial")
    return missed


def show(found: Result) -> bool:
    """Print the table; whether all goals are met."""
    print(f"{found['cores']} cores, Python {found['python']}, load {found['load']} at the end\n")
    print(
        f"{'':16}{'trials':>8}{'at once':>9}{'results':>9}{'trials/s':>10}{'CPU/trial':>12}{'kB/trial':>10}"
    )
    for row in found["rows"]:
        per = f"{row['trials'] / row['wall']:10.1f}{1e3 * row['cpu'] / row['trials']:9.1f} ms"
        shape = f"{row['trials']:8}{row['parallel']:9}{row['results']:9}"
        print(f"{row['name']:16}{shape}{per}{level(row):10.1f}")
    missed = faults(found["rows"])
    print("\n".join(f"missed: {fault}" for fault in missed) or "\nall goals are met")
    return not missed


def measure(quick: bool) -> Result:
    """Run every sweep in a process of its own."""
    rows = []
    for shape in QUICK if quick else SHAPES:
        command = [sys.executable, __file__, "--drive", json.dumps(asdict(shape))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        # Ray says something of its own as it ends.
        rows.append(json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{"))))
        print(f"{shape.name}: {rows[-1]['wall']:.0f} s", file=sys.stderr)
    return {**machine("ray"), "rows": rows}


def main() -> int:
    if sys.argv[1:2] == ["--drive"]:  # one sweep, in a process of its own
        drive(Shape(**json.loads(sys.argv[2])))
        return 0
    return run(__doc__, "tune_scale", measure, show)


if __name__ == "__main__":
    sys.exit(main())
