"""What was wanted of every class of problems, and what was found: the last column of the suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import quality_stats as stats
import quality_stopping as stopping
from quality_methods import METHODS, OURS
from quality_stats import ALPHA, Summary
from quality_table import Scored

Items = Mapping[str, Scored]


@dataclass(frozen=True)
class Goal:
    """What was wanted of one number, and what it is.

    Args:
        name: Of what.
        sense: Which way is good.
        limit: What was wanted.
        found: What was measured, if it was.
    """

    name: str
    sense: str
    limit: float
    found: float | None

    @property
    def is_met(self) -> bool:
        """Whether it was measured and is good enough."""
        if self.found is None or np.isnan(self.found):
            return False
        # Three digits, as printed.
        found = float(f"{self.found:.3g}")
        return found <= self.limit if self.sense == "≤" else found >= self.limit

    def __str__(self) -> str:
        found = "-" if self.found is None else f"{self.found:.3g}"
        return (
            f"{'ok' if self.is_met else 'MISSED':<7} {self.name}: {found} (goal {self.sense} {self.limit:g})"
        )


SECOND_BASIN = 0.11
"""Regret in Hartmann6's second best basin is at least 0.119."""


def goals(items: Sequence[Scored]) -> list[Goal]:
    """All goals, class by class, then over everything."""
    table = {item.problem.name: item for item in items}
    found = [goal for part in PARTS for goal in part(table)]
    return [*found, *_overall(items)]


def _median(item: Scored | None, key: str, name: str = OURS) -> float | None:
    values = item.fact(name, key) if item else np.array([])
    return float(np.median(values)) if len(values) else None


def _ratio(items: Items, problem: str, other: str, table: str = "ends") -> float | None:
    return items[problem].ratio(OURS, other, table) if problem in items else None


def _against_best(items: Items, problem: str) -> float | None:
    item = items.get(problem)
    return item.ratio(OURS, item.best_peer) if item and item.best_peer else None


def _smooth(items: Items) -> Iterator[Goal]:
    for name in ("branin", "hartmann6", "levy10"):
        yield Goal(f"P1 {name}: regret over the best peer's", "≤", 1.5, _against_best(items, name))
    branin, hartmann = items.get("branin"), items.get("hartmann6")
    yield Goal("P1 branin: regret", "≤", 1e-3, branin.median(OURS) if branin else None)
    share = None
    if hartmann and OURS in hartmann.ends:
        share = float(np.mean(hartmann.ends[OURS] < SECOND_BASIN))
    yield Goal("P1 hartmann6: share of seeds in the global basin", "≥", 0.6, share)


def _hard(items: Items) -> Iterator[Goal]:
    names = ("f8_d5", "f15_d5", "f20_d5", "f21_d5", "f23_d5", "f8_d10", "f21_d10")
    found = [_ratio(items, name, "optuna_tpe") for name in names]
    count = sum(item < 1 for item in found if item is not None) if any(found) else None
    yield Goal("P2: landscapes of 7 on which ours ends below TPE", "≥", 5, count)


def _tables(items: Items) -> Iterator[Goal]:
    for name in ("protein", "credit"):
        for peer in ("optuna_tpe", "smac"):
            yield Goal(f"P3 {name}: regret over {peer}'s", "≤", 1.0, _ratio(items, name, peer))


def _conditional(items: Items) -> Iterator[Goal]:
    for name in ("jenatton", "digits", "cifar10"):
        for peer in ("optuna_gp", "optuna_tpe"):
            yield Goal(f"P4 {name}: score over {peer}'s", "≤", 1.0, _ratio(items, name, peer))


def _noisy(items: Items) -> Iterator[Goal]:
    for name in ("hartmann6_noise", "hartmann6_noise_told", "branin_noise"):
        lowest, item = _median(items.get(name), "lowest"), items.get(name)
        ours = item.median(OURS) if item else None
        found = ours / lowest if ours is not None and lowest else None
        yield Goal(f"P5 {name}: regret of the recommended over that of the lowest", "≤", 0.5, found)


def _fronts(items: Items) -> Iterator[Goal]:
    classes = {"P6": ("branin_currin", "dtlz2", "vehicle")}
    classes["P7"] = ("c2dtlz2", "branin_currin_disk", "vehicle_limits")
    for suite, names in classes.items():
        for name in names:
            found = _ratio(items, name, "optuna_gp")
            yield Goal(f"{suite} {name}: missing hypervolume over Optuna GP's", "≤", 1.0, found)


def _guarded(items: Items) -> Iterator[Goal]:
    for name in ("welded_beam", "spring", "speed_reducer"):
        first = _median(items.get(name), "first_feasible")
        yield Goal(f"P8 {name}: trials to the first feasible", "≤", 20, first)
        yield Goal(f"P8 {name}: regret over the best peer's", "≤", 1.5, _against_best(items, name))


def _failing(items: Items) -> Iterator[Goal]:
    for name in ("branin", "hartmann6"):
        item, whole = items.get(f"{name}_fail"), items.get(name)
        yield Goal(f"P9 {name}: failed share after trial 10", "≤", 0.15, _median(item, "failed_share"))
        found = None
        if item and whole and OURS in item.ends and OURS in whole.ends:
            upper, lower = (max(whole.floor, one.median(OURS) or 0.0) for one in (item, whole))
            found = upper / lower
        yield Goal(f"P9 {name}: regret over that without failures", "≤", 2.0, found)


def _tasks(items: Items) -> Iterator[Goal]:
    for name in ("hartmann6_tasks", "branin_tasks", "digits_tasks"):
        item, found = items.get(name), None
        if item and OURS in item.curves and "heliostat_single" in item.curves:
            level = Summary.of(item.ends["heliostat_single"]).median
            middle = np.median(item.curves[OURS], axis=0)
            reached = np.flatnonzero(middle <= level)
            found = (reached[0] + 1) / len(middle) if len(reached) else np.inf
        yield Goal(f"P10 {name}: share of the cost until single-task's end", "≤", 0.5, found)


def _transfer(items: Items) -> Iterator[Goal]:
    cases = (("transfer_family", 5, 0.5), ("transfer_lcbench", 5, 0.5), ("transfer_reversed", 25, 1.2))
    for name, trial, limit in cases:
        item, found = items.get(name), None
        if item and OURS in item.curves and "heliostat_cold" in item.curves:
            warm, cold = (np.median(item.curves[key][:, trial - 1]) for key in (OURS, "heliostat_cold"))
            found = max(item.floor, float(warm)) / max(item.floor, float(cold))
        yield Goal(f"P11 {name}: regret at trial {trial} over that without a past", "≤", limit, found)


def _solutions(items: Items) -> Iterator[Goal]:
    for name, k in (("branin_3", 3), ("himmelblau_4", 4), ("shubert_8", 8)):
        item = items.get(name)
        ours, theirs = _mean(item, "basins", OURS), _mean(item, "basins", "sigopt")
        if k < 8:
            found = None if ours is None else ours / k
            yield Goal(f"P12 {name}: share of the optima found", "≥", 0.9, found)
        found = None if ours is None or theirs is None else ours - theirs
        yield Goal(f"P12 {name}: optima found more than SigOpt's", "≥", 0.0, found)


def _mean(item: Scored | None, key: str, name: str) -> float | None:
    values = item.fact(name, key) if item else np.array([])
    return float(np.mean(values)) if len(values) else None


def _regions(items: Items) -> Iterator[Goal]:
    for name in ("bands_2d", "box_5d"):
        ours, base = _median(items.get(name), "feasible"), _median(items.get(name), "feasible", "sobol")
        found = ours / max(1.0, base) if ours is not None and base is not None else None
        yield Goal(f"P13 {name}: fill distance over SigOpt's", "≤", 1.05, _ratio(items, name, "sigopt"))
        yield Goal(f"P13 {name}: feasible runs over Sobol's", "≥", 3.0, found)


def _parallel(items: Items) -> Iterator[Goal]:
    one = items.get("hartmann6_w1")
    for workers in (4, 8):
        item, found = items.get(f"hartmann6_w{workers}"), None
        if item and one and OURS in item.ends and OURS in one.ends:
            found = max(one.floor, item.median(OURS)) / max(one.floor, one.median(OURS))
        yield Goal(f"P14 {workers} workers: regret over one worker's", "≤", 1.5, found)
        yield Goal(f"P14 {workers} workers: open twins", "≤", 0, _mean(item, "duplicates", OURS))
        yield Goal(f"P14 {workers} workers: share of idle time", "≤", 0.02, _median(item, "idle"))


def _stopping(items: Items) -> Iterator[Goal]:
    del items
    ours = {row["table"]: row for row in stopping.stored() if row["rule"] == OURS}
    for name in stopping.NAMES:
        saved, loss = (
            stopping.median(ours[name], key) if name in ours else None for key in ("saved", "loss")
        )
        yield Goal(f"P15 {name}: share of the steps saved", "≥", 0.6, saved)
        yield Goal(f"P15 {name}: loss of the best over that without stopping, less 1", "≤", 0.01, loss)


def _large(items: Items) -> Iterator[Goal]:
    for name in ("hartmann6_d30", "ackley20"):
        yield Goal(f"P16 {name}: regret over TPE's", "≤", 1.0, _ratio(items, name, "optuna_tpe"))


def _bounded(items: Items) -> Iterator[Goal]:
    for name in ("branin_linear", "branin_twins", "branin_twins_linear"):
        item = items.get(name)
        count = float(item.fact(OURS, "illegal").sum()) if item and OURS in item.runs else None
        yield Goal(f"P17 {name}: illegal suggestions", "≤", 0, count)


def _scaled(items: Items) -> Iterator[Goal]:
    for count, limit in ((500, 5.0), (2000, 60.0)):
        item, found = items.get(f"scale_{count}"), None
        if item and OURS in item.runs:
            cpu = [second for trace in item.runs[OURS] for second in trace.cpu]
            found = float(np.median(cpu) if count == 500 else max(cpu))
        what = "CPU seconds of a suggestion" if count == 500 else "CPU seconds of the slowest suggestion"
        yield Goal(f"P18 after {count}: {what}", "≤", limit, found)


def _overall(items: Sequence[Scored]) -> Iterator[Goal]:
    """First in the Borda count, and behind the best peer in no class."""
    played = [item for item in items if item.problem.score != "latency"]
    names = [name for name in METHODS if any(name in item.runs for item in played)]
    shares = stats.borda([(item.ends, item.areas) for item in played], names)
    peers = [share for name, share in shares.items() if not name.startswith(OURS) and not np.isnan(share)]
    lead = shares[OURS] - max(peers) if OURS in shares and peers else None
    yield Goal("all: Borda share above the best peer's", "≥", 0.0, lead)
    suites = sorted({item.problem.suite for item in played}, key=lambda suite: int(suite[1:]))
    for suite in suites:
        here = [item for item in played if item.problem.suite == suite and OURS in item.ends]
        chance, peer = _behind(here)
        yield Goal(f"{suite}: p that the best peer{peer} is not ahead", "≥", ALPHA, chance)


def _behind(items: Sequence[Scored]) -> tuple[float | None, str]:
    names = {name for item in items for name in item.peers}
    everywhere = [name for name in names if all(name in item.ends for item in items)]
    if not everywhere:
        return None, ""
    ranks = stats.mean_ranks([item.ends for item in items], everywhere)
    best = min(everywhere, key=lambda name: (np.nan_to_num(ranks[name], nan=0.0), name))
    return stats.worse_in_class([(item.ends[OURS], item.ends[best]) for item in items]), f" ({best})"


PARTS: tuple[Callable[[Items], Iterator[Goal]], ...] = (
    _smooth, _hard, _tables, _conditional, _noisy, _fronts, _guarded, _failing, _tasks, _transfer, _solutions,
    _regions, _parallel, _stopping, _large, _bounded, _scaled,
)  # fmt: skip
