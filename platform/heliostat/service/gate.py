"""The gate that every call passes, mounted applications included: who calls, how much, how often.

Plain ASGI: what it costs, each call costs.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from heliostat.errors import HeliostatError
from heliostat.service.admission import secret_in, unknown_token
from heliostat.service.backend import Backend
from heliostat.service.callers import CALLER, Caller
from heliostat.service.errors import Refused, error_headers, error_object
from heliostat.service.limits import Rates, bounded
from heliostat.service.record import Record
from heliostat.service.visitors import STRANGER, check_proof, is_page, secret_of, takes_cookie

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset(("/healthz", "/readyz", "/health", "/version"))
"""Paths that need no token. They tell nothing; the last two are asked by MLflow's clients."""

TICKETS = "/v1/tickets/"
"""Addresses below it carry their own proof."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")
_FOREIGN = frozenset(("cross-site", "same-site"))
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)
_ANYBODY = Caller("admin")


class Gate:
    """Admits a call to the application, or answers it.

    Args:
        application: What lies behind.
        backend: This process's share of the service.
        record: Where calls are counted and written down.
    """

    def __init__(self, application: Application, backend: Backend, record: Record) -> None:
        self._application = application
        self._backend = backend
        self._settings = backend.settings
        self._record = record
        self._rates = Rates(self._settings)
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's call."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        passage = Passage(scope, headers, send)
        began = time.perf_counter()
        self._open += 1
        self._record.open_calls.set(self._open)
        try:
            if self._open > self._settings.max_open:
                raise Refused(
                    503, "the service has too much to do", remedy="Come back.", code="HS-SERVICE-503"
                )
            await self._admit(scope, headers)
            body = bounded(receive, headers, self._largest(scope), self._settings.body_seconds)
            await self._application(scope, body, passage.send)
        except HeliostatError as error:
            self._record.fault(error, passage.request_id)
            await passage.refuse(error, self._words(scope, error))
        except Exception as error:  # the last stand: whatever broke, the caller learns nothing of it
            self._record.broke(error, passage.request_id)
            await passage.refuse(Refused(500, f"an error of the service; its log has it under {passage.id}"))
        finally:
            self._open -= 1
            self._record.open_calls.set(self._open)
            self._record.call(scope, passage.status, time.perf_counter() - began, passage.request_id)

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        self._check_origin(scope, headers)
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "bodies must not be compressed", code="HS-SERVICE-415")
        scope[CALLER] = await self._caller(scope, headers)
        self._rates.take(scope, headers)

    async def _caller(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        path = _own_path(scope)
        if not self._settings.auth:
            return _ANYBODY
        if path in OPEN or path.startswith(TICKETS):
            return STRANGER
        if takes_cookie(path) and b"authorization" not in headers:
            return await self._visitor(scope, headers, path)
        try:
            return await self._admitted(secret_in(headers.get(b"authorization", b"").decode("latin-1")))
        except Refused as error:
            self._rates.guess(scope)
            if is_page(path):
                error.headers.pop("WWW-Authenticate", None)  # the browser would ask by itself
            raise

    async def _visitor(self, scope: Scope, headers: dict[bytes, bytes], path: str) -> Caller:
        """Who holds the cookie. Pages ask strangers to sign in, so they are let pass there."""
        secret = secret_of(headers)
        if secret is None and is_page(path):
            return STRANGER
        try:
            if secret is None:
                raise unknown_token()
            caller = await self._admitted(secret)
        except Refused as error:
            self._rates.guess(scope)
            if is_page(path):
                return STRANGER
            if secret is not None:
                error.headers.pop("WWW-Authenticate", None)
            raise
        check_proof(secret, scope["method"], headers)
        return caller

    async def _admitted(self, secret: str) -> Caller:
        admission = self._backend.admission
        if admission.knows(secret):
            return admission.admit(secret)
        return await self._backend.read(admission.admit, secret)

    def _words(self, scope: Scope, error: HeliostatError) -> Mapping[str, Any]:
        path = _own_path(scope)
        found = (words for prefix, words in self._backend.dialects.items() if path.startswith(prefix))
        return next((words(error) for words in found), {})

    def _check_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Pages of other sites have no business here, whatever name they have found for this machine."""
        if self._settings.hosts:
            host = headers.get(b"host", b"").decode("latin-1").rpartition("@")[2]
            name = re.sub(r":[0-9]+$", "", host).strip("[]").lower()
            if not any(_is_host(name, known) for known in self._settings.hosts):
                remedy = "Add the name to the setting `hosts`."
                raise Refused(403, "the service does not go by this name", remedy=remedy)
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD"):
            own = headers.get(b"host", b"")
            if origin.partition(b"://")[2] != own or headers.get(b"sec-fetch-site", b"").decode() in _FOREIGN:
                raise Refused(403, "pages of other sites may not call the service")

    def _largest(self, scope: Scope) -> int:
        is_file = _own_path(scope).startswith(TICKETS) or "/mlflow-artifacts/" in scope["path"]
        return self._settings.max_file if is_file else self._settings.max_body


class Passage:
    """A reply on its way out: safe headers, the request's id, no content for those who want none."""

    def __init__(self, scope: Scope, headers: dict[bytes, bytes], send: Send) -> None:
        given = headers.get(b"x-request-id", b"")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        self.status = 0
        self._send = send
        self._skips = headers.get(b"x-response-content") == b"skip"
        self._is_head = scope["method"] == "HEAD"
        self._is_empty = False

    @property
    def id(self) -> str:
        """The request's id, as text."""
        return self.request_id.decode()

    async def send(self, message: Message) -> None:
        """Pass a part of the reply on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._skips and 200 <= self.status < 300:
                self.status, self._is_empty = 204, True
            own = [item for item in message.get("headers", ()) if not self._drops(item[0])]
            present = {name for name, _ in own}
            own += [item for item in _SAFE if item[0] not in present]
            message = {
                **message,
                "status": self.status,
                "headers": [*own, (b"x-request-id", self.request_id)],
            }
        elif self._is_empty:
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, error: HeliostatError, more: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Answer with an error and these words beside it, unless an answer is under way already."""
        if self.status:
            return
        found = {**error_object(error), **more}
        content = b"" if self._is_head else json.dumps(found).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        headers += [(name.lower().encode(), value.encode()) for name, value in error_headers(error).items()]
        await self.send({"type": "http.response.start", "status": found["status"], "headers": headers})
        await self.send({"type": "http.response.body", "body": content})

    def _drops(self, name: bytes) -> bool:
        return name == b"server" or (self._is_empty and name in (b"content-length", b"content-type"))


def _own_path(scope: Scope) -> str:
    """The path below the address under which the service is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root) else path


def _is_host(name: str, known: str) -> bool:
    return name.endswith(known[1:]) if known.startswith("*.") else name == known.lower()
