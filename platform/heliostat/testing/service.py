"""The service on a free port of this machine, in a thread, for tests; and calls to it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.admission import digest_of, new_secret
from heliostat.service.laptop import wait_until_ready
from heliostat.service.running import LoneProcess
from heliostat.testing.replies import check_reply
from heliostat.writes import CreateToken

PATIENCE = 120.0
"""Seconds that a server may take to begin or to end."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The content as JSON; ``None`` if there is none."""
        return json.loads(self.content) if self.content else None


@dataclass(frozen=True)
class Caller:
    """Calls a server, with a token or without.

    Args:
        host: Name and port.
        token: Goes as the user of Basic.
    """

    host: str
    token: str | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://{self.host}"

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One call; `body` goes as JSON, `content` as it is."""
        sent = dict(headers or {})
        if content is None and body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if self.token is not None:
            basic = base64.b64encode(f"{self.token}:".encode()).decode()
            sent.setdefault("Authorization", f"Basic {basic}")
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            known = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, known, answer.read())
        finally:
            connection.close()

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The content of a call that must succeed, and be what the OpenAPI document says."""
        answer = self.call(method, path, body, **more)
        assert answer.status in (200, 204), f"{method} {path}: {answer.status} {answer.content!r}"
        if answer.status == 200:
            check_reply(method, path, answer.json)
        return answer.json


@contextlib.contextmanager
def serving(settings: ServiceSettings) -> Iterator[str]:
    """The service under these settings; gives host and port."""
    process = LoneProcess(settings, "127.0.0.1", 0)
    try:
        wait_until_ready("127.0.0.1", process.port, is_alive=process.is_alive)
        yield f"127.0.0.1:{process.port}"
    finally:
        process.close()


def make_token(log: str, permissions: str = "write", **more: Any) -> str:
    """A new token of a log."""
    secret = new_secret()
    opened = open_log(log)
    try:
        opened.apply(
            CreateToken(digest_of(secret), "test", time=time.time(), permissions=permissions, **more)
        )
    finally:
        opened.close()
    return secret
