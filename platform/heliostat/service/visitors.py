"""People at a browser: which addresses are pages, the cookie with the token, where a change comes from.

The cookie is HttpOnly and SameSite=Strict. A change must also carry :data:`PROOF`, which only a page of ours
can read, and come from this origin.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from heliostat.service.callers import Caller
from heliostat.service.errors import Refused

COOKIE = "heliostat_token"
PROOF = b"x-heliostat-proof"
"""Header of a change that a page sends."""

STRANGER = Caller("read", run=0)
"""Somebody without a token: a guest of nothing."""

_PAGES = ("compare", "experiments", "projects", "reports", "runs", "sign-in", "sign-out", "static", "tokens")
_SAFE = frozenset(("GET", "HEAD"))


def is_page(path: str) -> bool:
    """Whether people look at this address; the others are for programs."""
    return path == "/" or path.split("/", 2)[1].partition(".")[0] in _PAGES


def takes_cookie(path: str) -> bool:
    """Whether a cookie may stand for the token: at pages, and at the wire that pages call."""
    return is_page(path) or path.startswith("/v1/")


def secret_of(headers: dict[bytes, bytes]) -> str | None:
    """The token in the cookie, if there is one."""
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and found.value else None


def proof_of(secret: str) -> str:
    """What a page of the token's holder sends with changes."""
    return hmac.digest(secret.encode("utf-8", "replace"), b"heliostat page", hashlib.sha256).hex()[:32]


def check_proof(secret: str, method: str, headers: dict[bytes, bytes]) -> None:
    """Refuse a change that no page of ours has sent.

    Raises:
        Refused: 403.
    """
    given = headers.get(PROOF, b"").decode("latin-1")
    if method not in _SAFE and not hmac.compare_digest(given.encode(), proof_of(secret).encode()):
        remedy = "Reload the page and try again."
        raise Refused(403, "a change must come from a page of this service", remedy=remedy)
