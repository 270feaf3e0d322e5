"""The service on one machine, by one command: started, asked whether it answers, ended gracefully."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable
from pathlib import Path

from heliostat.errors import HeliostatError, StorageError
from heliostat.ports import RunLog
from heliostat.service.admission import digest_of, new_secret
from heliostat.service.errors import Refused
from heliostat.service.settings import ServiceSettings
from heliostat.writes import CreateToken

PATIENCE = 120.0
"""Seconds that the service may take to answer first."""

_SQLITE = "sqlite:///"
_LOCAL = ("127.0.0.1", "localhost", "::1")


def check_address(host: str, settings: ServiceSettings) -> None:
    """Refuse to open to the network what asks for no token.

    Raises:
        Refused: The address is not this machine's own, and tokens are off.
    """
    if host not in _LOCAL and not settings.auth:
        rule = f"without tokens the service stays on this machine, and {host} is open to others"
        raise Refused(403, rule, remedy="Leave out --no-auth, or use --host 127.0.0.1.")


def names_of(host: str) -> tuple[str, ...]:
    """The names that a call may use for this machine's own address; any for one that is open to others.

    A page in a browser here may have been led to the address under a name of its own.
    """
    return _LOCAL if host in _LOCAL else ()


def own_token(log: RunLog) -> tuple[str, Path | None]:
    """A token to write with, and where it is kept for the next start: beside a SQLite log, else nowhere.

    Raises:
        StorageError: The file cannot be written.
    """
    path = Path(log.url.removeprefix(_SQLITE) + ".token") if log.url.startswith(_SQLITE) else None
    if path is not None and path.exists():
        secret = path.read_text(encoding="ascii", errors="replace").strip()
        digest = digest_of(secret)
        if any(item.digest == digest and not item.revoked for item in log.tokens()):
            return secret, path
    secret = new_secret()
    log.apply(CreateToken(digest_of(secret), "heliostat serve", time=time.time(), user=_user()))
    if path is not None:
        _write_secret(path, secret)
    return secret, path


def wait_until_ready(host: str, port: int, *, is_alive: Callable[[], bool] = lambda: True) -> None:
    """Return once the service answers.

    Raises:
        HeliostatError: It does not in :data:`PATIENCE`, or it has ended.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and is_alive():
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise HeliostatError(f"the service did not answer at {host}:{port} in {PATIENCE:.0f} s")


def _write_secret(path: Path, secret: str) -> None:
    try:
        path.unlink(missing_ok=True)  # whoever could read the old file keeps nothing
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise StorageError(f"the token cannot be kept at {path} ({error})") from error


def _user() -> str:
    from heliostat.tracking.capture.machine import user

    return user()
