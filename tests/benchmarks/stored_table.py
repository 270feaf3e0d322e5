"""The command line that benchmarks share: measure and store, measure briefly, or show what is stored."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
Result = dict[str, Any]


def run(
    description: str | None, name: str, measure: Callable[[bool], Result], show: Callable[[Result], bool]
) -> int:
    """What a benchmark does with its arguments; the exit code.

    Args:
        description: Of the script.
        name: Of its stored results.
        measure: Takes whether it is to be brief, and returns what is stored.
        show: Prints results beside the goals, and returns whether all are met.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    stored = RESULTS / f"{name}.json"
    if options.report and not stored.exists():
        print("nothing is stored: run this without an option first")
        return 1
    if options.report:
        return 0 if show(json.loads(stored.read_text(encoding="utf-8"))) else 1
    result = measure(options.quick)
    if not options.quick:
        store(name, result)
    return 0 if show(result) or options.quick else 1


def store(name: str, result: Result) -> None:
    """Keep results for ``--report``."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def machine(*libraries: str) -> Result:
    """What figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
    }
