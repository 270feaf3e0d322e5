"""Stored runs: one gzipped file of JSON lines per method and problem, one line per seed.

A line is columnar: ``x`` holds the values of each trial in the order of the space's dimensions (null
where not alive), ``y`` what was reported, ``f`` the noise-free values where they differ. A run that failed or
was lost has null.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TRACES = Path(__file__).parent / "results" / "quality" / "traces"


@dataclass
class Trace:
    """One run of a method on a problem.

    Args:
        method: Its name.
        problem: Its name.
        seed: Of the cell.
        x: Assignments per trial, in the order of the dimensions.
        y: Reported values per trial in the order of the metrics; None where it failed or was lost.
        f: Noise-free values; empty where they equal `y`.
        cpu: CPU seconds of ask and tell per trial.
        lost: Numbers of trials (from 0) that were lost.
        tasks: Task per trial; empty without tasks.
        times: Asked, begun, ended on the virtual clock, per trial; empty without workers.
        recommended: ``[trials told, noise-free value]`` where a method recommends.
        illegal: Trials whose assignments broke the space.
        rss_mb: Largest memory of the method's process.
        versions: Of its libraries.
        error: Why it stopped early.
    """

    method: str
    problem: str
    seed: int
    x: list[list[Any]] = field(default_factory=list)
    y: list[list[float] | None] = field(default_factory=list)
    f: list[list[float] | None] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    tasks: list[str | None] = field(default_factory=list)
    times: list[list[float]] = field(default_factory=list)
    recommended: list[tuple[int, list[float]]] = field(default_factory=list)
    illegal: list[int] = field(default_factory=list)
    rss_mb: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def truths(self) -> list[list[float] | None]:
        """Noise-free values per trial."""
        return self.f or self.y

    def __len__(self) -> int:
        return len(self.x)


def path(method: str, problem: str, folder: Path = TRACES) -> Path:
    """Where the runs of a method on a problem lie."""
    return folder / method / f"{problem}.jsonl.gz"


def read(method: str, problem: str, folder: Path = TRACES) -> dict[int, Trace]:
    """The stored runs by seed."""
    place = path(method, problem, folder)
    if not place.exists():
        return {}
    with gzip.open(place, "rt") as lines:
        found = [Trace(**json.loads(line)) for line in lines]
    return {trace.seed: trace for trace in found}


def stored(folder: Path = TRACES) -> Iterable[tuple[str, str]]:
    """All stored pairs of method and problem."""
    for place in sorted(folder.glob("*/*.jsonl.gz")):
        yield place.parent.name, place.name.removesuffix(".jsonl.gz")


def write(trace: Trace, folder: Path = TRACES) -> None:
    """Add or replace one run; safe beside other processes that do the same."""
    place = path(trace.method, trace.problem, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _held(folder / ".lock"):
        traces = {**read(trace.method, trace.problem, folder), trace.seed: trace}
        text = "".join(json.dumps(_slim(traces[seed])) + "\n" for seed in sorted(traces))
        fresh = place.with_suffix(".new")
        # Without a time and a name in its header the file depends on its content alone.
        fresh.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        os.replace(fresh, place)


@contextmanager
def _held(lock: Path):
    lock.touch()
    with lock.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _slim(trace: Trace) -> Mapping[str, Any]:
    """The trace as JSON, with as many digits as scores need; empty fields are left out."""
    data = {name: item for name, item in asdict(trace).items() if item or name == "seed"}
    digits = {"x": 7, "y": 10, "f": 10, "cpu": 4, "times": 7, "rss_mb": 4}
    return {name: _rounded(item, digits[name]) if name in digits else item for name, item in data.items()}


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value != 0:
        return float(f"{value:.{digits}g}")
    return value
