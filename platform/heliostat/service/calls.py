"""What a route gets by ``Depends``: the call, its caller with the right that the route asks for, the log."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ParamSpec, TypeVar, get_type_hints

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from heliostat.errors import InvalidValue
from heliostat.ports import RunLog
from heliostat.service.backend import Backend
from heliostat.service.callers import CALLER, Caller
from heliostat.service.errors import Refused
from heliostat.service.settings import ServiceSettings
from heliostat.service.strict_json import read_json, write_json
from heliostat.writes import Reply, Write, new_key

__all__ = ["CALLER", "AdminCall", "Call", "ReadCall", "SharedCall", "ShortRoute", "WriteCall", "reply"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LONGEST_KEY = 200


class Call:
    """One HTTP call.

    Attributes:
        request: As Starlette has it.
        backend: This process's share of the service.
        caller: Who calls.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.backend: Backend = request.app.state.backend
        self.caller: Caller = request.scope[CALLER]

    @property
    def log(self) -> RunLog:
        """The run log."""
        return self.backend.log

    @property
    def settings(self) -> ServiceSettings:
        """How the service is set up."""
        return self.backend.settings

    @property
    def skips(self) -> bool:
        """Whether the caller wants no content back (``X-Response-Content: skip``)."""
        return self.request.headers.get("x-response-content") == "skip"

    @property
    def is_keyed(self) -> bool:
        """Whether the call may be a repeat, so that what it writes must not depend on the clock."""
        return "idempotency-key" in self.request.headers

    @property
    def base_url(self) -> str:
        """The address under which the caller reaches the service, without a slash at its end."""
        return self.settings.base_url.rstrip("/") or str(self.request.base_url).rstrip("/")

    async def read(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """As :meth:`Backend.read`: ``await call.read(call.log.run, 7)``."""
        return await self.backend.read(function, *args, **kwargs)

    async def write(self, *writes: Write) -> list[Reply]:
        """As :meth:`Backend.write`."""
        return await self.backend.write(*writes)

    def key(self, part: str = "") -> str:
        """The key of a write: made of ``Idempotency-Key`` if the call has one, so that a repeat is one write.

        Args:
            part: Tells the writes of one call from each other.

        Raises:
            InvalidValue: The header is empty or too long.
        """
        given = self.request.headers.get("idempotency-key")
        if given is None:
            return new_key()
        if not 0 < len(given) <= _LONGEST_KEY:
            raise InvalidValue("Idempotency-Key", f"must have 1 to {_LONGEST_KEY} characters")
        token = "" if self.caller.token is None else self.caller.token.digest
        parts = (token, self.request.method, self.request.url.path, given, part)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    async def json(self) -> Any:
        """The body, read strictly; ``None`` if there is none.

        Raises:
            InvalidValue: It is no strict JSON.
            Refused: 415, it is declared to be something else; 413, it is too long.
        """
        content = await self.request.body()
        if not content:
            return None
        declared = self.request.headers.get("content-type", "application/json").partition(";")[0].strip()
        if declared.lower() not in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            rule = f"bodies must be application/json, not {declared[:100]!r}"
            raise Refused(415, rule, code="HS-SERVICE-415")
        return read_json(content, depth=self.settings.max_depth)

    async def body(self) -> dict[str, Any]:
        """The body as a JSON object; no body is the empty object.

        Raises:
            InvalidValue: It is something else.
        """
        found = await self.json()
        if found is None:
            return {}
        if not isinstance(found, dict):
            given = type(found).__name__
            raise InvalidValue("body", "must be a JSON object", given=given, remedy='Send {"name": …}.')
        return found


class ShortRoute(APIRoute):
    """A route whose function takes a call and texts of the path, and no more.

    FastAPI would look for bodies, queries and dependencies of dependencies, which takes as long as our own
    part of a short call.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Calls the function as FastAPI would."""
        endpoint: Any = self.endpoint
        admitted = get_type_hints(endpoint, include_extras=True)["call"].__metadata__[0].dependency

        async def answer(request: Request) -> Response:
            found: Response = await endpoint(await admitted(request), **request.path_params)
            return found

        return answer


def reply(value: Any, status: int = 200) -> Response:
    """A JSON reply. The gate makes it 204 where the caller skips content."""
    return Response(write_json(value), status, media_type="application/json")


def _asking(permission: str) -> Callable[[Request], Any]:
    async def call(request: Request) -> Call:
        found = Call(request)
        found.caller.require(permission)
        return found

    return call


async def _shared(request: Request) -> Call:
    return Call(request)


ReadCall = Annotated[Call, Depends(_asking("read"))]
"""For routes that readers may use, but no guests."""

WriteCall = Annotated[Call, Depends(_asking("write"))]
"""For routes that change runs and experiments."""

AdminCall = Annotated[Call, Depends(_asking("admin"))]
"""For routes that keep tokens."""

SharedCall = Annotated[Call, Depends(_shared)]
"""For routes that guests may use too: check with ``call.caller.check_run`` or ``check_experiment``."""
