"""Reaching a Ray cluster: the user's, or a private local one."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from typing import Any

ADDRESS = "RAY_ADDRESS"
AUTH_MODE = "RAY_AUTH_MODE"
AUTH_TOKEN = "RAY_AUTH_TOKEN"


def connect(**options: Any) -> None:
    """Join the cluster that this process belongs to, else start a private one; does nothing if connected.

    A private cluster asks for a token that lives in this process's environment alone: nothing is written to
    the user's home, and no other user of the machine can submit code to it.

    Args:
        options: Passed on to ``ray.init``, such as ``runtime_env``.
    """
    is_private = not os.environ.get(ADDRESS)
    if is_private:
        _ask_for_token()
    import ray

    if ray.is_initialized():
        return
    options = {"log_to_driver": False, "logging_level": logging.ERROR, **options}
    if is_private:
        options = {"address": "local", "include_dashboard": False, **options}
    ray.init(**options)


def _ask_for_token() -> None:
    """Choose token mode, unless the user has chosen; Ray reads the mode when it is first imported."""
    if AUTH_MODE in os.environ:
        return
    os.environ.setdefault(AUTH_TOKEN, secrets.token_hex(32))
    if "ray" not in sys.modules:
        os.environ[AUTH_MODE] = "token"  # later, Ray's own init turns it on for a new local cluster
