"""Facts that take other programs' time: asked for once in a process, in the background."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

logger = logging.getLogger("heliostat")

_found: dict[tuple[int, str], Future[Any]] = {}
_asking = threading.Lock()


def once(name: str, ask: Callable[[], Any], *, anew: bool = False) -> Future[Any]:
    """What `ask` answers; it runs in a thread of its own, and in each process only the first time.

    Args:
        name: Identifies the question.
        ask: May take long; an exception is logged and answered with ``None``.
        anew: Ask again, even if there is an answer.
    """
    key = (os.getpid(), name)
    with _asking:
        if anew or key not in _found:
            answer: Future[Any] = Future()
            _found[key] = answer
            threading.Thread(target=_ask, args=(name, ask, answer), daemon=True).start()
        return _found[key]


def _ask(name: str, ask: Callable[[], Any], answer: Future[Any]) -> None:
    try:
        answer.set_result(ask())
    except Exception as error:
        logger.warning("%s could not be captured: %s", name, error)
        answer.set_result(None)


def _after_fork() -> None:
    global _asking  # noqa: PLW0603  # another thread may have held it
    _asking = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
