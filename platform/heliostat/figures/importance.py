"""Parameters by metrics: what matters for what."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.analysis import Importance, importances
from heliostat.analysis.importance import RULE
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.numbers import compact
from heliostat.trial import Run

KEY, TITLE = "importance", "Parameter importance"
MOST = 12
"""Most rows of the table; the rest are named in a note."""


def parameter_importance(
    spec: ExperimentSpec, runs: Sequence[Run], *, known: Sequence[Importance] | None = None
) -> Card:
    """A table with a word and a bar for each parameter and metric; `known` saves fitting again."""
    found = importances(spec, runs) if known is None else known
    if not any(item.shares for item in found):
        distinct = {item.unclear for item in found}
        listed = [item.unclear if len(distinct) == 1 else f"{item.metric}: {item.unclear}" for item in found]
        reasons = "; ".join(dict.fromkeys(listed))
        absent = f"Not clear yet ({reasons}). It appears as more runs complete. {RULE}"
        return Card(KEY, TITLE, kind="importance", absent=absent)
    order = ranked(spec, found)
    heads = [{"metric": item.metric, "r2": item.r2, "unclear": item.unclear} for item in found]
    rows = [
        {
            "parameter": name,
            "cells": [{"word": item.word(name), "share": item.shares.get(name)} for item in found],
        }
        for name in order[:MOST]
    ]
    hidden = len(order) - MOST
    return Card(
        KEY,
        TITLE,
        kind="importance",
        how_to_read="A longer bar means that changing the parameter changes the metric more.",
        figure=compact({"metrics": heads, "rows": rows, "rule": RULE}),
        notes=(f"{hidden} less important parameters are not listed.",) if hidden > 0 else (),
    )


def ranked(spec: ExperimentSpec, found: Sequence[Importance]) -> list[str]:
    """All parameters, those with the largest share for any metric first, then in declared order."""
    names = [item.name for item in spec.space.dimensions]
    largest = {
        name: max((item.shares.get(name, 0.0) for item in found if not item.unclear), default=0.0)
        for name in names
    }
    return sorted(names, key=lambda name: -largest[name])
