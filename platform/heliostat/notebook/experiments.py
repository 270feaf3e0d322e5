"""An experiment in a notebook: headlines, best so far, trade-off."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.experiment import ExperimentSpec
from heliostat.figures import Card, best_so_far, trade_offs
from heliostat.figures.svg import can_draw, drawing
from heliostat.notebook.markup import beside, heading, table, text
from heliostat.report.headlines import headlines, state_counts
from heliostat.trial import Run


def experiment_html(spec: ExperimentSpec, runs: Sequence[Run]) -> str:
    """The experiment as it is now; deleted runs are left out."""
    kept = [run for run in runs if not run.archived]
    states = ", ".join(f"{number} {words}" for _, words, number in state_counts(spec, kept))
    rows = [
        [text(item.label), text(item.value, item.tone), text(item.detail)] for item in headlines(spec, kept)
    ]
    pictures = [
        _picture(card) for card in (best_so_far(spec, kept), trade_offs(spec, kept)[0]) if can_draw(card)
    ]
    title = heading(f"{spec.project} / {spec.name}", states or "no runs yet")
    return f"{title}{table(('', '', ''), rows)}{beside(pictures)}"


def _picture(card: Card) -> str:
    return f"{heading(card.title, card.claim)}{drawing(card)}"
