"""The methods that play, where each lives, and what it is able to do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE / "peers"
ENVIRONMENTS = HERE.parents[1] / ".venv-peers"
OURS = "heliostat"

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")}
"""The environment of every process: CPU seconds of one thread are what is compared."""

ANY = frozenset({"conditionals", "failures", "parallel"})
MIXED = "mixed_constraints"
"""Linear constraints over grids or logarithmic parameters, which Ax and SigOpt refuse."""

EVERY = ANY | {"multimetric", "guardrails", "active_search", "linear_constraints", "prefill", MIXED}
CONDITIONAL = frozenset({"P1", "P2", "P3", "P4", "P5"})


@dataclass(frozen=True)
class Method:
    """One optimizer with its defaults.

    Args:
        name: As in tables and folders.
        driver: Script in :data:`PEERS` that speaks for it.
        able: What it can do; a problem that needs more is not played.
        environment: Its own virtual environment and requirement file; None where it lives in ours.
        options: For the driver.
        seeds: How many seeds it plays by default.
        suites: The problem classes that it plays by default; empty for all.
        only: The problem classes that it can play at all; empty for all.
        objectives: Most objectives that it takes.
    """

    name: str
    driver: str
    able: frozenset[str]
    environment: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 5
    suites: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    objectives: int = 9

    def python(self, folder: Path) -> Path:
        """The interpreter that runs its driver."""
        return (
            Path(sys.executable) if self.environment is None else folder / self.environment / "bin" / "python"
        )

    @property
    def is_ours(self) -> bool:
        """Whether it is a searcher of this repository."""
        return self.driver == "heliostat_driver.py"

    def can_play(self, problem: Any) -> bool:
        """Whether it is able to do what a problem needs."""
        if self.only and problem.suite not in self.only:
            return False
        few = len(problem.spec.metrics.objectives) <= self.objectives
        return few and problem.needs <= self.able

    def plays(self, problem: Any) -> bool:
        """Whether it plays a problem by default."""
        return self.can_play(problem) and (not self.suites or problem.suite in self.suites)

    def seeds_for(self, problem: Any) -> int:
        """Number of seeds by default."""
        return self.seeds if self.seeds >= 10 else min(self.seeds, problem.seeds)


PROPOSING = ("bayesian/*.py", "novelty.py", "random.py", "sobol.py", "threads.py")
"""Of the searchers' code what decides which points ours propose; schedulers and the glue to Ray do not."""


def engine() -> str:
    """A digest of the proposing code: runs of another one are of another method."""
    place = find_spec("heliostat_searchers")
    folder = Path(place.origin).parent if place and place.origin else HERE
    found = sha256()
    for file in sorted(file for pattern in PROPOSING for file in folder.glob(pattern)):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def _ours(name: str, searcher: str = "bayesian", seeds: int = 10, **more: Any) -> Method:
    able = EVERY - {"prefill", "active_search", MIXED} if searcher == "ax" else EVERY
    only = frozenset(more.pop("only", ()))
    return Method(
        name, "heliostat_driver.py", able, options={"searcher": searcher, **more}, seeds=seeds, only=only
    )


def _optuna(sampler: str, seeds: int, able: frozenset[str]) -> Method:
    return Method(f"optuna_{sampler}", "optuna_driver.py", able, options={"sampler": sampler}, seeds=seeds)


FRONTS = frozenset({"P6", "P7", "P8"})
METHODS = {
    method.name: method
    for method in (
        _ours(OURS),
        _ours("heliostat_cold", only=("P11",), cold=True),
        _ours("heliostat_single", only=("P10",), single=True),
        _ours("random", "random", single=True, cold=True),
        _ours("sobol", "sobol", single=True, cold=True, only=("P1", "P13")),
        _optuna("tpe", 10, ANY | {"multimetric", "guardrails", "active_search", "prefill"}),
        _optuna("gp", 5, ANY | {"multimetric", "guardrails", "active_search", "prefill"}),
        Method(
            "optuna_nsga2",
            "optuna_driver.py",
            ANY | {"multimetric", "guardrails"},
            options={"sampler": "nsga2"},
            seeds=10,
            only=FRONTS,
        ),
        Method("hyperopt", "hyperopt_driver.py", ANY, seeds=10),
        Method("ax", "ax_driver.py", EVERY - {"active_search", MIXED}, seeds=5),
        Method(
            "sigopt",
            "sigopt_driver.py",
            EVERY - {"parallel", MIXED},
            environment="sigopt",
            seeds=5,
            objectives=2,
        ),
        Method("smac", "smac_driver.py", ANY - {"parallel"}, environment="smac", suites=CONDITIONAL),
        Method("hebo", "hebo_driver.py", frozenset(), environment="hebo", suites=CONDITIONAL),
        Method("baybe", "baybe_driver.py", frozenset(), environment="baybe", suites=CONDITIONAL),
        Method("vizier", "vizier_driver.py", frozenset(), environment="vizier", suites=CONDITIONAL),
        Method("past_best", "past_driver.py", frozenset(), seeds=10, only=frozenset({"P11"})),
    )
}
"""By name, cheap ones first within their kind."""

CHEAP = ("random", "sobol", "past_best", "optuna_tpe", "optuna_nsga2", "hyperopt")
"""Milliseconds a suggestion."""
