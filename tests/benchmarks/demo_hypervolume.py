"""The demo's sweep: Bayesian against random search, same budget, same early stopping, same machine.

Measure: the volume between the feasible front and a fixed reference point, in accuracy (from 0.8) and the
decimal logarithm of the latency (below 5 µs), so that the whole front counts and not one end of it. Latency
is measured on a live machine and is therefore noisy; methods take turns, so that all suffer alike.

    python tests/benchmarks/demo_hypervolume.py            5 seeds each, stores the table (about 12 minutes)
    python tests/benchmarks/demo_hypervolume.py --quick    1 seed, small budget (under a minute)
    python tests/benchmarks/demo_hypervolume.py --report   the stored table beside the goal
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from heliostat import EarlyStopping, Experiment
from heliostat.analysis import hypervolume, leaders
from heliostat.demo.digits import EPOCHS, SPEC, train

STORED = Path(__file__).parent / "results" / "demo_hypervolume.json"
METHODS = ("bayesian", "random")
REFERENCE = np.array([0.8, -math.log10(5.0)])
GOAL = 1.0
"""Median hypervolume of the Bayesian sweep over that of random search."""


def volume(spec, runs):
    """Hypervolume of the feasible front above the reference point."""
    front = [run.numbers for run in leaders(spec, runs)]
    points = [[item["accuracy"], -math.log10(item["latency_us"])] for item in front]
    inside = [point for point in points if all(np.array(point) > REFERENCE)]
    return hypervolume(np.array(inside), REFERENCE) if inside else 0.0


def measure(method, seed, budget, folder):
    """One sweep: its hypervolume at a third, two thirds and the end of the budget."""
    spec = {**SPEC, "searcher": method, "seed": seed, "budget": budget}
    experiment = Experiment.create(spec, f"sqlite:///{folder}/{method}-{seed}.db")
    rule = EarlyStopping("accuracy", EPOCHS, grace=6, reduction=1.5)
    result = experiment.sweep(train, parallel=2, early_stopping=rule)
    cuts = [budget // 3, 2 * budget // 3, budget]
    found = [volume(experiment.spec, [run for run in result.runs if run.number <= cut]) for cut in cuts]
    experiment.log.close()
    return {"method": method, "seed": seed, "budget": budget, "hypervolume": found, "front": len(result.best)}


def run(seeds, budget):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for method in METHODS:
                rows.append(measure(method, seed, budget, folder))
                print(json.dumps(rows[-1]), flush=True)
    return rows


def show(rows):
    """The table, and the ratio of the medians of Bayesian and random search."""
    medians = {}
    print(f"{'method':<10} {'seeds':>5} {'1/3':>8} {'2/3':>8} {'end':>8} {'worst':>8} {'best':>8}")
    for method in METHODS:
        found = [row["hypervolume"] for row in rows if row["method"] == method]
        cuts = [statistics.median(column) for column in zip(*found, strict=True)]
        ends = [row[-1] for row in found]
        medians[method] = cuts[-1]
        print(
            f"{method:<10} {len(found):>5} "
            + " ".join(f"{value:8.4f}" for value in (*cuts, min(ends), max(ends)))
        )
    ratio = medians["bayesian"] / medians["random"] if medians["random"] else math.inf
    pairs = {(row["method"], row["seed"]): row["hypervolume"][-1] for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    wins = sum(pairs["bayesian", seed] > pairs["random", seed] for seed in seeds)
    print(f"bayesian / random: {ratio:.3f} (goal: above {GOAL}); better on {wins} of {len(seeds)} seeds")
    return ratio


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    if options.report:
        return 0 if show(json.loads(STORED.read_text())) > GOAL else 1
    rows = run(1, 12) if options.quick else run(5, SPEC["budget"])
    show(rows)
    if not options.quick:
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
