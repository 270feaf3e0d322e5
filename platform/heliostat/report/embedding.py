"""Putting data and our own scripts into one HTML file."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def embedded_json(value: Any) -> str:
    r"""JSON that is safe inside ``<script type="application/json">``.

    ``</`` would end the element, ``<!--`` open a comment, and U+2028/9 end a line in old script engines.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    # A lone surrogate, as undecodable bytes in a traceback leave it, cannot be written as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def own_file(name: str) -> str:
    """The text of a style or script of ours."""
    return resources.files("heliostat.report").joinpath("static", name).read_text(encoding="utf-8")


def plotly_script() -> str:
    """plotly.js as the plotly wheel carries it; nothing of plotly itself is imported."""
    source = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
