"""Asking a hosted library until it says something legal and new, and the way on when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.space import Value
from heliostat.trial import History, Proposal, Run
from heliostat_searchers.novelty import ENUMERABLE, Key, key, size_bound, taken, untried
from heliostat_searchers.quiet import quiet
from heliostat_searchers.sobol import next_points

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger("heliostat")

TRIES = 64
"""Answers per wanted point that may break a linear constraint or repeat a known point. Where 1 % of the space
is legal both libraries had a legal answer within 37 (30 runs told, 10 seeds), where 0.25 % is, within 66."""

EARLY = 4
"""Known runs from which the defaults are no longer news: up to here someone may have queued points before."""

LARGEST_SEED = 2**31 - 1
"""Hosted libraries seed NumPy's older generators, which take 32 bits."""


class Dialogue(Protocol):
    """One library that knows the history and is asked for one point after the other."""

    def ask(self) -> dict[str, Value]:
        """The next answer: each living parameter's value, linear constraints not looked at.

        From then on it counts as under way, whether or not it will be tried: TPE is drawn to where it has
        seen nothing, so it would answer from the forbidden side of a constraint again and again.
        """
        ...


def require(library: str, major: int) -> None:
    """Refuse to go on without a library.

    Args:
        library: Its name in the package index, and of our extra.
        major: Oldest major version that will do.

    Raises:
        Unsupported: It is missing or too old; the error has the command that installs it.
    """
    try:
        found = version(library)
    except PackageNotFoundError:
        found = ""
    if not found or int(found.partition(".")[0]) < major:
        rule = f"searcher {library!r} needs the package {library}" + (f" {major} or later" if major else "")
        remedy = f"Install it with: pip install -U 'heliostat[{library}]'"
        raise Unsupported(rule, given=found or "none", remedy=remedy, code="HS-UNSUPPORTED-002")


def proposals(
    name: str,
    spec: ExperimentSpec,
    history: History,
    count: int,
    rng: np.random.Generator,
    begin: Callable[[int], Dialogue],
) -> list[Proposal]:
    """Up to `count` legal new points: the library's, then, with the reason, those of a Sobol sequence.

    The user's defaults come first, if every living parameter has one; later than a few queued points they are
    left out.

    Args:
        name: The library, for people.
        spec: The declared experiment.
        history: Its runs so far.
        count: How many are wanted.
        rng: The only source of randomness.
        begin: Seed → the library with the history in its mind.
    """
    used = taken(history)
    if size_bound(spec.space) <= ENUMERABLE:  # do not ask for points that do not exist
        count = sum(1 for _ in islice(untried(spec.space, used), count))
    if not count:
        return []
    defaults = spec.space.defaults() if len(used) < EARLY else None
    if defaults is not None and key(defaults) not in used:
        rest = proposals(name, spec, _with_open(history, defaults), count - 1, rng, begin)
        return [Proposal(defaults, why="the user's defaults"), *rest]
    points: list[dict[str, Value]] = []
    reason = ""
    seed = int(rng.integers(LARGEST_SEED))
    try:
        with quiet():
            reason = _asked(name, spec, begin(seed), count, set(used), points)
    except Exception as error:  # a sweep must outlive whatever code that is not ours makes of its results
        logger.warning("%s failed, a Sobol point takes its place: %r", name, error)
        reason = f"{name} failed ({type(error).__name__})"
    used |= {key(values) for values in points}
    short = count - len(points)
    fallback = next_points(spec, len(history) + len(points), used, short, rng) if short else []
    return [
        *(Proposal(values, why=name) for values in points),
        *(Proposal(values, why=f"explore: {reason}") for values in fallback),
    ]


def _with_open(history: History, assignments: dict[str, Value]) -> History:
    return replace(history, runs=(*history.runs, Run(assignments=assignments)))


def _asked(
    name: str,
    spec: ExperimentSpec,
    dialogue: Dialogue,
    count: int,
    used: set[Key],
    points: list[dict[str, Value]],
) -> str:
    """Append up to `count` legal new points; why there are not more."""
    while len(points) < count:
        broken = 0
        for _ in range(TRIES):
            values = dialogue.ask()
            is_legal = spec.space.meets_constraints(values)
            broken += not is_legal
            if is_legal and key(values) not in used:
                used.add(key(values))
                points.append(values)
                break
        else:
            what = "broke a linear constraint" if broken else "repeated known points"
            return f"{TRIES} answers of {name} {what}"
    return ""
