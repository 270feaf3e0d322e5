"""A private PostgreSQL server in a temporary folder, for tests that need a real one, also to kill it.

::

    with PostgresServer() as server:
        log = open_log(server.new_database())
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

BIN_VARIABLE = "HELIOSTAT_POSTGRES_BIN"
USER = "heliostat"
PATIENCE = 60
"""Seconds that a start may take: after a kill the server replays its log on a disk that others use too."""

_SETTINGS = {
    "fsync": "on",  # what the tests are about
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "timezone": "UTC",
    "lc_messages": "C",
    "recovery_init_sync_method": "syncfs",  # one call after a kill instead of one for each of 900 files
}
_ADMITTED = "local all guarded scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n"
"""The user ``guarded``, if a test makes one, needs a password; the socket's folder protects the others."""


def server_programs() -> Path | None:
    """The folder with ``postgres`` and ``initdb``: ``$HELIOSTAT_POSTGRES_BIN``, Debian's, or on the path."""
    given = os.environ.get(BIN_VARIABLE)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: _version(folder.parent))
    found = shutil.which("initdb")
    places = [Path(given)] if given else [*reversed(debian), *([Path(found).parent] if found else [])]
    return next((place for place in places if (place / "initdb").exists()), None)


class PostgresServer:
    """One server with its own data, reached through a socket in its own folder.

    The server refuses to run as root, so root runs it as ``postgres`` or ``nobody``.

    Args:
        settings: Laid over the defaults: fsync is on, and only the socket is listened on.

    Raises:
        FileNotFoundError: There is no PostgreSQL server on this machine.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        programs = server_programs()
        if programs is None:
            raise FileNotFoundError(
                f"no PostgreSQL server: install Debian's postgresql or set {BIN_VARIABLE}"
            )
        self._programs = programs
        self._settings = {**_SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._names = 0
        self._account = _account()
        # Not below pytest's folders: those are closed to other users, and a socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="hs-pg-"))
        self.data = self.folder / "data"
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        options = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", f"--pgdata={self.data}", *options)
        (self.data / "pg_hba.conf").write_text(_ADMITTED)

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def pid(self) -> int:
        """The process that all others of the server descend from."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """Where a run log opens a database of this server."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='/')}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._names += 1
        name = f"log{self._names}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_schema(self) -> str:
        """The URL of a new, empty schema of one database: much quicker to make than a database."""
        self._names += 1
        self.execute(f"CREATE SCHEMA log{self._names}")
        return f"{self.url()}&options=-csearch_path%3Dlog{self._names}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the owner; what it returns, a row a line."""
        options = ["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        where = [f"--host={self.folder}", f"--username={USER}", f"--dbname={database}"]
        return self._run("psql", *options, *where, f"--command={statement}").strip()

    def start(self) -> None:
        """Start and wait until it answers; after a kill it first replays its log.

        Raises:
            TimeoutError: It does not come up.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._process = self._begun()
            while self._process.poll() is None and time.monotonic() < deadline:
                if self._is_ready():
                    return
                time.sleep(0.02)
            # The orphans of a killed server may still hold its memory; they end as soon as they notice.
            time.sleep(0.1)
        raise TimeoutError(f"PostgreSQL did not start:\n{self._said()[-2000:]}")

    def stop(self) -> None:
        """End it as an administrator does who does not wait for clients; it may be stopped already."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it without warning, as the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def backends(self) -> list[int]:
        """The processes that serve clients, other than the one that is asked here."""
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return [int(line) for line in self.execute(f"{query} AND pid <> pg_backend_pid()").split()]

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begun(self) -> subprocess.Popen[bytes]:
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "server.log").open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, cwd="/", **self._owner())

    def _is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and lines[-1].strip() == "ready"

    def _end(self, with_signal: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(with_signal)
            process.wait(PATIENCE)

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", **self._owner())
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")
        return str(done.stdout)

    def _owner(self) -> dict[str, Any]:
        account, environment = self._account, {**os.environ, "LC_ALL": "C"}
        if account is None:
            return {"env": environment}
        return {"env": environment, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _said(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


@cache
def shared_server() -> PostgresServer:
    """One running server for a whole test session.

    Raises:
        FileNotFoundError: There is no PostgreSQL server on this machine.
    """
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    return server


def _account() -> pwd.struct_passwd | None:
    """Whom to run the server as, if this is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _version(folder: Path) -> float:
    try:
        return float(folder.name)
    except ValueError:
        return 0.0
