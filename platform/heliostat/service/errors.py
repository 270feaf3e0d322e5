"""Errors as SigOpt's wire has them: ``{"message", "status"}``, never a trace.

Heliostat's stable ``code`` goes with them, and the ``field`` where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat.errors import (
    Conflict,
    HeliostatError,
    InvalidValue,
    NoFeasiblePoint,
    NotFound,
    StaleSession,
    StorageError,
    Unsupported,
)

RETRY_SECONDS = 1
"""What ``Retry-After`` says where nothing better is known."""


class Refused(HeliostatError):
    """A call that is refused for what it is, whatever its objects are.

    Args:
        status: The HTTP status.
        rule: What must hold.
        headers: More headers of the reply.
        token_status: SigOpt's word for what is wrong with the token.
    """

    default_code = "HS-SERVICE-001"

    def __init__(
        self,
        status: int,
        rule: str,
        *,
        remedy: str = "",
        code: str = "",
        headers: Mapping[str, str] | None = None,
        token_status: str = "",
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.token_status = token_status
        super().__init__(rule, remedy=remedy, code=code)


_STATUS: tuple[tuple[type[HeliostatError], int], ...] = (
    (InvalidValue, 400),
    (Unsupported, 400),
    (NotFound, 404),
    (StaleSession, 503),
    (Conflict, 409),
    (StorageError, 503),
    (NoFeasiblePoint, 422),
)


def status_of(error: HeliostatError) -> int:
    """The HTTP status that says what an error means to the caller."""
    if isinstance(error, Refused):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_object(error: HeliostatError) -> dict[str, Any]:
    """The body of the reply."""
    status = status_of(error)
    found: dict[str, Any] = {"message": _message(error), "status": status, "code": error.code}
    if isinstance(error, InvalidValue):
        found["field"] = error.field
    if isinstance(error, Refused) and error.token_status:
        found["token_status"] = error.token_status
    return found


def error_headers(error: HeliostatError) -> dict[str, str]:
    """Headers of the reply: when to come again, if that may help."""
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if status_of(error) in (429, 503):
        headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return headers


def _message(error: HeliostatError) -> str:
    # Where the log lies is the operator's business; its error is in the service's own log.
    return "The run log does not answer now. Try again." if isinstance(error, StorageError) else str(error)
