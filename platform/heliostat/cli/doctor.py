"""``heliostat doctor``: is everything here that a sweep needs?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from heliostat.cli.options import json_option, log_option, print_json
from heliostat.registry import DEFAULT_LOG, LOG_VARIABLE, LOGS, SEARCHERS, load, names

PACKAGES = ("heliostat", "ray", "botorch", "ax-platform", "torch", "scikit-learn", "sqlalchemy", "plotly")
FREE_SPACE = 200e6
"""Bytes: a long sweep's log with curves, and room for SQLite's journal."""


@click.command()
@log_option
@json_option
def command(log_url: str | None, as_json: bool) -> None:
    """Check versions, searchers, stores, write access and disk space; exit code 1 if a check fails."""
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "packages": _packages,
        "searchers": lambda: _entry_points(SEARCHERS),
        "stores": lambda: _entry_points(LOGS),
        "run log": lambda: _folder(log_url),
        "ray": _ray,
    }
    found = {name: _tried(check) for name, check in checks.items()}
    if as_json:
        print_json({name: {"ok": ok, "detail": text} for name, (ok, text) in found.items()})
    else:
        for name, (ok, text) in found.items():
            click.echo(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {text}")
    if not all(ok for ok, _ in found.values()):
        sys.exit(1)


def _tried(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"


def _python() -> str:
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _packages() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            raise RuntimeError(f"{name} is not installed; run: pip install -e .") from None
    return ", ".join(found)


def _entry_points(group: str) -> str:
    listed = names(group)
    for name in listed:
        load(group, name)
    return ", ".join(listed)


def _folder(url: str | None) -> str:
    text = (url or os.environ.get(LOG_VARIABLE) or DEFAULT_LOG).removeprefix("sqlite:///")
    if "://" in text:
        return text
    folder = Path(text).resolve().parent
    with tempfile.TemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    if free < FREE_SPACE:
        raise RuntimeError(f"{folder} has only {free / 1e6:.0f} MB left")
    return f"{Path(text).resolve()} (writable, {free / 1e9:.1f} GB free)"


def _ray() -> str:
    address = os.environ.get("RAY_ADDRESS")
    return f"joins {address}" if address else "starts a private local cluster"
