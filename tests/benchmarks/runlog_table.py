"""The table that all measurements make, and the goals beside it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runlog_rounds import MLFLOW_WAL, POSTGRES, ROWS, SQLITE, Row

Results = Mapping[str, Any]
READ_RUNS = 10_000


@dataclass(frozen=True)
class Goal:
    """What was wanted of one number, and what it is.

    Args:
        name: Of what.
        sense: Which way is good.
        limit: What was wanted.
        found: What was measured, if it was.
        digits: After the decimal point, as far as they count.
    """

    name: str
    sense: str
    limit: float
    found: float | None
    digits: int = 2

    @property
    def is_met(self) -> bool:
        """Whether it was measured and is good enough."""
        if self.found is None:
            return False
        found = round(self.found, self.digits)
        return {"≤": found <= self.limit, "<": found < self.limit, "≥": found >= self.limit}[self.sense]


def summary(timed: Results, counted: Results) -> list[dict[str, Any]]:
    """One row for each store and number of writers: medians over the rounds."""
    rows = []
    for row in ROWS:
        rounds = [_round(cell) for cell in _cells_of(timed, row) if cell["trials"]]
        if not rounds:
            continue
        measured = {name: statistics.median(found[name] for found in rounds) for name in rounds[0]}
        # The worst, and how many there were, are no medians.
        measured["worst_ms"] = max(found["worst_ms"] for found in rounds)
        totals = {name: sum(cell[name] for cell in _cells_of(timed, row)) for name in ("trials", "errors")}
        compared = {"times_mlflow_wal": _times_mlflow(timed, row), "syncs": _syncs(_cells_of(counted, row))}
        rows.append({"store": row.store, "writers": row.writers, **measured, **compared, **totals})
    return rows


def _round(cell: Mapping[str, Any]) -> dict[str, float]:
    waits = sorted(1000 * wait for wait in cell["waits"])
    middle, late = _quantile(waits, 0.5), _quantile(waits, 0.99)
    return {
        "trials_per_second": cell["rate"],
        "cpu_ms": 1000 * cell["cpu"] / cell["trials"],
        "server_cpu_ms": 1000 * cell["server_cpu"] / cell["trials"],
        "p50_ms": middle,
        "p99_ms": late,
        "spread": late / middle,
        "worst_ms": waits[-1],
    }


def _cells_of(taken: Results, row: Row) -> list[dict[str, Any]]:
    wanted = (row.store, row.processes, row.threads)
    return [cell for cell in taken["cells"] if (cell["store"], cell["processes"], cell["threads"]) == wanted]


def _times_mlflow(timed: Results, row: Row) -> float:
    """Median over rounds: what the disk did to one it did to the other of the same round."""
    other = Row(MLFLOW_WAL, row.processes * row.threads, 1)
    pairs = zip(_cells_of(timed, row), _cells_of(timed, other), strict=True)
    return statistics.median(ours["rate"] / theirs["rate"] for ours, theirs in pairs if theirs["rate"])


def _syncs(cells: Sequence[Mapping[str, Any]]) -> float | None:
    trials = sum(cell["trials"] for cell in cells)
    if not trials or any("syncs" not in cell for cell in cells):
        return None
    return sum(cell["syncs"] for cell in cells) / trials


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def goals(results: Results) -> list[Goal]:
    """Each goal of the run log with what was measured."""
    return [*_trial_goals(results), *_bulk_goals(results)]


def _trial_goals(results: Results) -> Iterator[Goal]:
    rows = {(row["store"], row["writers"]): row for row in results["rows"]}
    for store in (SQLITE, POSTGRES):
        alone, threads = rows.get((store, "1"), {}), rows.get((store, "8 threads"), {})
        yield Goal(f"{store}, 1 writer: client CPU ms per trial", "≤", 1.0, alone.get("cpu_ms"))
        yield Goal(f"{store}, 8 threads: client CPU ms per trial", "≤", 1.0, threads.get("cpu_ms"))
        # One decimal: SQLite folds its journal back every few hundred trials, with three fsyncs more.
        yield Goal(f"{store}, 1 writer: fsyncs per trial", "≤", 2.0, alone.get("syncs"), digits=1)
        yield Goal(f"{store}, 8 threads: fsyncs per trial", "<", 1.0, threads.get("syncs"))
        times = threads.get("times_mlflow_wal")
        yield Goal(f"{store}, 8 threads: trials/s over MLflow WAL's", "≥", 20.0, times)
        for writers in ("8 threads", "8 processes"):
            row = rows.get((store, writers))
            spread = row["spread"] if row else None
            yield Goal(f"{store}, {writers}: p99 over p50 of a write", "≤", 10.0, spread)


def _bulk_goals(results: Results) -> Iterator[Goal]:
    curves = {row["store"]: row for row in results["curves"]}
    reads = {(row["store"], row["form"]): row for row in results["reads"]}
    for store in (SQLITE, POSTGRES):
        speed = curves.get(store, {}).get("points_per_second")
        yield Goal(f"{store}: points/s of a curve in one call", "≥", 50_000.0, speed)
    yield Goal(f"{SQLITE}: bytes a point", "≤", 71.0, curves.get(SQLITE, {}).get("bytes"))
    for store in (SQLITE, POSTGRES):
        for form in ("history", "frame"):
            spent = _scaled(reads.get((store, form)))
            yield Goal(f"{store}: CPU s of 10,000 trials as {form}", "<", 0.5, spent)


def _scaled(row: Mapping[str, Any] | None) -> float | None:
    """To 10,000 trials: CPU seconds grow with their number."""
    return row["cpu"] * READ_RUNS / row["runs"] if row else None


def show(results: Results) -> bool:
    """Print everything; whether every goal is met."""
    _show_trials(results)
    _show_bulk(results)
    print()
    judged = goals(results)
    for goal in judged:
        found = "not measured" if goal.found is None else f"{goal.found:,.{goal.digits}f}"
        mark = "ok    " if goal.is_met else "MISSED"
        print(f"{mark} {goal.name:<62} {found:>12} (goal {goal.sense} {goal.limit:g})")
    return all(goal.is_met for goal in judged)


def _show_trials(results: Results) -> None:
    print(
        f"{results['rounds']} rounds, {results['seconds']:g} s a cell, {results['cores']} cores; "
        f"200 bytes appended and synced take {results['floor_ms']:.2f} ms;\n"
        f"a fixed piece of Python took {min(results['reference_ms']):.0f} to "
        f"{max(results['reference_ms']):.0f} ms CPU: the wider apart, the more others worked here"
    )
    print(
        f"{'store':<21} {'writers':<12} {'trials/s':>8} {'×MLflow':>8} {'CPU ms':>7} {'server':>7}"
        f" {'fsyncs':>7} {'p50 ms':>8} {'p99 ms':>8} {'worst':>8} {'p99/p50':>8} {'trials':>7} {'errors':>6}"
    )
    for row in results["rows"]:
        syncs = "-" if row["syncs"] is None else f"{row['syncs']:.2f}"
        server = f"{row['server_cpu_ms']:.2f}" if row["store"] == POSTGRES else "-"
        print(
            f"{row['store']:<21} {row['writers']:<12} {row['trials_per_second']:8.1f}"
            f" {row['times_mlflow_wal']:8.1f} {row['cpu_ms']:7.2f} {server:>7} {syncs:>7}"
            f" {row['p50_ms']:8.2f} {row['p99_ms']:8.2f} {row['worst_ms']:8.1f}"
            f" {row['spread']:8.1f} {row['trials']:7d} {row['errors']:6d}"
        )
    for note in results["notes"]:
        print(note)


def _show_bulk(results: Results) -> None:
    print("\ncurves of 1,000 points, one acknowledged call each")
    for row in results["curves"]:
        print(
            f"{row['store']:<21} {row['points_per_second']:10,.0f} points/s {row['cpu_ms']:8.2f} ms CPU"
            f" {row['bytes']:7.1f} bytes a point ({row['calls']} calls)"
        )
    print("\n10,000 trials × 20 params × 3 metrics, CPU seconds of the reader")
    for row in results["reads"]:
        scaled = "" if row["runs"] == READ_RUNS else f" (scaled from {row['runs']:,})"
        print(f"{row['store']:<21} {row['form']:<8} {_scaled(row):8.3f}{scaled}")
