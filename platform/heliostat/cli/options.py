"""Options and output that several commands share."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from heliostat.errors import NotFound
from heliostat.ports import RunLog
from heliostat.registry import DEFAULT_LOG, LOG_VARIABLE, open_log

log_option = click.option("--log", "log_url", metavar="PATH", help="Path or URL of the run log.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def existing_log(url: str | None) -> RunLog:
    """The run log to read; unlike writers, readers never make one.

    Raises:
        NotFound: There is no such file.
    """
    text = url or os.environ.get(LOG_VARIABLE) or DEFAULT_LOG
    path = text.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).exists():
        remedy = "Go to the folder of your sweep, say --log PATH, or start with: heliostat demo"
        raise NotFound(f"there is no run log at {path}", remedy=remedy)
    return open_log(text)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def number(value: Any) -> str:
    """A value for people: 4 significant digits, empty if missing."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4g}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """An aligned table; on a terminal, lines are cut to its width."""
    texts = [[number(value).replace("\n", " ") for value in row] for row in rows]
    widths = [max([len(name), *(len(row[place]) for row in texts)]) for place, name in enumerate(columns)]
    is_number = [all(_is_numeric(row[place]) for row in rows) for place in range(len(columns))]
    for line in [list(columns), *texts]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ]
        click.echo(_cut("  ".join(cells).rstrip()))


def _is_numeric(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cut(line: str) -> str:
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width else line[: width - 1] + "…"
