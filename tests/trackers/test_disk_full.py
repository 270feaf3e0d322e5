"""A full disk is an error, not a corruption, and the log goes on when there is room again.

The disks are small ones of their own, in memory; only root may make them.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heliostat.errors import StorageError
from heliostat.testing.postgres import PostgresServer, server_programs
from heliostat.writes import AddFile, CreateRun, Reply, Write
from heliostat_trackers.maintenance import backup, migrate, verify
from heliostat_trackers.store import SqlRunLog, open_log

MIB = 2**20


def can_mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


class Disk:
    """A mounted disk, and a file on it that takes up room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int) -> None:
        """Take all room but this many bytes."""
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free - leave)

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink()


@pytest.fixture(params=[8], ids=["8MiB"])
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    # Not below pytest's folders: other users cannot get there, and PostgreSQL's server is one.
    folder = Path(tempfile.mkdtemp(prefix="hs-disk-"))
    try:
        if not can_mount(folder):
            pytest.skip("only root may mount a small disk")
        size = f"size={request.param}m,mode=0777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
        yield Disk(folder)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        folder.rmdir()


def refused_writes(log: SqlRunLog, writes: list[Write]) -> tuple[dict[str, Reply], list[StorageError]]:
    """Replies by key, and the errors of the others."""
    replies, errors = {}, []

    def send(write: Write) -> None:
        try:
            replies[write.key] = log.apply(write)
        except StorageError as error:
            errors.append(error)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, writes))
    return replies, errors


def large_runs(count: int) -> list[Write]:
    text = "x" * 60_000
    return [CreateRun(None, {"x": index}, time=1.0, metadata={"text": text}) for index in range(count)]


def check_goes_on(log: SqlRunLog, disk: Disk, replies: dict[str, Reply], writes: list[Write]) -> None:
    """With room again, the same object takes the same writes with the same keys, each once."""
    assert {run.id for run in log.runs()} == {reply.run for reply in replies.values()}
    disk.clear()
    again = [log.apply(write) for write in writes]
    assert all(replies.get(write.key, reply) == reply for write, reply in zip(writes, again, strict=True))
    assert sorted(run.id for run in log.runs()) == sorted({reply.run or 0 for reply in again})
    assert verify(log.private_url).faults == ()
    log.close()
    assert verify(log.private_url).faults == ()


def test_growing_write_ahead_log(disk: Disk) -> None:
    log = open_log(f"sqlite:///{disk.folder / 'runs.db'}")
    disk.fill(leave=MIB)
    writes = large_runs(40)
    replies, errors = refused_writes(log, writes)
    assert replies
    assert {error.code for error in errors} == {"HS-STORAGE-002"}
    assert all("Make room" in error.remedy for error in errors)
    assert verify(log.url).faults == ()
    check_goes_on(log, disk, replies, writes)


def test_no_room_at_all(disk: Disk) -> None:
    """Not one page fits; a small write is refused, too, and reading goes on."""
    log = open_log(f"sqlite:///{disk.folder / 'runs.db'}")
    first = large_runs(1)
    replies = {first[0].key: log.apply(first[0])}
    disk.fill(leave=0)
    writes = [*first, *large_runs(3)]
    refused, errors = refused_writes(log, writes[1:])
    assert (refused, {error.code for error in errors}) == ({}, {"HS-STORAGE-002"})
    check_goes_on(log, disk, replies, writes)


def test_log_opened_on_a_full_disk(disk: Disk) -> None:
    disk.fill(leave=8192)
    with pytest.raises(StorageError) as caught:
        open_log(f"sqlite:///{disk.folder / 'runs.db'}")
    assert caught.value.code == "HS-STORAGE-002"
    disk.clear()
    log = open_log(f"sqlite:///{disk.folder / 'runs.db'}")
    log.apply(CreateRun(None, {}, time=1.0))
    log.close()
    assert verify(log.url).faults == ()


def test_backup_onto_a_full_disk(disk: Disk, tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'runs.db'}")
    for write in large_runs(10):
        log.apply(write)
    disk.fill(leave=200_000)
    with pytest.raises(StorageError) as caught:
        backup(log.url, disk.folder / "copy.db")
    assert caught.value.code == "HS-STORAGE-002"
    assert [entry.name for entry in disk.folder.iterdir()] == ["filler"]
    disk.clear()
    backup(log.url, disk.folder / "copy.db")
    assert verify(str(disk.folder / "copy.db")).faults == ()
    log.close()


def test_migration_on_a_full_disk(disk: Disk) -> None:
    import sqlite3

    path = disk.folder / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("schema_v1.sql").read_text(encoding="utf-8"))
    connection.close()
    disk.fill(leave=100_000)
    with pytest.raises(StorageError) as caught:
        migrate(str(path))
    assert caught.value.code == "HS-STORAGE-002"
    disk.clear()
    assert migrate(str(path)).before == 1
    assert verify(str(path)).faults == ()


TEMPORARY = """
import os, sys
from heliostat.writes import CreateRun, UpdateRun
from heliostat_trackers.store import open_log

log = open_log(sys.argv[1])
runs = [log.apply(CreateRun(None, {}, time=1.0, metadata={"text": "x" * 40_000})).run for _ in range(60)]
known = CreateRun(None, {}, time=1.0)
log.apply(known)
# A repeated write makes the batch one of savepoints; what they would undo lies in temporary files.
writes = [known, *(UpdateRun(run, time=2.0, note="y" * 40_000) for run in runs)]
futures = [log.submit(write) for write in writes]
print({getattr(future.exception(), "code", None) for future in futures} <= {None, "HS-STORAGE-002"})
os.unlink(sys.argv[2])
for write in writes:
    log.apply(write)
log.close()
"""


def test_full_temporary_folder(disk: Disk, tmp_path: Path) -> None:
    """The writes are refused or done; a full folder for temporary files harms no log."""
    disk.fill(leave=0)
    url, filler = f"sqlite:///{tmp_path / 'runs.db'}", str(disk.folder / "filler")
    variables = {**os.environ, "SQLITE_TMPDIR": str(disk.folder), "TMPDIR": str(disk.folder)}
    command = [sys.executable, "-c", TEMPORARY, url, filler]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]
    assert verify(url).faults == ()


@pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
@pytest.mark.parametrize("disk", [160], indirect=True)
def test_full_disk_of_postgresql(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk.folder))
    with PostgresServer({"max_wal_size": "32MB"}) as server:
        log = SqlRunLog(server.new_database(), patience=0.5)
        disk.fill(leave=10 * MIB)
        writes: list[Write] = large_runs(20)
        replies, errors = refused_writes(log, writes)
        contents = [os.urandom(2 * MIB) for _ in range(12)]
        files: list[Write] = [AddFile(log.runs()[0].id, "f", content, time=1.0) for content in contents]
        errors += refused_writes(log, files)[1]
        assert errors
        # A full disk of tables is an error of the server; one of its own log ends the server.
        assert {error.code for error in errors} <= {"HS-STORAGE-002", "HS-STORAGE-012"}
        disk.clear()
        server.stop()
        server.start()
        again = [log.apply(write) for write in writes + files]
        assert all(
            replies.get(write.key, reply) == reply for write, reply in zip(writes + files, again, strict=True)
        )
        assert len(log.runs()) == len(writes)
        log.close()
        assert verify(log.private_url).faults == ()
