"""Why the server did not do what it was asked to, and what that means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from heliostat.errors import StorageError

_PASSING = frozenset({
    "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED",
    "RESOURCE_CONFLICT", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE",
})  # fmt: skip
_STATUS = re.compile(r"failed with error code (\d{3})\b")
_PASSING_STATUS = re.compile(r"408|425|429|5\d\d")
_NOT_MLFLOW = "not in a valid JSON format"
_KNOWN = (
    (re.compile(r"\[Errno \d+\] ([\w ]+)"), "{}"),
    (re.compile(r"timed out.*?timeout=(\d+)"), "no answer within {} s"),
    (re.compile(r"too many (\d+) error responses"), "error {}"),
    (
        re.compile(r"(Connection aborted|Temporary failure in name resolution|Name or service not known)"),
        "{}",
    ),
)
_SECRET = re.compile(r"(://)[^/@\s]+@")


class ServerAway(StorageError):
    """The server did not answer, or cannot at present: what was asked may or may not have happened."""

    default_code = "HS-MLFLOW-001"


class ServerRefused(StorageError):
    """The server answered that it will not do it; asking again does not help."""

    default_code = "HS-MLFLOW-002"


class NameTaken(StorageError):
    """An MLflow experiment of that name is there, perhaps a deleted one."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn MLflow's errors into the two kinds above."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise fault(error.error_code, str(error), what) from None
    except OSError as error:
        raise ServerAway(f"the MLflow server could not {what} ({error})") from error


def fault(code: str, message: str, what: str) -> StorageError:
    """The error for a server's error code and message."""
    told = _reason(message)
    if code == "RESOURCE_ALREADY_EXISTS":
        return NameTaken(f"the MLflow server could not {what} ({told})")
    if _NOT_MLFLOW in message:
        rule = f"the address must be an MLflow server's, but its answer is not MLflow's ({told})"
        return ServerRefused(rule, remedy="Check --uri or $MLFLOW_TRACKING_URI.")
    status = _STATUS.search(message)
    if _PASSING_STATUS.match(status[1]) if status else code in _PASSING:
        return ServerAway(f"the MLflow server could not {what} ({told})")
    remedy = "Check --uri or $MLFLOW_TRACKING_URI." if code == "ENDPOINT_NOT_FOUND" else ""
    if code in ("UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", "PERMISSION_DENIED"):
        remedy = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
    return ServerRefused(f"the MLflow server refused to {what} ({code}: {told})", remedy=remedy)


def _reason(message: str) -> str:
    """The server's words, or the client's, in short and without a password."""
    line = " ".join(message.split())
    for pattern, told in _KNOWN:
        found = pattern.search(line)
        if found:
            return told.format(found[1])
    return _SECRET.sub(r"\1", line)[:300]
