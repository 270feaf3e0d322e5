"""The log's events, as they come: for mirrors, live pages and people who wait for something."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from heliostat.errors import InvalidValue
from heliostat.ports import Event, RunLog
from heliostat.service.backend import Backend
from heliostat.service.calls import Call, SharedCall, reply
from heliostat.service.strict_json import write_json
from heliostat.service.wire.paging import limit_of
from heliostat.service.wire.stewards import record_of

router = APIRouter(tags=["events"])

LONGEST_WAIT = 60.0
"""Seconds that a call may wait for something new; proxies give up on silent ones."""

BEAT = 0.25
"""Seconds between looks at the log while anybody waits."""

SECRET = ("CreateToken", "RevokeToken")
"""Kinds of events that only admins see."""


class Pulse:
    """One look at the log for all who wait in this process.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._seen = 0
        self._beat = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waiting = 0

    async def next(self, after: int, seconds: float) -> None:
        """Come back once there may be an event behind `after`, or after so many seconds."""
        self._seen = max(self._seen, after)
        self._waiting += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            if self._seen <= after:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._beat.wait(), seconds)
        finally:
            self._waiting -= 1

    async def _look(self) -> None:
        while self._waiting:
            events = await self._backend.read(self._backend.log.events, self._seen, 1000)
            if events:
                self._seen = events[-1].seq
                beat, self._beat = self._beat, asyncio.Event()
                beat.set()
            await asyncio.sleep(BEAT)


@router.get("/events")
async def events(call: SharedCall, after: str = "0", wait: str = "0", experiment: str = "") -> Response:
    """Events behind `after`, oldest first; go on from the last one's `seq`.

    `wait` (seconds, up to 60) holds the call until there is one. `Accept: text/event-stream` streams them for
    as long as the connection stays open. `experiment` asks for those of one.
    """
    place, chosen = _whole(after, "after"), None
    if call.caller.is_guest and not experiment:
        experiment = str(call.caller.experiment or "")
    if experiment or call.caller.is_guest:
        chosen = (await record_of(call, experiment)).id
    if "text/event-stream" in call.request.headers.get("accept", ""):
        place = _whole(call.request.headers.get("last-event-id") or str(place), "Last-Event-ID")
        stream = _stream(call, place, chosen)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    limit, seconds = limit_of(call), min(float(_whole(wait, "wait")), LONGEST_WAIT)
    found, place = await _found(call, place, limit, chosen)
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while not found and clock() < until:
        await call.backend.part(Pulse).next(place, until - clock())
        found, place = await _found(call, place, limit, chosen)
    return reply({"object": "events", "data": [event_object(item) for item in found], "after": place})


def event_object(event: Event) -> dict[str, Any]:
    """An ``event``."""
    return {
        "object": "event",
        "seq": event.seq,
        "time": event.time,
        "kind": event.kind,
        "experiment": None if event.experiment is None else str(event.experiment),
        "run": None if event.run is None else str(event.run),
        "body": dict(event.body),
    }


async def _found(call: Call, after: int, limit: int, experiment: int | None) -> tuple[list[Event], int]:
    """What the caller may see, and the place behind what was looked at."""
    log: RunLog = call.log
    events = await call.read(log.events, after, limit, experiment=experiment)
    is_admin = not call.caller.is_guest and call.caller.permission == "admin"
    shown = [event for event in events if is_admin or event.kind not in SECRET]
    return shown, events[-1].seq if events else after


async def _stream(call: Call, place: int, experiment: int | None) -> AsyncIterator[bytes]:
    while not await call.request.is_disconnected():
        found, behind = await _found(call, place, 1000, experiment)
        for event in found:
            yield f"id: {event.seq}\nevent: {event.kind}\ndata: ".encode()
            yield write_json(event_object(event)) + b"\n\n"
        if behind == place:
            yield b": still here\n\n"  # keeps proxies from giving up, and finds out who left
            await call.backend.part(Pulse).next(place, 15.0)
        place = behind


def _whole(text: str, field: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise InvalidValue(field, "must be a whole number, not negative", given=text[:100])
