"""Scripts and styles: ours, the report's, and plotly.js as its wheel carries it.

Their address holds a digest of what they are, so that a browser keeps them for a year and yet sees a change.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request, Response

from heliostat.errors import NotFound

router = APIRouter()

PLOTLY = "plotly.min.js"
_OWN = (
    "theme.js", "main.js", "brushing.js", "figures.js", "forms.js", "live.js", "selected.js", "selection.js",
    "views.js",
    "pages.css",
)  # fmt: skip
_REPORT = ("format.js", "links.js", "parallel.js", "charts.js", "report.css")
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class Asset:
    """A file: its content, the same gzipped, its MIME type and ETag."""

    content: bytes
    zipped: bytes
    kind: str
    tag: str


@router.get("/static/{version}/{name}")
async def fetch(request: Request, version: str, name: str) -> Response:
    """An asset, under any version: the version only tells addresses apart."""
    if name not in (*_OWN, *_REPORT, PLOTLY):
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
        return Response(asset.zipped, media_type=asset.kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.kind, headers=headers)


@cache
def read(name: str) -> Asset:
    """An asset by name."""
    content = _content(name)
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    return Asset(content, gzip.compress(content, 6, mtime=0), _TYPES[name.rpartition(".")[2]], tag)


@cache
def version() -> str:
    """A digest of all assets, for addresses."""
    digest = hashlib.sha256()
    for name in (*_OWN, *_REPORT):
        digest.update(_content(name))
    return digest.hexdigest()[:12]


@cache
def plotly_version() -> str:
    """The installed version of plotly, for its address."""
    from importlib.metadata import version as version_of

    return version_of("plotly")


def _content(name: str) -> bytes:
    if name == PLOTLY:
        return resources.files("plotly").joinpath("package_data", name).read_bytes()
    package = "heliostat.pages" if name in _OWN else "heliostat.report"
    return resources.files(package).joinpath("static", name).read_bytes()
