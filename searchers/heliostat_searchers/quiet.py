"""Heavy libraries without their noise."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Silence warnings and the named loggers for the length of a block.

    GPyTorch and Ax warn about their own use of PyTorch while they are imported, which is nothing that a
    user could act on, and would be an error wherever warnings are.
    """
    found = [logging.getLogger(name) for name in loggers]
    before = [logger.disabled for logger in found]
    try:
        for logger in found:
            logger.disabled = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, was in zip(found, before, strict=True):
            logger.disabled = was


def compile_nothing() -> None:
    """Keep BoTorch from compiling a kernel in the middle of the first suggestion.

    Where a compiler is at hand it would take a minute, give other digits than on other machines, and wait for
    ever behind the lock of a process that was killed meanwhile.
    """
    from botorch.acquisition.multi_objective import logei

    logei._load_attempted = True
