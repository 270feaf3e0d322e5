"""The stored table beside the goals, a quick comparison, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import quality_stopping as stopping
from quality_goals import goals
from quality_harness import play
from quality_methods import METHODS, OURS
from quality_plan import Plan, tried
from quality_problem import Problem, with_budget
from quality_stats import Summary
from quality_suite import problems
from quality_table import Scored, scored, show, show_standings
from scipy.stats import rankdata

QUICK = (("branin", 25), ("hartmann6", 30), ("branin_fail", 25), ("branin_currin", 20))
QUICK_METHODS = (OURS, "random", "optuna_tpe")
QUICK_SEEDS = 2
STEPS = 50
"""Points of the picture's lines."""


LEGEND = """Less is better in every column. Area is the mean of the curve over the budget; p <us is the chance
(one-sided Mann-Whitney U) of such scores if the method were not better than ours, p >us if it were not worse.
CPU ms is the median of ask and tell of one trial, one thread."""


def report(chosen: Sequence[Problem], names: Sequence[str] | None) -> int:
    """Tables, standings and goals; 1 where a goal is missed."""
    items = scored(chosen, names)
    if not items:
        print("nothing is stored: run this without an option first")
        return 1
    print(LEGEND)
    for item in items:
        show(item)
    suites = {problem.suite for problem in chosen}
    if len(chosen) == len(problems()):  # P15 has no problems: it is shown with the whole suite
        suites.add("P15")
        stopping.show()
    show_standings(items)
    found = [goal for goal in goals(items) if goal.name.split()[0].rstrip(":") in {*suites, "all"}]
    print()
    for goal in found:
        print(goal)
    print(f"{sum(goal.is_met for goal in found)} of {len(found)} goals met")
    return 0 if all(goal.is_met for goal in found) else 1


def compare(plans: Sequence[Plan], environments: Path, workers: int) -> int:
    """Play cells without storing them, and print them beside the stored runs of the other methods."""
    fresh = tried(plans, environments, workers)
    for trace in fresh:
        if trace.error:
            print(f"{trace.method} on {trace.problem}, seed {trace.seed} BROKE OFF: {trace.error}")
    wanted = list({plan.problem.name: plan.problem for plan in plans}.values())
    items = scored(wanted, fresh=fresh)
    for item in items:
        show(item)
    print()
    named = [goal for goal in goals(items) if goal.found is not None]
    for goal in named:
        print(goal)
    return 0


def quick(environments: Path) -> int:
    """A few small cells, not stored: ours over the others."""
    for name, budget in QUICK:
        problem = with_budget(problems()[name], budget)
        runs = {}
        for method in QUICK_METHODS:
            with Path("/dev/null").open("w") as nowhere:
                runs[method] = [
                    play(problem, METHODS[method], seed, environments, nowhere) for seed in range(QUICK_SEEDS)
                ]
        item = Scored(problem, {method: found for method, found in runs.items() if found[0].x})
        ratios = {peer: item.ratio(OURS, peer) for peer in QUICK_METHODS[1:]}
        shown = ", ".join(f"{ratio:.3g} of {peer}'s" for peer, ratio in ratios.items() if ratio is not None)
        cpu = (
            np.median([second for trace in runs[OURS] for second in trace.cpu]) if runs[OURS][0].x else np.nan
        )
        errors = "; ".join({trace.error for trace in runs[OURS] if trace.error})
        median = item.median(OURS)
        print(
            f"{name:<14} after {budget}: {problem.score} {np.nan if median is None else median:.3g}, {shown};"
            f" {1000 * cpu:.0f} CPU ms a suggestion{' ' + errors if errors else ''}",
            flush=True,
        )
    return 0


def plot(chosen: Sequence[Problem], names: Sequence[str] | None) -> int:
    """Mean rank of the median over the share of the budget, as SVG."""
    from matplotlib.figure import Figure

    items = [item for item in scored(chosen, names) if item.problem.score != "latency"]
    shares = np.arange(1, STEPS + 1) / STEPS
    lines: dict[str, list[np.ndarray]] = {}
    for item in items:
        here = [name for name in item.runs if name in METHODS]
        if len(here) < 2:
            continue
        ranks = np.array([ranks_at(item, here, share) for share in shares])
        for name, column in zip(here, ranks.T, strict=True):
            lines.setdefault(name, []).append(column)
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    most = max(map(len, lines.values()), default=0)
    for name, found in sorted(lines.items(), key=lambda pair: np.mean(pair[1], axis=0)[-1]):
        if len(found) >= most / 3:  # a method that plays a few problems only has no mean rank to compare
            width = 2.5 if name == OURS else 1.2
            axes.plot(shares, np.mean(found, axis=0), label=f"{name} ({len(found)})", linewidth=width)
    axes.set(xlabel="share of the budget", ylabel="mean rank of the median (0 best, 1 worst)", ylim=(0, 1))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="method (problems)")
    place = Path(__file__).parent / "results" / "quality" / "mean_rank.svg"
    figure.savefig(place, metadata={"Date": None})
    print(place)
    return 0


def ranks_at(item: Scored, names: Sequence[str], share: float) -> np.ndarray:
    """Ranks of the medians, 0 to 1, after a share of the budget."""
    column = [item.curves[name] for name in names]
    at = max(0, round(share * column[0].shape[1]) - 1)
    ranks = rankdata([Summary.of(found[:, at]).median for found in column])
    return (ranks - 1) / (len(names) - 1)
