"""One card as a page of its own."""

from __future__ import annotations

from heliostat.figures import Card
from heliostat.figures.embedding import embedded_json
from heliostat.figures.theme import DARK
from heliostat.report.embedding import own_file, plotly_script
from heliostat.report.report import environment

SCRIPTS = ("format.js", "links.js", "charts.js")


def figure_html(card: Card) -> str:
    """HTML with everything inside it, of a card that plotly draws; light or dark as its reader is."""
    from markupsafe import Markup

    template = environment().get_template("figure.html.j2")
    return template.render(
        card=card,
        data=Markup(embedded_json({"figure": card.figure, "dark": DARK})),
        style=Markup(own_file("report.css")),
        script=Markup("\n".join(own_file(name) for name in SCRIPTS)),
        plotly=Markup(plotly_script()),
    )
