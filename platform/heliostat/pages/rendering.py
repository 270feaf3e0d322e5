"""Templates and headers of pages: what users wrote is escaped, and no script is inline but one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import Response

from heliostat.errors import HeliostatError
from heliostat.figures.embedding import embedded_json
from heliostat.figures.numbers import short
from heliostat.figures.theme import DARK
from heliostat.pages import assets
from heliostat.pages.views.markdown import markdown
from heliostat.pages.views.times import ago, day, lasted
from heliostat.service.errors import error_headers, error_object, status_of

if TYPE_CHECKING:
    import jinja2

POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'self' 'sha256-{assets.early_digest()}'",
        "style-src 'self' 'unsafe-inline'",  # plotly sets styles of its own
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
}

ALONE = {"Cross-Origin-Opener-Policy": "same-origin"}
SECRET = frozenset({"sign_in", "tokens"})
"""Pages where tokens are typed or shown: who opened their window keeps no hold of it. For any other page that
would cost each first visit 45 ms, in which the browser starts another process."""


_GAP = "<!-- content -->"
"""Where the content goes. What users wrote is escaped, so that it stands in a page once."""


@dataclass(frozen=True)
class Page:
    """What every template knows of a look.

    Args:
        seq: Place in the log up to which the page is up to date.
        is_fragment: Whether parts alone are wanted.
        can_write: Whether controls are shown.
        is_admin: Whether tokens are shown.
        is_guest: Whether the caller sees one thing only.
        shared_project: The project that a guest sees as a whole.
        user: Whose token it is.
        proof: What changes must carry.
        path: Of the page.
        has_tokens: Whether the service asks for tokens.
        theme: ``light`` or ``dark``, as the reader has chosen; empty for what the system says.
    """

    seq: int = 0
    is_fragment: bool = False
    can_write: bool = False
    is_admin: bool = False
    is_guest: bool = False
    shared_project: str | None = None
    user: str = ""
    proof: str = ""
    path: str = "/"
    has_tokens: bool = True
    theme: str = ""


def prepare() -> None:
    """Read and compile the templates, and zip the scripts, which the first page would wait for."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)
    for name in (assets.MAIN, assets.SHARED, assets.PLOTLY):
        assets.read(name)


def rendered(page: Page, template: str, facts: Mapping[str, Any], status: int = 200) -> Response:
    """A page as a reply."""
    content = _filled(template, "fragment" if page.is_fragment else "layout", page, facts)
    headers = {**HEADERS, **ALONE} if template in SECRET else HEADERS
    return Response(content, status, media_type="text/html", headers=headers)


def frame_of(page: Page, head: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """What stands before and what behind the content of a page whose head is known first."""
    before, _, behind = _filled("opening", "layout", page, head).partition(_GAP.encode())
    return before, behind


def piece(page: Page, template: str, facts: Mapping[str, Any]) -> bytes:
    """The content of such a page."""
    return _filled(template, "part", page, facts)


def error_piece(page: Page, error: HeliostatError) -> bytes:
    """What is said in place of a content that could not be made."""
    return piece(page, "error", {"message": error_object(error)["message"]})


def sign_in_page(theme: str, status: int = 200) -> Response:
    """The page that asks for a token."""
    return rendered(Page(theme=theme), "sign_in", {}, status)


def error_page(page: Page, error: HeliostatError) -> Response:
    """What is wrong, for people."""
    found = error_object(error)
    answer = rendered(page, "error", {"message": found["message"]}, status_of(error))
    answer.headers.update(error_headers(error))
    return answer


def _filled(template: str, base: str, page: Page, facts: Mapping[str, Any]) -> bytes:
    found = _environment().get_template(f"{template}.html.j2")
    text = found.render(page=page, base=f"{base}.html.j2", **facts)
    # A lone surrogate, as undecodable bytes leave it, cannot be written as UTF-8.
    return text.encode("utf-8", "replace")


def _query(**given: Any) -> str:
    """A query string of what is not empty."""
    return urlencode({key: item for key, item in given.items() if item not in (None, "", [], ())}, doseq=True)


@cache
def _environment() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("heliostat.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago,
        day=day,
        lasted=lasted,
        markdown=markdown,
        short=short,
        embedded=lambda value: Markup(embedded_json(value)),  # escaped by embedded_json
    )
    environment.globals.update(
        asset=lambda name: f"/static/{assets.version()}/{name}",
        style=Markup(assets.style()),
        early=Markup(assets.early()),
        gap=Markup(_GAP),
        plotly=f"/static/{assets.plotly_version()}/{assets.PLOTLY}",
        dark=DARK,
        query=_query,
    )
    return environment
