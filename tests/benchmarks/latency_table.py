"""The stored figures as a table, and the goals beside them."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from latency_ours import OURS
from latency_peers import AX, GP, TPE

SETTLED = 2_000
"""Trials after which a model is as large as it gets; from here on memory must not grow."""

COLUMNS = ((OURS, "cold"), (OURS, "warm"), (TPE, "cold"), (GP, "cold"), (GP, "warm"), (AX, "cold"))


@dataclass(frozen=True)
class Goal:
    """What was wanted of one number, and what it is (None: not measured); good is at or below the limit."""

    name: str
    limit: float
    found: float | None

    @property
    def is_met(self):
        """Whether it was measured and is good enough."""
        return self.found is not None and self.found <= self.limit


def goals(results):
    """Each goal of the engine's speed with what was measured."""
    cells = {_key(row): row for row in results["cells"] if row["who"] == OURS}
    yield _cold(cells, 100, 10, 1, 50)
    for d in (4, 10, 20):
        yield _cold(cells, 1000, d, 1, 400)
    for m in (2, 3):
        yield _cold(cells, 200, 10, m, 600)
    for row in results["ahead"]:
        waits = sorted(1000 * wait for wait in row["waits"])
        name = f"look-ahead, n = {row['n']}, d = {row['d']}:"
        yield Goal(f"{name} p50 of the wait in ms", 10, statistics.median(waits))
        yield Goal(f"{name} p99 of the wait in ms", 50, waits[math.ceil(0.99 * len(waits)) - 1])
    yield Goal(f"memory: growth of its peak in % after {SETTLED:,} trials", 10, _growth(results["memory"]))
    yield Goal("import heliostat and its names: CPU s", 0.3, statistics.median(results["imports"]["cpu"]))
    for what in ("imported", "suggested"):
        name = {"imported": "after import heliostat", "suggested": "after a suggestion"}[what]
        yield Goal(f"heavy modules (ax, torch, …) {name}", 0, len(results["imports"][what]))


def show(results, *, is_partial=False):
    """Print everything; whether every goal is met. Of a partial measurement only what is there is judged."""
    low, high = min(results["reference_ms"]), max(results["reference_ms"])
    print(
        "CPU milliseconds per suggestion, median, one thread; n runs, d parameters, m objectives, p open;\n"
        f"a fixed piece of work took {low:.0f} to {high:.0f} ms: the wider apart, the more others worked here"
    )
    _show_cells(results["cells"])
    _show_more(results)
    print()
    judged = [goal for goal in goals(results) if goal.found is not None or not is_partial]
    for goal in judged:
        found = "not measured" if goal.found is None else f"{goal.found:,.3g}"
        mark = "ok    " if goal.is_met else "MISSED"
        print(f"{mark} {goal.name:<58} {found:>12} (goal ≤ {goal.limit:g})")
    return all(goal.is_met for goal in judged)


def ratios(results):
    """Print by how much the peers' cold suggestions cost more than ours."""
    cells = {(row["who"], *_key(row)): row for row in results["cells"]}
    print("\nCPU of a cold suggestion over ours")
    for (who, *key), row in cells.items():
        ours = cells.get((OURS, *key))
        if who != OURS and ours is not None:
            times = statistics.median(row["cold"]) / statistics.median(ours["cold"])
            print(f"{who:<12} n = {row['n']:>4}, d = {row['d']:>2}: × {times:.1f}")


def _cold(cells, n, d, m, limit):
    row = cells.get((n, d, m, 0))
    found = 1000 * statistics.median(row["cold"]) if row else None
    objectives = "" if m == 1 else f", {m} objectives"
    return Goal(f"cold, n = {n}, d = {d}{objectives}: p50 of CPU ms", limit, found)


def _key(row):
    return row["n"], row["d"], row["m"], row["pending"]


def _growth(sizes):
    """Percent by which the peak of the later half of the settled time is above that of the earlier half."""
    settled = [size for n, size in sorted((int(n), size) for n, size in sizes.items()) if n >= SETTLED]
    if len(settled) < 2:
        return None
    middle = len(settled) // 2
    return 100 * (max(settled[middle:]) / max(settled[:middle]) - 1)


def _show_cells(cells):
    found = {}
    for row in cells:
        for kind in ("cold", "warm"):
            if row[kind]:
                found[(*_key(row), row["who"], kind)] = 1000 * statistics.median(row[kind])
    print(f"{'n':>5} {'d':>3} {'m':>2} {'p':>4} " + " ".join(f"{who:>11}" for who, _ in COLUMNS))
    print(" " * 17 + " ".join(f"{kind:>11}" for _, kind in COLUMNS))
    for key in sorted({_key(row) for row in cells}, key=lambda key: (key[2], key[3], key[0], key[1])):
        n, d, m, pending = key
        shown = [found.get((*key, *column)) for column in COLUMNS]
        texts = " ".join(f"{'-' if value is None else f'{value:,.1f}':>11}" for value in shown)
        print(f"{n:>5} {d:>3} {m:>2} {pending:>4} {texts}")


def _show_more(results):
    for row in results["ahead"]:
        waits = [1000 * wait for wait in row["waits"]]
        own = 1000 * statistics.median(row["cpu"])
        print(
            f"look-ahead, n = {row['n']}, d = {row['d']}, a result each {row['seconds']:g} s: wait p50 "
            f"{statistics.median(waits):.1f} ms, worst of {len(waits)} {max(waits):.1f} ms; "
            f"CPU of the asking thread {own:.1f} ms"
        )
    sizes = {int(n): size for n, size in results["memory"].items()}
    marks = sorted(sizes)[:: max(1, len(sizes) // 6)]
    print("memory, MB by trials: " + ", ".join(f"{n}: {sizes[n]:.0f}" for n in sorted({*marks, max(sizes)})))
