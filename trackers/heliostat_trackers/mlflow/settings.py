"""How mlflow behaves in the mirror's process: quiet, and never longer at one request than we say."""

from __future__ import annotations

import os

TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
SECONDS = 10
"""The client's own 120 s and 7 retries add up to ten minutes at a server that accepts and never answers."""

LONGEST_SECONDS = 60

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # else two lines and one more request for each run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the client repeats a creation whose answer was lost: two runs
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_UNWANTED = ("MLFLOW_ACTIVE_MODEL_ID", "_MLFLOW_ACTIVE_MODEL_ID")
"""The user's own session's: it would be attached to every metric."""


class Settings:
    """mlflow's environment variables for a mirror, while it is entered; then the user's are put back."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> Settings:
        self._before = {name: os.environ.get(name) for name in (*_SETTINGS, *_UNWANTED, TIMEOUT)}
        os.environ.update(_SETTINGS)
        for name in _UNWANTED:
            os.environ.pop(name, None)
        self.allow_time(0)
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def allow_time(self, failures: int) -> None:
        """Give requests more time with each failure in a row: a server that is only slow must get through.

        A limit that the user has set stays.
        """
        if self._before.get(TIMEOUT) is None:
            os.environ[TIMEOUT] = str(min(SECONDS * 2 ** min(failures, 8), LONGEST_SECONDS))
