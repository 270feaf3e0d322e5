"""Errors as MLflow's clients expect them: ``{"error_code", "message"}`` and the status of the code.

Clients repeat calls that are answered 408, 429, 500, 502, 503 or 504, so nothing that will not change by
itself may be answered so.
"""

from __future__ import annotations

from heliostat.errors import Conflict, HeliostatError, InvalidValue, NotFound, StaleSession, StorageError
from heliostat.service.errors import Refused, status_of

BY_CODE = {
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
"""MLflow's error codes that we use, with their HTTP status."""

_BY_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
}
_BY_KIND: tuple[tuple[type[HeliostatError], str], ...] = (
    (InvalidValue, "INVALID_PARAMETER_VALUE"),
    (NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (StaleSession, "TEMPORARILY_UNAVAILABLE"),
    (Conflict, "RESOURCE_CONFLICT"),
    (StorageError, "TEMPORARILY_UNAVAILABLE"),
)


class MlflowRefusal(Refused):
    """A refusal with a code of MLflow's own.

    Args:
        error_code: One of :data:`BY_CODE`.
        rule: What must hold.
        remedy: What to do about it.
    """

    def __init__(self, error_code: str, rule: str, *, remedy: str = "") -> None:
        self.error_code = error_code
        super().__init__(BY_CODE[error_code], rule, remedy=remedy, code=f"HS-MLFLOW-{BY_CODE[error_code]}")


def error_code_of(error: HeliostatError) -> str:
    """MLflow's word for an error of ours."""
    if isinstance(error, MlflowRefusal):
        return error.error_code
    if isinstance(error, Refused):
        return _BY_STATUS.get(error.status, "BAD_REQUEST")
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), "BAD_REQUEST")


def refusal_status(error: HeliostatError) -> int:
    """The HTTP status of an error; a size or type that HTTP itself has a number for keeps it."""
    return status_of(error) if isinstance(error, Refused) else BY_CODE[error_code_of(error)]


def refusal_object(error: HeliostatError) -> dict[str, str]:
    """The body of the reply."""
    text = str(error)
    if isinstance(error, StorageError):  # where the log lies is the operator's business
        text = "The run log does not answer now. Try again."
    return {"error_code": error_code_of(error), "message": text}


def not_carried(what: str) -> MlflowRefusal:
    """The refusal of a part of MLflow that has no place in a run log."""
    remedy = "Experiments, runs, artifacts and logged models are: see docs/mlflow-inward.md."
    return MlflowRefusal("NOT_IMPLEMENTED", f"Heliostat does not carry MLflow's {what}", remedy=remedy)
