"""Scripts and styles: ours, the report's, and plotly.js as its wheel carries it.

The styles and one script stand in the page itself, for its first paint. The address of the rest holds a
digest of what it is, so that a browser keeps it for a year and yet sees a change.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request, Response

from heliostat.errors import NotFound
from heliostat.report.embedding import plotly_source

router = APIRouter()

PLOTLY = "plotly.min.js"
MAIN = "main.js"
"""What every page does."""

SHARED = "shared.js"
"""What pages have in common with reports."""

_OWN = ("selected", "brushing", "figures", "live", "forms", "selection", "views", "main")
"""Modules of the page's script, each behind those that it needs when it begins."""

_REPORT = ("format.js", "links.js", "parallel.js", "charts.js")
_BORDER = re.compile(r"^import .*\n|^export (?=async |function |const )", re.MULTILINE)
_TYPE = "text/javascript; charset=utf-8"


@dataclass(frozen=True)
class Asset:
    """A script: its content, the same gzipped, its ETag."""

    content: bytes
    zipped: bytes
    tag: str


@router.get("/static/{version}/{name}")
async def fetch(request: Request, version: str, name: str) -> Response:
    """An asset, under any version: the version only tells addresses apart."""
    if name not in (MAIN, SHARED, PLOTLY):
        raise NotFound("there is no such file", given=name[:100])
    asset = read(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": asset.tag,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.zipped, media_type=_TYPE, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=_TYPE, headers=headers)


@cache
def read(name: str) -> Asset:
    """An asset by name."""
    content = _content(name)
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return Asset(content, gzip.compress(content, 6, mtime=0), tag)


@cache
def style() -> str:
    """The style of all pages."""
    return _file("heliostat.report", "report.css") + _file("heliostat.pages", "pages.css")


@cache
def early() -> str:
    """The one script that stands in a page: it has to run before anything else has come."""
    return _file("heliostat.pages", "early.js")


@cache
def early_digest() -> str:
    """By which a content security policy names that script and no other."""
    return base64.b64encode(hashlib.sha256(early().encode()).digest()).decode()


@cache
def version() -> str:
    """A digest of all assets, for addresses."""
    digest = hashlib.sha256()
    for name in (MAIN, SHARED):
        digest.update(_content(name))
    return digest.hexdigest()[:12]


@cache
def plotly_version() -> str:
    """The installed version of plotly, for its address."""
    from importlib.metadata import version as version_of

    return version_of("plotly")


def _content(name: str) -> bytes:
    if name == PLOTLY:
        return plotly_source().encode()
    if name == SHARED:
        return "\n".join(_file("heliostat.report", part) for part in _REPORT).encode()
    return _joined([_file("heliostat.pages", f"{part}.js") for part in _OWN]).encode()


def _joined(modules: Sequence[str]) -> str:
    """Modules as one: a browser asks for it once instead of for each, before it can paint.

    Their top-level names must differ; else the browser refuses the whole, and every test of a page fails.
    """
    return "\n".join(_BORDER.sub("", module) for module in modules)


def _file(package: str, name: str) -> str:
    return resources.files(package).joinpath("static", name).read_text(encoding="utf-8")
