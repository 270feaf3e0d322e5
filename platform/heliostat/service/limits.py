"""How much and how often: bodies are counted while they come, calls by token, guesses by address."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from heliostat.service.callers import CALLER, Caller
from heliostat.service.errors import Refused
from heliostat.service.settings import ServiceSettings

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_KEPT = 10_000
_BURST = 2.0
"""Seconds of the average rate that may come at once."""

_WRITES = frozenset(("POST", "PUT", "PATCH", "MERGE", "DELETE"))


@dataclass
class _Bucket:
    left: float
    time: float


class Buckets:
    """Token buckets by key; the least used are forgotten, so that memory is bounded.

    Args:
        rate: Units that come back in a second.
        size: Units of a full bucket.
    """

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = size
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, key: str, cost: float = 1.0) -> float:
        """Take from a bucket; the seconds until that is possible, 0 if it was."""
        now = time.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._size, now)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.left = min(self._size, bucket.left + (now - bucket.time) * self._rate)
        bucket.time = now
        if bucket.left < cost:
            return (cost - bucket.left) / self._rate
        bucket.left -= cost
        return 0.0


class Rates:
    """How often a token may call this process, and an address may guess."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._reads = Buckets(settings.read_rate, settings.read_rate * _BURST)
        self._writes = Buckets(settings.write_rate, settings.write_rate * _BURST)
        self._guesses = Buckets(1.0, settings.guesses)

    def take(self, scope: MutableMapping[str, Any], headers: dict[bytes, bytes]) -> None:
        """Count a call.

        Raises:
            Refused: 429, the token has called too often.
        """
        caller: Caller = scope[CALLER]
        key = caller.token.digest if caller.token is not None else _address(scope)
        is_write = scope["method"] in _WRITES and not scope["path"].endswith("/search")  # MLflow's, by POST
        buckets = self._writes if is_write else self._reads
        _refuse(buckets.wait(key), "calls of this token come too fast")

    def guess(self, scope: MutableMapping[str, Any]) -> None:
        """Count a call without a valid token.

        Raises:
            Refused: 429, the address has tried too many. Right tokens are still admitted from there.
        """
        _refuse(self._guesses.wait(_address(scope)), "too many calls without a valid token")


def _refuse(seconds: float, rule: str) -> None:
    if seconds > 0:
        headers = {"Retry-After": str(max(1, round(seconds)))}
        raise Refused(429, rule, remedy="Wait, then go on.", code="HS-SERVICE-429", headers=headers)


def _address(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def bounded(receive: Receive, headers: dict[bytes, bytes], largest: int, seconds: float) -> Receive:
    """A body that is refused as soon as it is known to be too long, or when it stops coming.

    Args:
        receive: Where it comes from.
        headers: Those of the call.
        largest: Bytes that it may have.
        seconds: How long its next part may take.

    Raises:
        Refused: 413, its declared length is too long; 400, it is no number.
    """
    declared = headers.get(b"content-length")
    if declared is not None:
        if not declared.isdigit() or len(declared) > 18:
            raise Refused(400, "Content-Length must be a number")
        if int(declared) > largest:
            raise _too_long(largest)
    taken, is_whole = 0, False

    async def counted() -> MutableMapping[str, Any]:
        nonlocal taken, is_whole
        if is_whole:  # what comes now is the caller's leaving, and that may take its time
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), seconds)
        except asyncio.TimeoutError:
            raise Refused(408, "the body stopped coming", headers={"Connection": "close"}) from None
        is_whole = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > largest:
            raise _too_long(largest)
        return message

    return counted


def _too_long(largest: int) -> Refused:
    remedy = "Send less at a time, or raise the setting."
    headers = {"Connection": "close"}
    rule = f"a body must have at most {largest} bytes"
    return Refused(413, rule, remedy=remedy, code="HS-SERVICE-413", headers=headers)
