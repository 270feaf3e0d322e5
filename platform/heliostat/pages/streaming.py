"""A page in two pieces: its head at once, what takes long to read once it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from heliostat.errors import HeliostatError
from heliostat.pages.rendering import HEADERS, Page, error_piece, frame_of, piece
from heliostat.pages.visits import Look, unchanged
from heliostat.service.errors import Refused

HEAD_START = 0.12
"""Seconds from the head to the work on the content: of both at once a browser paints nothing for long, and on
the machine of a laptop's service the work would take the processor that the paint needs."""


@dataclass(frozen=True)
class Content:
    """What a page shows below its head.

    Args:
        template: Of the page.
        seq: Place in the log up to which it is up to date.
        facts: What the template shows.
    """

    template: str
    seq: int
    facts: Mapping[str, Any]


Making = Callable[[], Awaitable[Content | None]]
"""Makes the content; ``None`` if the caller's page is up to date."""


async def streamed(look: Look, making: Making, **head: Any) -> Response:
    """The head at once and the content behind it; the content alone where the caller has the page already.

    Args:
        look: Whose page it is.
        making: Makes the content.
        head: What the page's head shows: the experiment's record, the tab, whether figures will come.
    """
    if look.seen is None:
        pieces = _pieces(look, making, head)
        return StreamingResponse(pieces, media_type="text/html", headers=HEADERS)
    found = await making()
    if found is None:
        return unchanged()
    return look.show(found.template, found.seq, **found.facts)


async def _pieces(look: Look, making: Making, head: Mapping[str, Any]) -> AsyncIterator[bytes]:
    page: Page = look.page(0)
    opening, closing = frame_of(page, head)
    yield opening
    await asyncio.sleep(HEAD_START)
    try:
        found = await making()
        if found is None:
            raise RuntimeError("a page that nobody has cannot be up to date")
        yield piece(look.page(found.seq), found.template, found.facts)
    except HeliostatError as error:
        look.request.app.state.record.fault(error, b"")
        yield error_piece(page, error)
    except Exception as error:  # the status is out, so that the gate cannot say it any more
        look.request.app.state.record.broke(error, b"")
        yield error_piece(page, Refused(500, "an error of the service; its log has it"))
    yield closing
