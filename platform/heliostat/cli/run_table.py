"""Runs of every origin as one table, fitted to the terminal, and drawn anew as things happen."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from heliostat.cli.options import number, print_table
from heliostat.ports import RunLog
from heliostat.query import TIMES, Field, columns
from heliostat.trial import Run

HEAD = ("id", "origin", "name", "state")
PAUSE = 0.5
"""Seconds between looks at the log while following it."""

LONGEST = 32
"""Characters of a cell on a terminal."""

_GAP = 2


def print_runs(runs: Sequence[Run], shown: Sequence[Field] | None) -> None:
    """Print a table of runs.

    Args:
        runs: The rows.
        shown: The columns; if left out: identity, origin, name, state, parameters, metrics, seconds. On a
            terminal those that do not fit are left out, parameters that are the same in all runs first.
    """
    if shown is not None:
        cells = {str(item): _column(item.label, [item.read(run) for run in runs]) for item in shown}
        _print(cells)
        return
    cells = _default_columns(runs)
    if not sys.stdout.isatty():
        _print(cells)
        return
    short = {name: [_cut(value) for value in values] for name, values in cells.items()}
    width = shutil.get_terminal_size().columns
    fitting = _fitting(short, width)
    _print({name: short[name] for name in cells if name in fitting})
    absent = ", ".join(name for name in cells if name not in fitting)
    if absent:
        click.echo(_cut(f"--columns shows also: {absent}", width))


def follow(log: RunLog, draw: Callable[[], None]) -> None:
    """Draw now and after every event, until Ctrl-C."""
    seen = log.last_event()
    try:
        while True:
            if sys.stdout.isatty():
                click.clear()
            draw()
            sys.stdout.flush()
            before = seen
            while seen == before:
                time.sleep(PAUSE)
                seen = log.last_event()
    except KeyboardInterrupt:
        return


def _default_columns(runs: Sequence[Run]) -> dict[str, list[Any]]:
    found = columns(runs)
    measured = [name for name in found if name.startswith(("params.", "metrics."))]
    names = [*HEAD, *(name for name in measured if not name.endswith(".stddev")), "seconds"]
    if not any(found["name"]):
        names.remove("name")
    return {name: found[name] for name in names}


def _fitting(cells: dict[str, list[Any]], width: int) -> list[str]:
    """The columns that fit into a width, chosen by how much they tell."""
    ranks = {name: _rank(name, values) for name, values in cells.items()}
    taken: list[str] = []
    left = width + _GAP
    for name in sorted(cells, key=lambda name: ranks[name]):
        need = max(len(name), *(len(number(value)) for value in cells[name])) + _GAP
        if need <= left:
            taken.append(name)
            left -= need
    return taken


def _rank(name: str, values: Sequence[Any]) -> int:
    if name in HEAD:
        return 0
    if name.startswith("metrics."):
        return 1
    is_varied = any(value != values[0] for value in values)
    return 2 if name == "seconds" else 3 if is_varied else 4


def _print(cells: dict[str, list[Any]]) -> None:
    print_table(list(cells), list(zip(*cells.values(), strict=True)))


def _column(label: str, values: list[Any]) -> list[Any]:
    if label in (*TIMES, "updated"):
        return [None if value is None else _time(value) for value in values]
    if label in ("tags", "datasets"):
        return [", ".join(value) for value in values]
    return values


def _cut(value: Any, width: int = LONGEST) -> Any:
    text = number(value)
    return value if len(text) <= width else text[: width - 1] + "…"


def _time(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(seconds)
