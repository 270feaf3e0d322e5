"""Tokens: who may come in, for administrators."""

from __future__ import annotations

import time

from fastapi import APIRouter, Response

from heliostat.pages.visits import PageRoute, Visit, unchanged
from heliostat.service.callers import PERMISSIONS

router = APIRouter(route_class=PageRoute)


@router.get("/tokens")
async def tokens(look: Visit) -> Response:
    """The tokens that may come in, a form for a new one."""
    look.caller.require("admin")
    if await look.is_unchanged():
        return unchanged()
    seq = await look.head()
    found = [item for item in await look.read(look.log.tokens) if not item.revoked]
    own = None if look.caller.token is None else look.caller.token.id
    now = time.time()
    live = [item for item in reversed(found) if item.expires is None or item.expires > now]
    return look.show("tokens", seq, tokens=live, own=own, permissions=PERMISSIONS)
