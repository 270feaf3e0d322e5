"""Addresses that carry their own proof, for clients that upload and download without a token.

A ticket says what may be done, until when, and who asked for it; it is signed with a key made of the digest
of that token, which only the log and the service know. It ends with its token. Nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from heliostat.service.backend import Backend
from heliostat.service.callers import Caller
from heliostat.service.errors import Refused

_LONGEST = 4000


def sign(backend: Backend, caller: Caller, facts: Mapping[str, Any]) -> str:
    """A ticket for these facts."""
    token = 0 if caller.token is None else caller.token.id
    expires = int(time.time() + backend.settings.upload_seconds)
    payload = json.dumps({**facts, "token": token, "expires": expires}, separators=(",", ":")).encode()
    key = _key(backend, "" if caller.token is None else caller.token.digest)
    return f"{_text(payload)}.{_text(hmac.digest(key, payload, 'sha256'))}"


def facts_of(backend: Backend, ticket: str) -> dict[str, Any]:
    """The facts of a ticket that is still good; may wait for the log.

    Raises:
        Refused: 403, it was forged, has expired, or its token has.
    """
    body, _, proof = ticket.partition(".")
    try:
        if len(ticket) > _LONGEST:
            raise ValueError
        payload, signature = _bytes(body), _bytes(proof)
        facts = json.loads(payload)
        token, expires = facts.pop("token"), facts.pop("expires")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused() from None
    record = backend.admission.record(token) if token else None
    if backend.settings.auth and record is None:
        raise _refused()
    key = _key(backend, "" if record is None else record.digest)
    if not hmac.compare_digest(hmac.digest(key, payload, "sha256"), signature) or expires < time.time():
        raise _refused()
    return dict(facts)


def _key(backend: Backend, digest: str) -> bytes:
    return hashlib.sha256(f"heliostat ticket {backend.log.identity} {digest}".encode()).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refused() -> Refused:
    return Refused(
        403, "this address is not good any more", remedy="Ask for a new one.", code="HS-SERVICE-403"
    )
