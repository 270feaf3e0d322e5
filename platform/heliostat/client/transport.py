"""Sending calls: again where that may help, with the same key, so that a repetition has no further effect."""

from __future__ import annotations

import asyncio
import importlib
import random
import time
from typing import Any, TypeVar

from heliostat.client.calls import Call
from heliostat.errors import Conflict, HeliostatError, InvalidValue, NotFound, StorageError

Result = TypeVar("Result")

PATIENCE = 60.0
"""Seconds for which a call is sent again while the service cannot be reached or is overloaded."""

SLOWEST = 120.0
"""Seconds that an answer may take: a suggestion of many points is thought of for long."""

_AGAIN = (429, 502, 503, 504)
_KINDS: dict[int, type[HeliostatError]] = {404: NotFound, 409: Conflict}


class ServiceError(HeliostatError):
    """The service refused a call.

    Args:
        status: HTTP status.
        rule: What it said.
        code: Its stable code.
    """

    default_code = "HS-CLIENT-001"

    def __init__(self, status: int, rule: str, *, code: str = "") -> None:
        self.status = status
        super().__init__(rule, code=code)


class Waits:
    """How long to wait before a call is sent again.

    Args:
        patience: Seconds in all.
    """

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._attempt = 0

    def next(self, response: Any = None) -> float | None:
        """Seconds to wait, jittered, or what the service asked for; ``None``: give up."""
        self._attempt += 1
        seconds = random.uniform(0, min(5.0, 0.1 * 2**self._attempt))
        asked = None if response is None else response.headers.get("retry-after", "")
        if asked and asked.isdigit():
            seconds += min(float(asked), 30.0)
        return seconds if time.monotonic() + seconds < self._until else None


class Line:
    """A connection to the service for threads.

    Args:
        url: Its address.
        token: Who calls.
        patience: Seconds for which a call is repeated.
    """

    def __init__(self, url: str, token: str, patience: float = PATIENCE) -> None:
        self._http = _http()
        self._client = self._http.Client(**_options(url, token))
        self._patience = patience

    def do(self, call: Call[Result]) -> Result:
        """Send a call and read its answer.

        Raises:
            HeliostatError: The service refused it, or could not be reached in time.
        """
        waits = Waits(self._patience)
        while True:
            response, error = None, None
            try:
                response = self._client.request(call.method, f"/v1{call.path}", **_sent(call))
                if not _passes(response):
                    return _read(call, response)
            except self._http.TransportError as broken:
                error = broken
            seconds = waits.next(response)
            if seconds is None:
                raise _failure(response, error)
            time.sleep(seconds)

    def close(self) -> None:
        """End the connection."""
        self._client.close()


class AsyncLine:
    """The same for event loops; see :class:`Line`."""

    def __init__(self, url: str, token: str, patience: float = PATIENCE) -> None:
        self._http = _http()
        self._client = self._http.AsyncClient(**_options(url, token))
        self._patience = patience

    async def do(self, call: Call[Result]) -> Result:
        """As :meth:`Line.do`."""
        waits = Waits(self._patience)
        while True:
            response, error = None, None
            try:
                response = await self._client.request(call.method, f"/v1{call.path}", **_sent(call))
                if not _passes(response):
                    return _read(call, response)
            except self._http.TransportError as broken:
                error = broken
            seconds = waits.next(response)
            if seconds is None:
                raise _failure(response, error)
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        """End the connection."""
        await self._client.aclose()


def _http() -> Any:
    """The library, of an extra: without it every public name can still be imported."""
    try:
        return importlib.import_module("httpx2")
    except ImportError as error:
        raise NotFound("the client needs httpx2", remedy="pip install 'heliostat[client]'") from error


def _options(url: str, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "heliostat"}
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": SLOWEST, "trust_env": False}


def _sent(call: Call[Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {"params": dict(call.query), "timeout": SLOWEST + call.seconds}
    if call.method != "GET":
        sent["headers"] = {"Idempotency-Key": call.key}
    if call.body is not None:
        sent["json"] = call.body
    return sent


def _passes(response: Any) -> bool:
    """Whether the same call may be answered soon: what is refused without JSON, a proxy says.

    Ray Serve's does while a replica has died (500), and before the application is there (404).
    """
    is_proxys = response.status_code >= 400 and "json" not in response.headers.get("content-type", "")
    return is_proxys or response.status_code in _AGAIN


def _read(call: Call[Result], response: Any) -> Result:
    if response.status_code >= 400:
        raise _refusal(response)
    return call.read(response.json() if response.content else None)


def _refusal(response: Any) -> HeliostatError:
    status = response.status_code
    try:
        said = response.json()
        message, code = str(said["message"]), str(said.get("code") or "")
    except (ValueError, KeyError, TypeError):
        said, message, code = {}, f"the service answered {status}: {response.text[:200]}", ""
    message = message.removesuffix(f" [{code}]").rstrip(".")
    if status == 400 and said.get("field"):
        field = str(said["field"])
        return InvalidValue(field, message.removeprefix(f"{field}: "), code=code)
    kind = _KINDS.get(status)
    return ServiceError(status, message, code=code) if kind is None else kind(message, code=code)


def _failure(response: Any, error: Exception | None) -> HeliostatError:
    if response is not None:
        return _refusal(response)
    rule, remedy = f"the service cannot be reached ({error})", "See whether it runs: GET /healthz."
    return StorageError(rule, remedy=remedy, code="HS-CLIENT-002")
