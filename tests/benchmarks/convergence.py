"""Convergence monitoring, judged: when it stops a search, and what would still have been won.

Each problem is searched to its budget of 100 runs by ``bayesian`` (and Branin by ``random``, which has no
model to hear); after each run the verdict is asked for. ``yes`` counts the seeds in which it was given, at
the first, the median and the last run. ``left`` is what the best feasible value (or hypervolume) still gained
from there to the end, also as a share of what the search won after its first five feasible runs (from the
median of its levels then). ``turns`` counts verdicts taken back without a gain that counts, which hysteresis
is to prevent.

    python tests/benchmarks/convergence.py            10 seeds each, stores the table (about 10 minutes)
    python tests/benchmarks/convergence.py --quick    2 seeds each
    python tests/benchmarks/convergence.py --report   the stored table beside the goals
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import replace

import numpy as np
from stored_table import run

from heliostat.convergence import converged
from heliostat.registry import make_searcher
from heliostat.testing.problems import BRANIN, BRANIN_CURRIN, FAILING, HARTMANN6, MIXED
from heliostat.trial import History

BUDGET = 100
FIRST = 5
COSTLY_SEEDS = 4
"""With several objectives a search of 100 runs takes a minute and more of CPU."""

CASES = (
    ("branin", BRANIN, "bayesian"),
    ("hartmann6", HARTMANN6, "bayesian"),
    ("mixed", MIXED, "bayesian"),
    ("failing", FAILING, "bayesian"),
    ("branin_currin", BRANIN_CURRIN, "bayesian"),
    ("branin", BRANIN, "random"),
)


def searched(problem, name, seed):
    """The history of one search."""
    spec, searcher, runs = replace(problem.spec, seed=seed, budget=BUDGET), make_searcher(name), ()
    for number in range(1, BUDGET + 1):
        rng = np.random.default_rng([seed, number])
        (proposal,) = searcher.suggest(spec, History(runs), 1, rng)
        run = problem.run(number, proposal)
        runs = (*runs, replace(run, predicted=proposal.predicted, why=proposal.why))
    return spec, runs


def judged(problem, name, seed):
    """Where one search would have ended, and what that would have cost."""
    spec, runs = searched(problem, name, seed)
    stop, turns, before = None, 0, None
    for count in range(1, BUDGET + 1):
        found = converged(spec, runs[:count])
        if found and stop is None:
            stop = count
        if before and not found and found.evidence["last_gain_run"] == before.evidence["last_gain_run"]:
            turns += 1
        before = found
    bests = [problem.best(History(runs[:count])) for count in range(1, BUDGET + 1)]
    start = statistics.median([best for best in bests if np.isfinite(best)][:FIRST])
    left = abs(bests[-1] - bests[(stop or BUDGET) - 1])
    share = left / abs(bests[-1] - start) if bests[-1] != start else 0.0
    return {"stop": stop or BUDGET, "said": stop is not None, "left": left, "share": share, "turns": turns}


def measure(seeds):
    """One row for each problem and searcher."""
    rows = []
    for task, problem, name in CASES:
        count = seeds if len(problem.spec.metrics.objectives) == 1 else min(seeds, COSTLY_SEEDS)
        found = [judged(problem, name, seed) for seed in range(count)]
        rows.append(
            {
                "problem": task,
                "searcher": name,
                "said": sum(item["said"] for item in found),
                "stops": sorted(item["stop"] for item in found),
                "left": statistics.median(item["left"] for item in found),
                "share": statistics.median(item["share"] for item in found),
                "worst": max(item["share"] for item in found),
                "turns": sum(item["turns"] for item in found),
            }
        )
        _show_row(rows[-1])
    return {"seeds": seeds, "budget": BUDGET, "rows": rows}


def _show_row(row):
    stops, middle = row["stops"], statistics.median(row["stops"])
    print(
        f"{row['problem']:<14} {row['searcher']:<9} {row['said']:5d} {stops[0]:5d} {middle:7g}"
        f" {stops[-1]:5d} {row['left']:10.2g} {row['share']:9.3%} {row['worst']:9.3%} {row['turns']:6d}",
        flush=True,
    )


def _show_head(seeds):
    print(
        f"{seeds} seeds ({COSTLY_SEEDS} with several objectives), budget {BUDGET}; left: median, its "
        "share of what was won, and the worst share"
    )
    print(
        f"{'problem':<14} {'searcher':<9} {'yes':>5} {'first':>5} {'median':>7} {'last':>5} {'left':>10}"
        f" {'share':>9} {'worst':>9} {'turns':>6}"
    )


def show(result):
    """Print the table and the goals; whether all are met."""
    _show_head(result["seeds"])
    for row in result["rows"]:
        _show_row(row)
    ours = [row for row in result["rows"] if row["searcher"] == "bayesian"]
    goals = (
        ("median share left, worst problem", max(row["share"] for row in ours), 0.01),
        ("verdicts taken back without a gain", sum(row["turns"] for row in result["rows"]), 0),
        ("median stop on Branin", statistics.median(ours[0]["stops"]), 60),
    )
    print()
    for name, found, limit in goals:
        print(f"{'ok    ' if found <= limit else 'MISSED'} {name:<40} {found:>8.4g} (goal ≤ {limit:g})")
    return all(found <= limit for _, found, limit in goals)


if __name__ == "__main__":
    sys.exit(run(__doc__, "convergence", lambda quick: measure(2 if quick else 10), show))
