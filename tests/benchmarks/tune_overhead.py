"""What search algorithms and callbacks cost Ray Tune's driver, and how long workers wait for suggestions.

Each method drives the same trainable on the same cluster from a process of its own (``tune_driver.py``):
plain random search, Ray's OptunaSearch and AxSearch, random search with Ray's MLflow callback (SQLite), and
HeliostatSearch with the run log on. Reported is what a further trial (of one result) and a further result
cost: CPU of the whole driver with all its threads, and of the hooks alone, on Ray Tune's thread. Then eight
workers with an engine that thinks a second per suggestion: the share of their time that is no work, for a
search algorithm that thinks on Ray Tune's thread and for ours; random search, which never thinks, shows what
of it is Ray's own.

    python tests/benchmarks/tune_overhead.py            all methods, stores the table (about twelve minutes)
    python tests/benchmarks/tune_overhead.py --quick    ours alone, few trials; a blocking search beside it
    python tests/benchmarks/tune_overhead.py --report   the stored table beside the goals
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from stored_table import machine, run

HERE = Path(__file__).parent
PEERS = ("random", "optuna", "ax", "mlflow", "heliostat")
SEARCHES = ("random", "blocking", "heliostat, slow engine")
FIT = 1.0
WORKERS = 8
FEW_RESULTS = 100
"""Results of a trial where each takes a server's time: more take minutes and give the same figure."""

TRIAL_GOAL, RESULT_GOAL, IDLE_GOAL, BLOCKED_GOAL = 5.0, 1.0, 0.02, 0.30


def measure(quick: bool) -> dict[str, Any]:
    """Run everything on one cluster."""
    with tempfile.TemporaryDirectory(prefix="heliostat-overhead-") as folder:
        _install_slow_engine(Path(folder))
        import ray

        from heliostat import cluster

        cluster.connect(num_cpus=WORKERS, _temp_dir=f"{folder}/ray")
        os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
        # Every driver takes seconds to begin, so the quick way has few of them.
        peers = ("heliostat",) if quick else PEERS
        searches = ("blocking", "heliostat, slow engine") if quick else SEARCHES
        trials, results = (60, 100) if quick else (240, 500)
        run_one("random", 16, 1, 0.0, 0.0)  # starts the workers, which is nobody's cost
        table = [
            cost(method, trials, min(results, FEW_RESULTS) if method == "mlflow" else results)
            for method in peers
        ]
        # So long that eight workers ask for less than one suggestion in the time that one takes.
        fit = FIT / 4 if quick else FIT
        waits = [run_one(method, WORKERS * (2 if quick else 5), 20, 11 * fit, fit) for method in searches]
        ray.shutdown()
    return {**machine("ray", "optuna", "mlflow-skinny"), "fit": fit, "costs": table, "waits": waits}


def cost(method: str, trials: int, results: int) -> dict[str, Any]:
    """CPU milliseconds per trial and per result, and trials per second."""
    short = run_one(method, trials, 1, 0.0, 0.0)
    if "error" in short:
        return {"method": method, "error": short["error"]}
    few = max(4, trials // 20)
    long = run_one(method, few, results, 0.0, 0.0)
    begun = run_one(method, few, 1, 0.0, 0.0)
    extra = few * (results - 1)
    more = short["trials"] - few  # what starting up costs, every sweep pays once
    return {
        "method": method,
        "cpu_per_trial": 1e3 * (short["cpu"] - begun["cpu"]) / more,
        "hooks_per_trial": 1e3 * (short["hook_cpu"] - begun["hook_cpu"]) / more,
        "cpu_per_result": 1e3 * (long["cpu"] - begun["cpu"]) / extra,
        "hooks_per_result": 1e3 * (long["hook_cpu"] - begun["hook_cpu"]) / extra,
        "waiting_per_result": 1e3 * (long["hook_wall"] - begun["hook_wall"]) / extra,
        "trials_per_second": short["trials"] / short["wall"],
    }


def run_one(method: str, trials: int, results: int, seconds: float, fit: float) -> dict[str, Any]:
    """One driver; what it printed, or the last line of its error."""
    command = [sys.executable, str(HERE / "tune_driver.py"), method, str(trials), str(results), str(seconds)]
    env = {**os.environ, "HELIOSTAT_BENCHMARK_FIT": str(fit)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=900)
    print(f"{method}: {trials} trials of {results} results, exit code {done.returncode}", file=sys.stderr)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "Error" in line] or [done.stderr[-200:]]
        return {"method": method, "error": lines[-1].strip()[:200]}
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def show(found: dict[str, Any]) -> bool:
    """Print the tables; whether all goals are met."""
    print(f"{found['cores']} cores, Python {found['python']}, load {found['load']} at the end\n")
    heads = ("CPU/trial", "hooks/trial", "CPU/result", "hooks/result", "wait/result", "trials/s")
    print(f"{'':12}" + "".join(f"{head:>14}" for head in heads))
    for row in found["costs"]:
        if "error" in row:
            print(f"{row['method']:12}  does not start: {row['error']}")
            continue
        cells = [f"{row[key]:11.2f} ms" for key in list(row)[1:-1]]
        print(f"{row['method']:12}" + "".join(cells) + f"{row['trials_per_second']:14.1f}")
    print(f"\nshare of eight workers' time that is no work; {found['fit']:g} s of thinking per suggestion")
    for row in found["waits"]:
        print(
            f"{row['method']:24} {row['idle']:6.1%}" if "idle" in row else f"{row['method']} {row['error']}"
        )
    missed = list(faults(found))
    print("\n".join(f"missed: {fault}" for fault in missed) or "\nall goals are met")
    return not missed


def faults(found: dict[str, Any]) -> list[str]:
    """The goals that are missed."""
    ours = next(row for row in found["costs"] if row["method"] == "heliostat")
    idle = {row["method"]: row.get("idle", 1.0) for row in found["waits"]}
    goals = {
        f"hooks per trial at most {TRIAL_GOAL:g} ms": ours.get("hooks_per_trial", 1e9) <= TRIAL_GOAL,
        f"hooks per result at most {RESULT_GOAL:g} ms": ours.get("hooks_per_result", 1e9) <= RESULT_GOAL,
        f"idle at most {IDLE_GOAL:.0%}": idle["heliostat, slow engine"] <= IDLE_GOAL,
        f"a blocking search idles over {BLOCKED_GOAL:.0%}": idle["blocking"] > BLOCKED_GOAL,
    }
    return [goal for goal, is_met in goals.items() if not is_met]


def _install_slow_engine(folder: Path) -> None:
    """A searcher that takes its time, offered as any third party offers one: by entry point."""
    package = folder / "engine"
    facts = package / "slow_engine-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-engine\nVersion: 1.0\n")
    entry = "[heliostat.searchers]\nheliostat-benchmark-slow = slow_engine:Slow\n"
    (facts / "entry_points.txt").write_text(entry)
    code = (
        "import time\nfrom heliostat_searchers.random import RandomSearcher\n"
        "class Slow(RandomSearcher):\n    def suggest(self, spec, history, count, rng):\n"
        f"        time.sleep({FIT})\n        return super().suggest(spec, history, count, rng)\n"
    )
    (package / "slow_engine.py").write_text(code)
    os.environ["PYTHONPATH"] = f"{package}:{os.environ.get('PYTHONPATH', '')}"
    sys.path.insert(0, str(package))


if __name__ == "__main__":
    sys.exit(run(__doc__, "tune_overhead", measure, show))
