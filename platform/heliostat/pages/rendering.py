"""Templates and headers of pages: everything a user wrote is escaped, no script is inline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import Response

from heliostat.errors import HeliostatError
from heliostat.figures import Card
from heliostat.figures.numbers import short
from heliostat.figures.theme import DARK
from heliostat.pages import assets
from heliostat.pages.views.markdown import markdown
from heliostat.pages.views.times import ago, day, lasted
from heliostat.report.embedding import embedded_json
from heliostat.service.errors import error_headers, error_object, status_of

if TYPE_CHECKING:
    import jinja2

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # plotly sets styles of its own
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


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


def rendered(page: Page, template: str, facts: Mapping[str, Any], status: int = 200) -> Response:
    """A page as a reply."""
    base = "fragment.html.j2" if page.is_fragment else "layout.html.j2"
    text = _environment().get_template(f"{template}.html.j2").render(page=page, base=base, **facts)
    # A lone surrogate, as undecodable bytes leave it, cannot be written as UTF-8.
    content = text.encode("utf-8", "replace")
    return Response(content, status, media_type="text/html", headers=_HEADERS)


def sign_in_page(status: int = 200) -> Response:
    """The page that asks for a token."""
    return rendered(Page(), "sign_in", {}, status)


def error_page(page: Page, error: HeliostatError) -> Response:
    """What is wrong, for people."""
    found = error_object(error)
    answer = rendered(page, "error", {"message": found["message"]}, status_of(error))
    answer.headers.update(error_headers(error))
    return answer


def _version_of(card: Card) -> str:
    facts = (card.key, card.title, card.claim, card.how_to_read, card.figure, card.absent, card.notes)
    return hashlib.sha256(json.dumps(facts, default=dict).encode("utf-8", "replace")).hexdigest()[:12]


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
        version=_version_of,
    )
    environment.globals.update(
        asset=lambda name: f"/static/{assets.version()}/{name}",
        plotly=f"/static/{assets.plotly_version()}/{assets.PLOTLY}",
        dark=DARK,
        query=_query,
    )
    return environment
