"""Pieces of HTML for notebooks: styles are inline, since viewers drop style sheets."""

from __future__ import annotations

import html
from collections.abc import Sequence

from heliostat.figures.theme import ACCENT, BAD, GOOD

TONES = {"good": GOOD, "bad": BAD, "accent": ACCENT}


def text(value: object, tone: str = "") -> str:
    """A value as escaped text, in the colour of its tone."""
    escaped = html.escape(str(value))
    return f'<span style="color:{TONES[tone]}">{escaped}</span>' if tone in TONES else escaped


def heading(title: str, quiet: str = "") -> str:
    """A title and, quieter, what it is about; both are escaped."""
    aside = f' <span style="opacity:.7">{html.escape(quiet)}</span>' if quiet else ""
    return f'<p style="margin:.3em 0"><b>{html.escape(title)}</b>{aside}</p>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; `heads` are escaped here, cells (:func:`text`) are HTML already."""
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in heads)
    body = "".join(_row(row) for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(cells: Sequence[str]) -> str:
    inner = "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells)
    return f"<tr>{inner}</tr>"


def beside(parts: Sequence[str]) -> str:
    """Parts side by side, below each other where it is narrow."""
    cells = "".join(f'<div style="flex:1 1 340px;max-width:480px">{part}</div>' for part in parts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:1em">{cells}</div>'
