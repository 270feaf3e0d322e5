"""Which cells to play, in which order, and playing them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quality_traces as traces
from quality_harness import play
from quality_methods import METHODS, OURS, Method, engine
from quality_problem import Problem
from quality_traces import Trace

TURNS = (
    ("heliostat", "heliostat_cold", "heliostat_single"),
    ("random", "sobol", "past_best", "optuna_tpe", "optuna_nsga2", "hyperopt"),
    ("optuna_gp", "sigopt"),
    ("ax",),
    ("smac", "hebo", "baybe", "vizier"),
)
"""Methods whose cells take turns; a group begins when the one before it has ended."""


@dataclass(frozen=True)
class Plan:
    """One cell to play."""

    problem: Problem
    method: Method
    seed: int

    def __str__(self) -> str:
        return f"{self.method.name} on {self.problem.name}, seed {self.seed}"


def cells(
    problems: Sequence[Problem], names: Sequence[str] | None, seeds: Sequence[int] | None
) -> list[Plan]:
    """The cells of these problems and methods, group by group, seed by seed, so that tables fill evenly."""
    plans = []
    turns = [tuple(names)] if names else TURNS
    for group in turns:
        pairs = [
            (problem, METHODS[name])
            for problem in problems
            for name in group
            if (METHODS[name].can_play(problem) if names else METHODS[name].plays(problem))
        ]
        wanted = [(p, m, seeds if seeds is not None else range(m.seeds_for(p))) for p, m in pairs]
        for seed in sorted({seed for _, _, own in wanted for seed in own}):
            plans += [Plan(p, m, seed) for p, m, own in wanted if seed in own]
    return plans


def tried(plans: Iterable[Plan], environments: Path, workers: int) -> list[Trace]:
    """The runs of these cells, played now and not stored."""

    def one(plan: Plan) -> Trace:
        with (log_folder() / f"{plan.method.name}.log").open("a") as log:
            return play(plan.problem, plan.method, plan.seed, environments, log)

    return each(one, plans, workers)


def run(plans: Iterable[Plan], environments: Path, workers: int, again: str | None) -> int:
    """Play and store what is not stored yet; 1 if a run broke off.

    Args:
        plans: The cells.
        environments: Folder of the peers' virtual environments.
        workers: Cells at once.
        again: ``force`` plays stored cells too, ``stale`` those of our searchers that other code played.
    """
    saying = threading.Lock()
    broken, code = 0, engine()

    def is_done(plan: Plan) -> bool:
        stored = traces.read(plan.method.name, plan.problem.name).get(plan.seed)
        is_stale = plan.method.name.startswith(OURS) and stored and stored.versions.get("engine") != code
        return bool(stored) and again != "force" and not (again == "stale" and is_stale)

    def one(plan: Plan) -> bool:
        nonlocal broken
        if is_done(plan):
            return False
        if not plan.method.python(environments).exists():
            return False
        with (log_folder() / f"{plan.method.name}.log").open("a") as log:
            log.write(f"\n== {plan}\n")
            log.flush()
            trace = play(plan.problem, plan.method, plan.seed, environments, log)
        if plan.method.is_ours:
            trace.versions["engine"] = code
        if not trace.x:  # it could not even begin: the log says why, nothing is stored
            with saying:
                print(f"{plan}: {trace.error}", flush=True)
            broken += 1
            return False
        traces.write(trace)
        with saying:
            said = f" BROKE OFF: {trace.error}" if trace.error else ""
            print(f"{plan}: {len(trace)} trials, {sum(trace.cpu):.1f} CPU s{said}", flush=True)
        broken += bool(trace.error)
        return True

    each(one, plans, workers)
    return 1 if broken else 0


def each(one: Callable[[Plan], Any], plans: Iterable[Plan], workers: int) -> list[Any]:
    """Call for every cell; an interrupt ends it after the cells that are being played."""
    if workers == 1:
        return [one(plan) for plan in plans]
    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(one, plans))
    finally:
        pool.shutdown(cancel_futures=True)


def log_folder() -> Path:
    """Where the methods' complaints go: beside the traces, not in the repository."""
    folder = traces.TRACES / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
