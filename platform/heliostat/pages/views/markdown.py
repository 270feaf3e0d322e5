"""Notes in Markdown (CommonMark) as HTML; raw HTML is shown as text, and no image is fetched."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

_PAGE_LEVELS = 2
"""The page's own headings are the first two levels."""

_PARSER = MarkdownIt("js-default", {"linkify": False, "typographer": False}).disable("image")


def markdown(text: str) -> Markup:
    """The HTML of a note; links lead to no script and no file (``markdown_it`` refuses such addresses)."""
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _PAGE_LEVELS, 6)}"
        for part in token.children or ():
            if part.type == "link_open":
                part.attrSet("rel", "noopener noreferrer")
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))
