"""Cards as static SVG, for places without scripts: notebooks, prints, mail.

It draws what our figures in the plane use of plotly's language (lines, steps, marks, areas, bars of doubt,
rectangles, annotations), nothing else; figures in space and contours are left to plotly.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.figures.card import Card
from heliostat.figures.theme import GRID, MUTED, TEXT
from heliostat.figures.ticks import Axis, read_axis

WIDTH, HEIGHT = 480, 290
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 38, 44
MOST_TITLES = 400
"""Most marks that tell their run when pointed at; each costs some hundred bytes."""

PLAIN = {TEXT: "currentColor", MUTED: "currentColor", GRID: "currentColor"}
"""Text follows the page's colour, which may be light or dark."""


@dataclass(frozen=True)
class _Frame:
    """Both axes on their pixels."""

    x: Axis
    y: Axis

    def at(self, x: Any, y: Any) -> tuple[float, float] | None:
        across, up = self.x.share(x), self.y.share(y)
        if math.isnan(across) or math.isnan(up):
            return None
        return _pixel_x(across), _pixel_y(up)


def can_draw(card: Card) -> bool:
    """Whether :func:`drawing` can draw the card."""
    if card.kind != "plotly" or card.figure is None or "scene" in card.figure["layout"]:
        return False
    layout, traces = card.figure["layout"], card.figure["data"]
    return "xaxis2" not in layout and all(trace["type"] == "scatter" for trace in traces)


def drawing(card: Card) -> str:
    """The card's figure as one ``<svg>`` element; everything in it is escaped."""
    assert card.figure is not None
    layout, traces = card.figure["layout"], card.figure["data"]
    main = [trace for trace in traces if trace.get("yaxis", "y") == "y"]
    x = read_axis(layout["xaxis"], [value for trace in main for value in trace["x"]])
    y = read_axis(layout["yaxis"], [value for trace in main for value in trace["y"]])
    frame, lane = _Frame(x, y), _Frame(x, Axis(0.0, 1.0, False, (), ""))
    parts = [*_grid(frame), *(_shape(shape, frame) for shape in layout.get("shapes", ()))]
    for trace in traces:
        parts += _trace(trace, frame if trace.get("yaxis", "y") == "y" else lane)
    parts += [_annotation(item, frame) for item in layout.get("annotations", ())]
    if layout.get("showlegend", True):
        parts += _legend(traces)
    name = html.escape(f"{card.title} {card.claim}".strip())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{name}" style="width:100%;max-width:{WIDTH}px;height:auto;font:11px sans-serif">'
        f"{''.join(parts)}</svg>"
    )


def _pixel_x(share: float) -> float:
    return LEFT + min(max(share, -0.02), 1.02) * (WIDTH - LEFT - RIGHT)


def _pixel_y(share: float) -> float:
    return HEIGHT - BOTTOM - min(max(share, -0.02), 1.02) * (HEIGHT - TOP - BOTTOM)


def _colour(value: Any) -> str:
    text = value if isinstance(value, str) else "currentColor"
    return html.escape(PLAIN.get(text, text))


def _text(
    x: float, y: float, text: str, *, anchor: str = "middle", colour: str = "currentColor", more: str = ""
) -> str:
    shown = html.escape(html.unescape(text))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {more}>{shown}</text>'


def _line(ends: Sequence[float], colour: str, width: float, more: str = "") -> str:
    x1, y1, x2, y2 = ends
    ends_text = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends_text} stroke="{colour}" stroke-width="{width}" {more}/>'


def _grid(frame: _Frame) -> Iterator[str]:
    faint, quiet = 'stroke-opacity=".15"', 'opacity=".75"'
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value, text in frame.x.ticks:
        share = frame.x.share(value)
        if 0 <= share <= 1:
            yield _line((_pixel_x(share), TOP, _pixel_x(share), bottom), "currentColor", 1, faint)
            yield _text(_pixel_x(share), bottom + 15, text, more=quiet)
    for value, text in frame.y.ticks:
        share = frame.y.share(value)
        if 0 <= share <= 1:
            yield _line((LEFT, _pixel_y(share), right, _pixel_y(share)), "currentColor", 1, faint)
            yield _text(LEFT - 6, _pixel_y(share) + 4, text, anchor="end", more=quiet)
    yield _text((LEFT + right) / 2, HEIGHT - 10, frame.x.title, more=quiet)
    middle = (TOP + bottom) / 2
    yield _text(14, middle, frame.y.title, more=f'{quiet} transform="rotate(-90 14 {middle})"')


def _edge(axis: Axis, value: Any, reference: str) -> float:
    """A shape's end as a share of the axis: of the paper, or of the values, kept near the plot."""
    share = float(value) if reference == "paper" else axis.share(value)
    return 1.0 if math.isnan(share) else min(max(share, 0.0), 1.0)


def _shape(shape: Mapping[str, Any], frame: _Frame) -> str:
    x0, x1 = (_pixel_x(_edge(frame.x, shape[key], shape.get("xref", "x"))) for key in ("x0", "x1"))
    y0, y1 = (_pixel_y(_edge(frame.y, shape[key], shape.get("yref", "y"))) for key in ("y0", "y1"))
    if shape["type"] == "line":
        dash = 'stroke-dasharray="6 4"' if shape["line"].get("dash") else ""
        return _line((x0, y0, x1, y1), _colour(shape["line"]["color"]), shape["line"]["width"], dash)
    fill = f'fill="{_colour(shape["fillcolor"])}" fill-opacity="{shape.get("opacity", 1)}"'
    box = (
        f'x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}"'
    )
    return f"<rect {box} {fill}/>"


def _annotation(item: Mapping[str, Any], frame: _Frame) -> str:
    """Annotations name places on log axes by their exponents."""
    across = (
        item["x"] if item.get("xref") == "paper" else (item["x"] - frame.x.low) / (frame.x.high - frame.x.low)
    )
    up = (
        item["y"] if item.get("yref") == "paper" else (item["y"] - frame.y.low) / (frame.y.high - frame.y.low)
    )
    anchor = {"left": "start", "right": "end"}.get(item.get("xanchor", "center"), "middle")
    lower = 12 if item.get("yanchor") == "top" else -3
    return _text(
        _pixel_x(across),
        _pixel_y(up) + lower,
        item["text"],
        anchor=anchor,
        colour=_colour(item["font"]["color"]),
    )


def _trace(trace: Mapping[str, Any], frame: _Frame) -> Iterator[str]:
    places = [frame.at(x, y) for x, y in zip(trace["x"], trace["y"], strict=True)]
    if not any(places):
        return
    opacity = f'opacity="{trace.get("opacity", 1)}"'
    mode = trace.get("mode", "lines")
    if "error_y" in trace:
        yield from _doubts(trace, frame)
    if "lines" in mode:
        path = _path(places, trace["line"].get("shape", "linear"))
        fill = _colour(trace.get("fillcolor", trace["line"].get("color"))) if "fill" in trace else "none"
        dash = 'stroke-dasharray="5 4"' if trace["line"].get("dash", "solid") != "solid" else ""
        stroke = f'stroke="{_colour(trace["line"].get("color"))}" stroke-width="{trace["line"]["width"]}"'
        faint = 'fill-opacity=".45"' if fill != "none" and "opacity" not in trace else ""
        yield f'<path d="{path}" fill="{fill}" {faint} {stroke} {dash} {opacity}/>'
    if "markers" in mode:
        titles = trace.get("hovertext", ()) if len(places) <= MOST_TITLES else ()
        for row, place in enumerate(places):
            if place is not None:
                yield _mark(place, trace["marker"], titles[row] if row < len(titles) else "")


def _path(places: Sequence[tuple[float, float] | None], shape: str) -> str:
    parts, before = [], None
    for place in places:
        if place is None:
            before = None
            continue
        x, y = place
        if before is None:
            parts.append(f"M{x:.1f} {y:.1f}")
        else:
            corner = {"hv": f"H{x:.1f}V{y:.1f}", "vh": f"V{y:.1f}H{x:.1f}"}.get(shape, f"L{x:.1f} {y:.1f}")
            parts.append(corner)
        before = place
    return "".join(parts)


def _doubts(trace: Mapping[str, Any], frame: _Frame) -> Iterator[str]:
    colour = _colour(trace["error_y"].get("color"))
    for x, y, reach in zip(trace["x"], trace["y"], trace["error_y"]["array"], strict=True):
        if None not in (x, y, reach):
            low, high = frame.at(x, y - reach), frame.at(x, y + reach)
            if low and high:
                yield _line((*low, *high), colour, 1)


def _mark(place: tuple[float, float], marker: Mapping[str, Any], hover: str) -> str:
    x, y = place
    size, colour = marker["size"] / 2, _colour(marker["color"])
    title = f"<title>{html.escape(_plain(hover))}</title>" if hover else ""
    opacity = f'opacity="{marker.get("opacity", 1)}"'
    symbol = marker.get("symbol", "circle")
    if symbol.startswith("x"):
        across = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}"
        d = f"{across}m0 {-2 * size}l{-2 * size} {2 * size}"
        stroke = f'stroke="{colour}" stroke-width="1.6" fill="none"'
        return f'<path d="{d}" {stroke} {opacity}>{title}</path>'
    if symbol.startswith("line-ns"):
        d = f"M{x:.1f} {y - size:.1f}v{2 * size}"
        return f'<path d="{d}" stroke="{colour}" stroke-width="1.5">{title}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}" {opacity}>{title}</circle>'


def _plain(hover: str) -> str:
    """A hover text without plotly's marks."""
    return html.unescape(re.sub(r"</?b>", "", hover.replace("<br>", "\n")))


def _legend(traces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    x = float(LEFT)
    for trace in traces:
        if trace.get("showlegend", True) and trace["x"]:
            name = str(trace.get("name", ""))
            style = trace["marker"] if "markers" in trace.get("mode", "lines") else trace["line"]
            if "markers" in trace.get("mode", "lines"):
                yield _mark((x + 5, 10.0), {**style, "size": min(style["size"], 9)}, "")
            else:
                yield _line((x - 2, 10, x + 10, 10), _colour(style.get("color")), 2.5)
            yield _text(x + 16, 14, name, anchor="start", more='opacity=".85"')
            x += 30 + 5.8 * len(html.unescape(name))
