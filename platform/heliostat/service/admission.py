"""Tokens: made once, kept as digests, compared in constant time, asked for at the log now and then."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from base64 import b64decode

from heliostat.ports import RunLog, TokenRecord
from heliostat.service.callers import Caller, caller_of
from heliostat.service.errors import Refused
from heliostat.service.limits import Buckets
from heliostat.service.settings import ServiceSettings

PREFIX = "hs_"
"""Tokens begin with it, so that scanners of code find leaked ones."""

ASKING = 50.0
"""Times a second that unknown tokens make a process ask the log."""

_LONGEST = 200
_NO_TOKEN = "HS-SERVICE-401"


def new_secret() -> str:
    """A token with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What the log keeps of a token. Tokens are random, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Admission:
    """Decides who comes in; safe for use by many threads.

    The log is asked again when an unknown token comes (up to a rate: guesses must not cost a query each) and
    when what is known is older than ``settings.token_seconds``.
    """

    def __init__(self, log: RunLog, settings: ServiceSettings) -> None:
        self._log = log
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[str, TokenRecord] = {}
        self._read = -float("inf")
        self._asking = Buckets(ASKING, ASKING)

    def knows(self, secret: str) -> bool:
        """Whether :meth:`admit` can answer without asking the log."""
        is_fresh = time.monotonic() - self._read < self._settings.token_seconds
        return is_fresh and digest_of(secret) in self._known

    def forget(self) -> None:
        """Ask the log at the next call: a token was made or revoked here."""
        self._read = -float("inf")

    def admit(self, secret: str) -> Caller:
        """The caller who holds a token.

        Raises:
            Refused: 401 for an unknown token, 403 for one that was revoked or has expired.
        """
        digest = digest_of(secret)
        self._refresh(digest)
        record = self._known.get(digest)
        if record is None or not hmac.compare_digest(record.digest, digest):
            raise unknown_token()
        if record.revoked:
            raise _ended("revoked")
        if record.expires is not None and record.expires <= time.time():
            raise _ended("expired")
        return caller_of(record)

    def record(self, id: int) -> TokenRecord | None:
        """A token that may come in now, by its identity."""
        self._refresh("")
        now = time.time()
        return next(
            (
                item
                for item in self._known.values()
                if item.id == id and not item.revoked and (item.expires is None or item.expires > now)
            ),
            None,
        )

    def _refresh(self, digest: str) -> None:
        age = time.monotonic() - self._read
        is_fresh = age < self._settings.token_seconds
        if is_fresh and (digest in self._known or not digest or self._asking.wait("") > 0):
            return
        with self._lock:
            if time.monotonic() - self._read < age:
                return
            self._known = {record.digest: record for record in self._log.tokens()}
            self._read = time.monotonic()


def secret_in(authorization: str) -> str:
    """The token in an ``Authorization`` header: the user of Basic, or Bearer.

    Raises:
        Refused: 401, there is none.
    """
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        secret = rest
    elif scheme.lower() == "basic":
        try:
            user, _, password = b64decode(rest, validate=True).decode("utf-8").partition(":")
        except ValueError:
            raise unknown_token() from None
        # Tools that know passwords only (MLflow, browsers) may send it there, under any user.
        secret = user if user.startswith(PREFIX) or not password else password
    else:
        raise unknown_token()
    if not 0 < len(secret) <= _LONGEST:
        raise unknown_token()
    return secret


def unknown_token() -> Refused:
    """The error for a missing and for a wrong token: the same, so that nothing is learned from it."""
    remedy = "Send Authorization: Bearer TOKEN, or Basic with the token as user and no password."
    headers = {"WWW-Authenticate": 'Basic realm="heliostat", charset="UTF-8"'}
    return Refused(401, "a valid token is needed", remedy=remedy, code=_NO_TOKEN, headers=headers)


def _ended(status: str) -> Refused:
    remedy = "Ask for a new one: heliostat token create"
    return Refused(403, f"this token is {status}", remedy=remedy, code=_NO_TOKEN, token_status=status)
