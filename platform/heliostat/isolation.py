"""Keeping our faults away from the frameworks that call us."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

logger = logging.getLogger("heliostat")

Hook = TypeVar("Hook", bound=Callable[..., Any])


def isolated(hook: Hook) -> Hook:
    """Log a hook's exceptions and return ``None``: raised into Ray Tune, one would end the whole sweep."""

    @functools.wraps(hook)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return hook(*args, **kwargs)
        except Exception:
            logger.exception("%s failed; the sweep goes on", hook.__qualname__)
            return None

    return cast(Hook, call)
