"""A headless Chromium for tests of pages, which notes all that a page does wrong.

Use in a ``conftest.py``::

    from heliostat.testing.browser import chromium

    __all__ = ["chromium"]

and in a test ``with watched_page(chromium, url) as (page, watch): …``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

EXECUTABLES = ("/usr/bin/chromium", "chromium", "chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY_SECONDS = 90
"""Longest wait for a page; a busy machine with two cores needs about 10 s for plotly."""


def executable() -> str | None:
    """The path of Chromium, or ``None``."""
    return next((path for name in EXECUTABLES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; skips without one, but fails where the environment variable ``CI`` is set.

    One a module: as long as Playwright is open, its event loop counts as running in the main thread, and
    ``asyncio.run`` refuses to work there.
    """
    path = executable()
    if path is None:
        reason = "no Chromium found; install Debian's package chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did.

    Args:
        allowed: Prefixes of addresses it may ask for.
        errors: Console errors and uncaught exceptions.
        foreign: Every other address it asked for.
        failed: Requests without an answer.
    """

    allowed: tuple[str, ...]
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        """Listen to a page, before it loads anything."""
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        page.on("requestfailed", lambda request: self.failed.append(request.url[:200]))

    def check(self) -> None:
        """Fail the test unless the page kept to itself and made no error."""
        assert not self.errors, self.errors
        assert not self.foreign, self.foreign
        assert not self.failed, self.failed

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((*self.allowed, "data:", "blob:")):
            self.foreign.append(request.url[:200])


@contextmanager
def watched_page(
    browser: Browser,
    url: str,
    *,
    allowed: tuple[str, ...] = (),
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 900,
    ready: bool = True,
    cookies: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Page, Watch]]:
    """A page at `url` and what it did.

    Args:
        browser: From :func:`chromium`.
        url: Where to go.
        allowed: Prefixes of addresses it may ask for besides `url` itself.
        scheme: The reader's colour scheme.
        width: Of the window, in CSS pixels.
        height: Of the window, in CSS pixels.
        ready: Wait until its body has ``data-ready``.
        cookies: That the browser has for `url`.
    """
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    origin = "/".join(url.split("/", 3)[:3])  # with a longer address they would hold below it only
    context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
    page = context.new_page()
    watch = Watch((url, *allowed))
    watch.attach(page)
    try:
        page.goto(url)
        if ready:
            page.wait_for_selector("body[data-ready]", timeout=1000 * READY_SECONDS)
        yield page, watch
    finally:
        context.close()


def until(page: Page, condition: str, seconds: float = 60.0) -> None:
    """Wait until a JavaScript expression holds; Playwright's own way needs the eval that our pages forbid.

    Raises:
        TimeoutError: It does not hold after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s it does not hold that {condition}")
        page.wait_for_timeout(50)
