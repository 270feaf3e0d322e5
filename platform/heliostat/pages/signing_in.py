"""Signing in: a token becomes a cookie that scripts cannot read.

The page sends the token as any client does, in ``Authorization``, so that the gate counts wrong ones. A share
link holds its token behind ``#``, which browsers send nowhere; the page exchanges it and takes it out of the
address.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from heliostat.pages.rendering import sign_in_page
from heliostat.pages.visits import PageRoute, theme_of
from heliostat.service.admission import secret_in
from heliostat.service.calls import CALLER, Call, reply
from heliostat.service.visitors import COOKIE, STRANGER

router = APIRouter(route_class=PageRoute)

LIFE = 30 * 86400
"""Seconds that a browser keeps the cookie; the token may end sooner."""


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """The page that asks for a token."""
    return sign_in_page(theme_of(request))


@router.post("/sign-in")
async def enter(request: Request) -> Response:
    """Keep the token of this call in a cookie."""
    caller = request.scope[CALLER]
    answer = reply({"next": home_of(Call(request))})
    if caller is not STRANGER and "authorization" in request.headers:
        secret = secret_in(request.headers["authorization"])
        answer.set_cookie(
            COOKIE, secret, max_age=LIFE, httponly=True, samesite="strict", secure=_is_https(request)
        )
    return answer


@router.get("/sign-in/check")
async def check(request: Request) -> Response:
    """204 if the cookie is good. A link from another site comes without it: the page asks again from here."""
    return Response(status_code=401 if request.scope[CALLER] is STRANGER else 204)


@router.post("/sign-out")
async def leave(request: Request) -> Response:
    """Forget the token."""
    answer = reply({"next": "/sign-in"})
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_https(request))
    return answer


def home_of(call: Call) -> str:
    """Where somebody goes who goes nowhere: a guest to the one thing that there is."""
    if call.caller.experiment is not None:
        return f"/experiments/{call.caller.experiment}"
    if call.caller.report is not None:
        return f"/reports/{call.caller.report}"
    if call.caller.project is not None:
        return f"/projects/{call.caller.project}"
    return f"/runs/{call.caller.run}" if call.caller.run else "/"


def _is_https(request: Request) -> bool:
    base: str = request.app.state.backend.settings.base_url
    return request.url.scheme == "https" or base.startswith("https://")
