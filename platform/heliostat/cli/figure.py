"""``heliostat figure``: one figure of an experiment, as plotly JSON, SVG or HTML."""

from __future__ import annotations

import json
from pathlib import Path

import click

from heliostat.cli.options import existing_log, log_option, print_table
from heliostat.figures import Card, analyses, overview
from heliostat.figures.svg import can_draw, drawing

FORMS = (".html", ".json", ".svg")


@click.command()
@click.argument("experiment", type=int)
@click.argument("key", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File: .json, .svg or .html.")
@log_option
def command(experiment: int, key: str | None, output: Path | None, log_url: str | None) -> None:
    """Write one figure of an experiment; without a KEY list what there is.

    JSON (also on standard output, without -o) is what plotly's Figure reads.
    """
    if output is not None and output.suffix not in FORMS:
        raise click.BadParameter(f"its name must end with one of {', '.join(FORMS)}", param_hint="-o")
    cards = _cards(log_url, experiment)
    if key is None:
        rows = [[card.key, card.title, card.claim or card.absent] for card in cards.values()]
        print_table(["key", "title", "claim"], rows)
        return
    if key not in cards:
        raise click.BadParameter(f"there is no figure {key!r}; known: {', '.join(cards)}", param_hint="KEY")
    card = cards[key]
    if card.figure is None:
        raise click.ClickException(card.absent)
    text = _written(card, output.suffix if output is not None else ".json")
    if output is None:
        click.echo(text)
        return
    output.write_text(text + "\n", encoding="utf-8")
    click.echo(f"wrote {output}", err=True)


def _cards(log_url: str | None, experiment: int) -> dict[str, Card]:
    from heliostat.engine import read_sources, surrogate_of

    log = existing_log(log_url)
    spec, runs = log.experiment(experiment).spec, log.runs(experiment, curves=True)
    sources = read_sources(spec, log, experiment)
    further = analyses(spec, runs, surrogate=surrogate_of(spec, runs, sources), sources=sources)
    return {card.key: card for card in (*overview(spec, runs), *further)}


def _written(card: Card, form: str) -> str:
    if form == ".json":
        return json.dumps(card.figure, ensure_ascii=False, allow_nan=False)
    if form == ".svg":
        if not can_draw(card):
            raise click.ClickException(f"{card.title} has no static form. Write it to a .json or .html file.")
        return drawing(card)
    if card.kind != "plotly":
        raise click.ClickException(f"{card.title} is a table or lines, not a plot. Write it to a .json file.")
    from heliostat.report import figure_html

    return figure_html(card)
