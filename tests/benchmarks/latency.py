"""What a suggestion costs: ours beside Ax's client and Optuna's TPE and GP samplers.

CPU time of the whole process, one thread, the same histories for all. Cold: nothing is remembered but the
history. Warm: the next suggestion after one more result. With look-ahead: what the one who asks waits for
while the engine thinks beside the trials.

    python tests/benchmarks/latency.py            the full measurement, stores the table (about 20 minutes)
    python tests/benchmarks/latency.py --ours     ours anew, beside the stored peers (about 8 minutes)
    python tests/benchmarks/latency.py --quick    a few cells and ratios (under a minute)
    python tests/benchmarks/latency.py --report   the stored table beside the goals
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import latency_ours
import latency_peers
import numpy as np
from latency_peers import AX, GP, TPE
from latency_table import ratios, show
from threadpoolctl import threadpool_limits

STORED = Path(__file__).parent / "results" / "latency.json"
LIBRARIES = ("ax-platform", "botorch", "numpy", "optuna", "scipy", "torch")

COUNTS = (10, 100, 200, 500, 1000)
DIMENSIONS = (4, 10, 20)
AX_LARGEST = 500
"""Ax's client takes 20 to 109 s for one suggestion at 1,000 (Ax 1.3.1, measured once)."""


def ours():
    """Our cells, look-ahead, memory, imports."""
    import_all()
    grid = [{"n": n, "d": d} for n in COUNTS for d in DIMENSIONS]
    several = [{"n": 200, "d": 10, "m": m} for m in (2, 3)]
    crowded = [{"n": 200, "d": 10, "pending": pending} for pending in (8, 256)]
    cells, works = [], []
    for wanted in (*grid, *several, *crowded):
        works.append(reference())
        cells.append(said(latency_ours.cell(**wanted, repeats=5)))
    return {
        "cells": cells,
        "ahead": [
            said(latency_ours.ahead(n, 10, suggestions=50, seconds=seconds))
            for n, seconds in ((100, 0.5), (1000, 2.0))
        ],
        "memory": said(latency_ours.memory_alone(5_000, 100)),
        "imports": said(latency_ours.imports()),
        "reference_ms": works,
    }


def import_all():
    """Suggest once of each kind: what the first one imports is not timed."""
    for m in (1, 2):
        latency_ours.cell(20, 2, m=m, repeats=1)


def peers():
    """The peers' cells; costly ones are asked once."""
    latency_peers.cell(GP, 20, 2, repeats=1)
    latency_peers.cell(AX, 10, 2, repeats=1)
    cells = []
    for n in COUNTS:
        for d in DIMENSIONS:
            cells.append(said(latency_peers.cell(TPE, n, d, repeats=5)))
            cells.append(said(latency_peers.cell(GP, n, d, repeats=3 if n <= 200 else 1)))
            if n <= AX_LARGEST:
                cells.append(said(latency_peers.cell(AX, n, d, repeats=2 if n <= 100 else 1)))
    return cells


def quick():
    """A few cells of all, and small forms of the rest."""
    import_all()
    latency_peers.cell(GP, 20, 2, repeats=1)
    cells = [latency_ours.cell(n, 10, repeats=3) for n in (10, 100, 500)]
    cells += [latency_ours.cell(200, 10, m=2, repeats=1)]
    cells += [latency_peers.cell(who, n, 10, repeats=2) for who in (TPE, GP) for n in (10, 100)]
    return {
        "cells": cells,
        "ahead": [latency_ours.ahead(100, 10, suggestions=12, seconds=0.3)],
        "memory": latency_ours.memory_alone(300, 50),
        "imports": latency_ours.imports(repeats=2),
        "reference_ms": [reference() for _ in range(3)],
    }


def full(only_ours):
    """All that is stored."""
    theirs = [row for row in stored().get("cells", []) if row["who"] != latency_ours.OURS]
    found = ours()
    cells = found.pop("cells") + (theirs if only_ours else peers())
    return {**circumstances(), **found, "cells": cells}


def reference():
    """CPU milliseconds of a fixed piece of work: what is left of a core while others use the caches."""
    matrix = np.eye(300) + np.full((300, 300), 0.5)
    start = time.process_time()
    for _ in range(10):
        np.linalg.cholesky(matrix)
    sum(place * place for place in range(200_000))
    return 1000 * (time.process_time() - start)


def said(row):
    """The row, printed while the rest is measured."""
    print(json.dumps(row)[:200], flush=True)
    return row


def circumstances():
    """Where this was measured."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def stored():
    """What was measured before; empty if nothing was."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in ("quick", "ours", "report"):
        parser.add_argument(f"--{option}", action="store_true")
    options = parser.parse_args()
    if options.report:
        if not STORED.exists():
            print("nothing is stored: run this without an option first")
            return 1
        return 0 if show(stored()) else 1
    with threadpool_limits(1):
        result = quick() if options.quick else full(only_ours=options.ours)
    if not options.quick:
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_text(json.dumps(result, indent=1) + "\n")
    show(result, is_partial=options.quick)
    ratios(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
