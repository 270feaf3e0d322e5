"""Reaching a Ray cluster: the user's, or a private local one."""

from __future__ import annotations

import logging
import os
import secrets

ADDRESS = "RAY_ADDRESS"
AUTH_MODE = "RAY_AUTH_MODE"
AUTH_TOKEN = "RAY_AUTH_TOKEN"


def connect() -> None:
    """Join the cluster that this process belongs to, else start a private one; does nothing if connected.

    A private cluster asks for a token that lives in this process's environment alone: nothing is written to
    the user's home, and no other user of the machine can submit code to it.
    """
    import ray

    if ray.is_initialized():
        return
    quiet = {"log_to_driver": False, "logging_level": logging.WARNING}
    if os.environ.get(ADDRESS):
        ray.init(**quiet)
        return
    os.environ.setdefault(AUTH_MODE, "token")
    if os.environ[AUTH_MODE] == "token":
        os.environ.setdefault(AUTH_TOKEN, secrets.token_hex(32))
    ray.init(address="local", include_dashboard=False, **quiet)
