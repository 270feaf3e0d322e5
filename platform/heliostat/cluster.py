"""Reaching a Ray cluster: the user's, or a private local one."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from typing import Any

logger = logging.getLogger("heliostat")

ADDRESS = "RAY_ADDRESS"
AUTH_MODE = "RAY_AUTH_MODE"
AUTH_TOKEN = "RAY_AUTH_TOKEN"

TRIES, TOO_SLOW = 3, "timed out during startup"
"""A private cluster on a busy machine takes longer to start than Ray waits; its words when it gives up."""

MANY = 1000
"""Nodes of one group that are looked at; no trial asks for more."""


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
    _start(options)


def nodes() -> list[dict[str, float]]:
    """What each node has in all: of those that live, and of those that an autoscaler may start."""
    import ray
    from ray._private.state import state

    living = [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    config = state.get_cluster_config()
    groups = () if config is None else config.node_group_configs
    return living + [dict(group.resources) for group in groups for _ in range(_most(group.max_count))]


def seconds_left() -> float | None:
    """How long this machine stays, if its end was announced: a spot machine taken back, a node drained.

    For trials, once a step: what is given to ``tune.report(…, checkpoint=…)`` before the end is where the
    next attempt goes on. Asks the head node, in about a millisecond.

    Returns:
        Seconds until the end, at least 0; infinite if the notice names none; ``None`` without a notice.
    """
    import ray
    from ray._private.state import state

    if not ray.is_initialized():
        return None
    deadline = state.get_draining_nodes().get(ray.get_runtime_context().get_node_id())
    if deadline is None:
        return None
    return max(0.0, deadline / 1000 - time.time()) if deadline > 0 else float("inf")


def _start(options: dict[str, Any]) -> None:
    import ray

    for attempt in range(1, TRIES + 1):
        try:
            ray.init(**options)
            return
        except Exception as error:  # Ray has no class of its own for it
            if attempt == TRIES or TOO_SLOW not in str(error):
                raise
            logger.warning("Ray did not start in the half minute that it gives itself; trying again")


def _most(count: int) -> int:
    return MANY if count < 0 else min(count, MANY)  # below 0: without a limit


def _ask_for_token() -> None:
    """Choose token mode, unless the user has chosen; Ray reads the mode when it is first imported."""
    if AUTH_MODE in os.environ:
        return
    os.environ.setdefault(AUTH_TOKEN, secrets.token_hex(32))
    if "ray" not in sys.modules:
        os.environ[AUTH_MODE] = "token"  # later, Ray's own init turns it on for a new local cluster
