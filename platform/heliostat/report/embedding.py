"""Putting scripts into one HTML file."""

from __future__ import annotations

import re
from importlib import resources

_WRAPPED = re.compile(
    r"\A(?P<licence>/\*\*.*?\*/\s*)\(\s*function\(root, factory\).*?\(\) => \{\n", re.DOTALL
)
_UNWRAPPED = "window.Plotly = Plotly;\nreturn Plotly;\n}));"


def own_file(name: str) -> str:
    """The text of a style or script of ours."""
    return resources.files("heliostat.report").joinpath("static", name).read_text(encoding="utf-8")


def plotly_script() -> str:
    """:func:`plotly_source` as it may stand in an HTML file."""
    return plotly_source().replace("</script", "<\\/script").replace("<!--", "<\\!--")


def plotly_source() -> str:
    """plotly.js as the plotly wheel carries it, without the function for other module systems around it.

    A browser reads the inside of a function that nobody has called yet only as far as its end, and all of it
    again when it is called: with plotly.js that is a third of the time until it is there. Nothing of plotly
    itself is imported.
    """
    source = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    begin = _WRAPPED.match(source)
    if begin is None or not source.rstrip().endswith(_UNWRAPPED):
        return source
    return begin["licence"] + source.rstrip()[begin.end() : -len(_UNWRAPPED)]
