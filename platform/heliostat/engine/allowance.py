"""How many runs a budget still allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from heliostat.analysis.counts import COST_DIGITS
from heliostat.engine.question import Offer
from heliostat.experiment import ExperimentSpec


def affordable(spec: ExperimentSpec, left: float | None, count: int) -> int:
    """How many of `count` runs may be proposed; cheap tasks may turn out to be affordable in numbers.

    Args:
        spec: The declaration.
        left: What is left of the budget; ``None`` without one.
        count: How many are wanted.
    """
    if left is None or (spec.tasks and left > 0):
        return count
    return min(count, math.ceil(left))


def within(spec: ExperimentSpec, left: float | None, offers: Sequence[Offer]) -> list[Offer]:
    """The offers that are reached before the budget is used up; only tasks need a second look."""
    if left is None or not spec.tasks:
        return list(offers)
    kept = list[Offer]()
    for offer in offers:
        if left <= 0:
            break
        kept.append(offer)
        task = spec.task(offer.proposal.task)
        left = left if task is None else round(left - task.cost, COST_DIGITS)
    return kept
