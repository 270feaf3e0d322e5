"""What runs on each node. It imports nothing but the standard library before it is asked.

Ray carries this module to the nodes by value, so that a node without Heliostat, or with another one, still
answers; that is one of the things to find out.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("ray", "heliostat")
PREFIX = ".heliostat-check-"
LISTENING = "0A"
CHECKED = "cluster-check"
"""The archived project of the run log whose last check is noted there: the write that proves writing."""


class Probe:
    """Answers questions about the node that it runs on."""

    def clock(self) -> float:
        """Seconds since the epoch, here."""
        return time.time()

    def about(self) -> dict[str, Any]:
        """Versions, host and Ray's auth mode."""
        return {
            "host": socket.gethostname(),
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
            "auth": _auth_mode(),
        }

    def listeners(self, ports: dict[int, str]) -> list[tuple[str, str, int]]:
        """Name, address and number of those ports that something listens on, from the kernel's tables."""
        found = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            try:
                lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
            except OSError:
                continue  # a system without them, or without IPv6
            for address, port in _listening(lines):
                if port in ports:
                    found.add((ports[port], address, port))
        return sorted(found)

    def gpus(self) -> int:
        """Devices that NVIDIA's driver shows; 0 without it."""
        program = shutil.which("nvidia-smi")
        if program is None:
            return 0
        question = [program, "--list-gpus"]
        try:
            done = subprocess.run(question, capture_output=True, text=True, timeout=20, check=False)
        except subprocess.TimeoutExpired:
            return 0  # a driver that hangs gives no GPU to anybody
        return sum(line.startswith("GPU ") for line in done.stdout.splitlines())

    def log(self, url: str) -> str:
        """Read and write the run log; why it does not work, or an empty text."""
        try:
            import heliostat
            from heliostat.writes import SettleProject

            log = heliostat.open_log(url)
            try:
                log.events(0, 1)
                note = {"host": socket.gethostname()}
                log.apply(SettleProject(CHECKED, metadata=note, archived=True, time=time.time()))
            finally:
                log.close()
        except Exception as error:
            return _shown(error)
        return ""

    def write_storage(self, place: str, name: str) -> str:
        """Leave a file; why that does not work, or an empty text."""
        try:
            storage, folder = _storage(place)
            storage.create_dir(folder, recursive=True)
            with storage.open_output_stream(f"{folder}/{PREFIX}{name}") as file:
                file.write(name.encode())
        except Exception as error:
            return _shown(error)
        return ""

    def missing(self, place: str, names: Iterable[str]) -> list[str]:
        """Those of the files that are not seen from here."""
        storage, folder = _storage(place)
        return [name for name in names if not _reads(storage, f"{folder}/{PREFIX}{name}", name)]

    def tidy_storage(self, place: str, name: str) -> None:
        """Remove this node's file."""
        storage, folder = _storage(place)
        storage.delete_file(f"{folder}/{PREFIX}{name}")

    def answers(self, url: str) -> str:
        """Whether the service says that it is ready; if not, why."""
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/readyz", timeout=15):
                return ""
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code} at /readyz"
        except Exception as error:
            return _shown(error)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _auth_mode() -> str:
    try:
        from ray import _raylet

        return str(_raylet.get_authentication_mode().name).lower()  # type: ignore[attr-defined]
    except (ImportError, AttributeError):  # another Ray, which knows no modes
        return os.environ.get("RAY_AUTH_MODE", "disabled")


def _listening(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        fields = line.split()
        if fields[3] == LISTENING:
            digits, _, port = fields[1].partition(":")
            yield _address(digits), int(port, 16)


def _address(digits: str) -> str:
    # The kernel writes each 32-bit word in the machine's own byte order.
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    packed = b"".join(words)
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    return socket.inet_ntop(socket.AF_INET6, packed).removeprefix("::ffff:")


def _storage(place: str) -> tuple[Any, str]:
    from pyarrow import fs

    if "://" in place:
        found, folder = fs.FileSystem.from_uri(place)
        return found, folder
    return fs.LocalFileSystem(), place


def _reads(storage: Any, path: str, text: str) -> bool:
    try:
        with storage.open_input_stream(path) as file:
            return bool(file.read() == text.encode())
    except OSError:
        return False


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
