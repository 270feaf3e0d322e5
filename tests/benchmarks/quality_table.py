"""The stored traces as scores per problem and method, and what is printed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import quality_stats as stats
import quality_traces as traces
from quality_methods import METHODS, OURS
from quality_problem import Problem
from quality_scores import curve, facts
from quality_stats import Summary
from quality_traces import Trace


@dataclass(frozen=True)
class Scored:
    """A problem with the scores of all methods that played it.

    Args:
        problem: Which one.
        runs: Method → its runs, by seed.
    """

    problem: Problem
    runs: dict[str, list[Trace]]

    @cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """Method → ``seeds x budget``."""
        return {
            name: np.array([curve(self.problem, trace) for trace in found])
            for name, found in self.runs.items()
        }

    @cached_property
    def ends(self) -> dict[str, np.ndarray]:
        """Scores at the end of the budget."""
        return {name: found[:, -1] for name, found in self.curves.items()}

    @cached_property
    def halves(self) -> dict[str, np.ndarray]:
        """Scores at half of the budget."""
        return {name: found[:, found.shape[1] // 2 - 1] for name, found in self.curves.items()}

    @cached_property
    def areas(self) -> dict[str, np.ndarray]:
        """Areas under the curves."""
        return stats.areas(self.curves)

    def median(self, name: str) -> float | None:
        """Of the final score."""
        return Summary.of(self.ends[name]).median if name in self.ends else None

    def fact(self, name: str, key: str) -> np.ndarray:
        """One fact of each run."""
        return np.array([facts(self.problem, trace)[key] for trace in self.runs.get(name, [])])

    @property
    def peers(self) -> list[str]:
        """The methods that are not ours."""
        return [name for name in self.runs if not name.startswith(OURS)]

    @property
    def best_peer(self) -> str | None:
        """By the median of the final score, by area where medians are equal."""

        def standing(name: str) -> tuple[float, float]:
            return Summary.of(self.ends[name]).median, Summary.of(self.areas[name]).median

        return min(self.peers, key=standing, default=None)

    @cached_property
    def floor(self) -> float:
        """Scores below a ten-thousandth of random's count as equal in ratios: no user could tell."""
        base = self.median("random")
        return 1e-4 * base if base is not None and np.isfinite(base) else 1e-12

    def ratio(self, one: str, other: str, table: str = "ends") -> float | None:
        """Median score of one method over that of another."""
        found = getattr(self, table)
        if one not in found or other not in found:
            return None
        upper, lower = (max(self.floor, Summary.of(found[name]).median) for name in (one, other))
        return upper / lower if np.isfinite(upper) else np.inf


def scored(
    problems: Sequence[Problem], names: Sequence[str] | None = None, fresh: Sequence[Trace] = ()
) -> list[Scored]:
    """All stored problems; runs that broke off count with what they had.

    Args:
        problems: Which ones.
        names: Methods; all by default. Ours is always among them.
        fresh: Runs that stand in place of all stored ones of their methods.
    """
    found = []
    replaced = {trace.method for trace in fresh}
    for problem in problems:
        runs = {
            name: list(traces.read(name, problem.name).values())
            for name in METHODS
            if (names is None or name in names or name == OURS) and name not in replaced
        }
        for trace in fresh:
            if trace.problem == problem.name and trace.x:
                runs.setdefault(trace.method, []).append(trace)
        found.append(Scored(problem, {name: items for name, items in runs.items() if items}))
    return [item for item in found if item.runs]


def show(item: Scored) -> None:
    """The table of one problem."""
    problem = item.problem
    seeds = sum(map(len, item.runs.values()))
    print(f"\n{problem.suite} {problem.name}: {problem.score}, budget {problem.budget}, {seeds} runs")
    print(
        f"  {'method':<17} {'n':>3} {'half: median [quartiles]':>30} {'end: median [quartiles]':>30}"
        f" {'area':>9} {'p <us':>6} {'p >us':>6} {'CPU ms':>8}  notes"
    )
    for name in sorted(item.runs, key=lambda name: Summary.of(item.ends[name]).median):
        against = ["", ""]
        if OURS in item.ends and name != OURS:
            ours, theirs = item.ends[OURS], item.ends[name]
            against = [f"{stats.is_better(theirs, ours):.3f}", f"{stats.is_better(ours, theirs):.3f}"]
        cpu = 1000 * np.median(np.concatenate([trace.cpu for trace in item.runs[name]]))
        print(
            f"  {name:<17} {len(item.runs[name]):>3} {Summary.of(item.halves[name])!s:>30}"
            f" {Summary.of(item.ends[name])!s:>30} {np.median(item.areas[name]):9.3g}"
            f" {against[0]:>6} {against[1]:>6} {cpu:8.1f}  {notes(item, name)}"
        )


def notes(item: Scored, name: str) -> str:
    """Medians of the facts that matter for this problem, and what went wrong."""
    shown = []
    keys = [key for key in facts(item.problem, item.runs[name][0]) if key not in ("illegal", "rss_mb")]
    for key in keys:
        shown.append(f"{key} {np.median(item.fact(name, key)):.3g}")
    if illegal := int(item.fact(name, "illegal").sum()):
        shown.append(f"{illegal} illegal")
    if broken := sum(bool(trace.error) for trace in item.runs[name]):
        shown.append(f"{broken} broke off")
    return ", ".join(shown)


def show_standings(items: Sequence[Scored]) -> None:
    """Borda shares, mean ranks and duels with ours, over all problems but the timed ones."""
    played = [item for item in items if item.problem.score != "latency"]
    names = [name for name in METHODS if any(name in item.runs for item in played)]
    shares = stats.borda([(item.ends, item.areas) for item in played], names)
    ranks = [
        stats.mean_ranks([getattr(item, table) for item in played], names)
        for table in ("halves", "ends", "areas")
    ]
    print(
        f"\n{'over all problems':<19} {'problems':>8} {'Borda':>6} {'rank at half':>13} {'at end':>7}"
        f" {'area':>6} {'ours wins/even/loses':>21} {'Ax score':>9}"
    )
    for name in sorted(names, key=lambda name: -shares[name]):
        count = sum(name in item.runs for item in played)
        print(
            f"{name:<19} {count:>8} {shares[name]:6.2f} {ranks[0][name]:13.2f} {ranks[1][name]:7.2f}"
            f" {ranks[2][name]:6.2f} {duels(played, name):>21} {ax_score(played, name):>9}"
        )
    if len(engines(played)) > 1:
        print(f"ours was played by {len(engines(played))} states of the code: --stale plays it again")


def engines(items: Sequence[Scored]) -> set[str]:
    """Digests of the code that played ours."""
    return {trace.versions.get("engine", "unknown") for item in items for trace in item.runs.get(OURS, [])}


def duels(items: Sequence[Scored], name: str) -> str:
    """On how many problems ours is significantly better, neither, worse."""
    both = [item for item in items if name in item.runs and OURS in item.runs]
    if name == OURS or not both:
        return ""
    found = [stats.verdict(OURS, name, item.ends, item.areas) for item in both]
    return f"{found.count(1)}/{found.count(0)}/{found.count(-1)}"


def ax_score(items: Sequence[Scored], name: str) -> str:
    """Mean of 100·(y - baseline)/(optimum - baseline), as Ax's own benchmarks have it.

    The baseline is Ax's where it gives one, else the median of random search at the end of the budget.
    """
    found = []
    for item in items:
        base = item.problem.truth.get("baseline")
        start = abs(item.problem.best(0) - base) if base else item.median("random")
        mine = item.median(name)
        if item.problem.score == "regret" and mine is not None and start and np.isfinite(start):
            found.append(100 * (1 - mine / start) if np.isfinite(mine) else -100.0)
    return f"{np.mean(np.clip(found, -100, 100)):.1f}" if found else ""
