"""Parameters and tags: MLflow knows texts only, our log keeps types and knows some of the tags by name.

A parameter becomes the number or the flag that it most likely was, so that ``params.lr > 0.01`` can be
asked of all runs alike; where that loses how it was written (``1e-3``), the text is kept beside it. Tags
are metadata; MLflow's own (``mlflow.…``) are dev metadata, which tables hide, but for those that runs have
a field for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from heliostat.space import Value
from heliostat.trial import Run

NAME, NOTE, USER = "mlflow.runName", "mlflow.note.content", "mlflow.user"
COMMIT, PARENT, AUTOLOGGING = "mlflow.source.git.commit", "mlflow.parentRunId", "mlflow.autologging"
SOURCE = "mlflow.source.name"

OWN = "mlflow."
WRITTEN = "mlflow.param."
"""Prefix of the system facts that keep how a parameter was written."""

ORIGIN = "mlflow"

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*|(?=\.))(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
_FLAGS = {"True": True, "true": True, "False": False, "false": False}


def typed(text: str) -> Value:
    """The value that was most likely written so; ``None``, ``nan``, ``inf`` and ``007`` stay texts."""
    if text in _FLAGS:
        return _FLAGS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and any(char.isdigit() for char in text):
        number = float(text)
        return number if abs(number) < float("inf") else text
    return text


def shown(value: Any) -> str:
    """A value of ours as a text of MLflow's: numbers in full precision, lists and mappings as JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def params_of(run: Run) -> dict[str, str]:
    """A run's parameters as they were written."""
    written = run.sys_metadata
    return {name: str(written.get(WRITTEN + name, shown(value))) for name, value in run.assignments.items()}


def param_changes(params: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    """What to lay over a run's assignments and system facts for these parameters."""
    values = {name: typed(text) for name, text in params.items()}
    written = {WRITTEN + name: text for name, text in params.items() if shown(values[name]) != text}
    return values, written


def tags_of(run: Run) -> dict[str, str]:
    """A run's tags: those that were set, those that fields of the run stand for, and what Heliostat adds."""
    derived = {
        NAME: run_name(run),
        NOTE: run.note,
        USER: run.user,
        COMMIT: run.source_hash or "",
        "heliostat.state": str(run.state),
        "heliostat.origin": run.origin,
        "heliostat.end_reason": run.end_reason,
        "heliostat.experiment": "" if run.experiment is None else str(run.experiment),
        "heliostat.trial": str(run.number) if run.number else "",
        **{f"heliostat.tag.{name}": "true" for name in run.tags},
    }
    own = {name: shown(value) for name, value in run.dev_metadata.items() if name.startswith(OWN)}
    set_ = {name: shown(value) for name, value in run.metadata.items()}
    return {**{name: value for name, value in derived.items() if value}, **own, **set_}


def run_name(run: Run) -> str:
    """The run's name, else its number."""
    return run.name or (f"run {run.number}" if run.number else f"run #{run.id}")


def tag_changes(tags: Mapping[str, str | None]) -> dict[str, Any]:
    """The arguments of an ``UpdateRun`` that sets tags, or with ``None`` takes them away."""
    found: dict[str, Any] = {}
    for name, value in tags.items():
        if name == NAME:
            found["name"] = value or ""
        elif name == NOTE:
            found["note"] = value or ""
        elif name == COMMIT:
            found["source_hash"] = value or ""
        else:
            family = "dev_metadata" if name.startswith(OWN) else "metadata"
            found.setdefault(family, {})[name] = value
    return found


def origin_of(tags: Mapping[str, str]) -> str:
    """The tool behind a new run: the library whose autologging made it, else ``mlflow``."""
    flavor = tags.get(AUTOLOGGING, "")
    return flavor if re.fullmatch(r"[a-z0-9_.\-]{1,40}", flavor) else ORIGIN
