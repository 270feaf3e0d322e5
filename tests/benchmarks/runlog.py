"""The run log beside MLflow and Optuna: the same trials, the same machine, all stores in turn.

A trial is three tags, ten parameters, five metrics and a state. CPU milliseconds and fsyncs per trial are
steady; trials per second and waits follow the disk and other load, so they are compared within rounds, in
which every store has its turn. ``×MLflow`` is trials/s over those of MLflow with a write-ahead log and as
many writers in the same round; a write is one call that came back; all are medians over the rounds, since
the disk of one round may be ten times as fast as that of the next. Fsyncs are counted by
strace in a round of their own. Optuna's row has one objective value and four user attributes, and no tags.

    python tests/benchmarks/runlog.py            the full measurement, stores the table (about 5 minutes)
    python tests/benchmarks/runlog.py --quick    one short round (about a minute)
    python tests/benchmarks/runlog.py --report   the stored table beside the goals
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from runlog_bulk import curves, reads
from runlog_rounds import FEW, POSTGRES, ROWS, server_if_installed, take_counted_round, take_rounds
from runlog_table import show, summary
from stored_table import machine, run

LIBRARIES = ("mlflow-skinny", "optuna", "psycopg", "sqlalchemy")


def measure(quick):
    """All tables, as they are stored."""
    rounds, seconds = (1, 0.5) if quick else (6, 1.0)
    counted = take_counted_round(seconds / 2, quick)
    with server_if_installed() as server:
        timed = take_rounds(rounds, seconds, server)
        found = bulk(server, quick)
    result = {
        "rounds": rounds,
        "seconds": seconds,
        **machine(*LIBRARIES),
        "floor_ms": 1000 * statistics.median(timed["floors"]),
        "reference_ms": [1000 * seconds for seconds in timed["references"]],
        "rows": summary(timed, counted),
    }
    result["notes"] = notes(result["rows"])
    return {**result, **found}


def bulk(server, quick):
    """Curves and readings."""
    with tempfile.TemporaryDirectory(prefix="runlog-") as name:
        folder = Path(name)
        drawn = curves(folder, server, runs=20 if quick else 100)
        read = reads(folder, server, runs=1_000 if quick else 10_000, mlflow_runs=30 if quick else 300)
    return {"curves": drawn, "reads": read}


def notes(rows):
    """What is missing, and why."""
    said = []
    if not any(row["store"] == POSTGRES for row in rows):
        said.append("No rows for PostgreSQL: no server is installed.")
    if all(row["syncs"] is None for row in rows):
        said.append("No fsyncs: strace is not installed.")
    return said


def main():
    if sys.argv[1:2] == ["--counted"]:  # what runs under strace
        answer, seconds, *quick = sys.argv[2:]
        with server_if_installed() as server:
            taken = take_rounds(1, float(seconds), server, FEW if quick else ROWS)
        Path(answer).write_text(json.dumps(taken))
        return 0
    return run(__doc__, "runlog", measure, show)


if __name__ == "__main__":
    sys.exit(main())
