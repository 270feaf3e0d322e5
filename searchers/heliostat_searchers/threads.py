"""One thread for small matrices: a pool of threads costs more than it computes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Hold the linear algebra of this process to one thread for as long as the context is open.

    Measured with 2 cores under load: 47 ms instead of 0.5 ms for the inverse of a matrix of 100 rows.
    """
    context: AbstractContextManager[Any] = _pools().limit(limits=1)
    return context


@cache
def _pools() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
