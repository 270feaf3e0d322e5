"""Several processes that write one log, in both databases."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from heliostat.testing.postgres import server_programs, shared_server
from heliostat_trackers.store import open_log

needs_postgres = pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")

WRITING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from heliostat.writes import CreateRun
from heliostat_trackers.store import open_log

threads, count = int(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    log = open_log(line.strip())

    def work(thread):
        return [log.apply(CreateRun(None, {"x": index}, time=1.0)).seq for index in range(count)]

    with ThreadPoolExecutor(threads) as pool:
        print(*sum(pool.map(work, range(threads)), []), flush=True)
    log.close()
"""


@contextmanager
def writers(threads: int, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Four processes; each opens what it is sent and answers with the places of its writes."""
    command = [sys.executable, "-c", WRITING, str(threads), str(count)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(4)
        ]
        for process in processes:
            assert answer(process) == ["ready"]
        yield processes


def ask(process: subprocess.Popen[str], url: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{url}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """The URL of a place where no log is yet."""
    places = iter(range(10))
    if request.param == "postgresql":
        return shared_server().new_schema
    return lambda: f"sqlite:///{tmp_path / f'log{next(places)}.db'}"


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


def test_readers_by_event_miss_nothing(url: str) -> None:
    """Four processes write; who asks for what came after the last event gets every event once, in order."""
    log = open_log(url)
    seen: list[int] = []
    with writers(threads=3, count=40) as processes, ThreadPoolExecutor(4) as pool:
        for process in processes:
            ask(process, url)
        answers = [pool.submit(answer, process) for process in processes]
        while len(seen) < 4 * 3 * 40:
            is_over = all(future.done() for future in answers)
            found = log.events(seen[-1] if seen else 0, limit=20)
            seen += [event.seq for event in found]
            assert found or not is_over, "some events never came"
        assert seen == sorted(int(seq) for future in answers for seq in future.result())
    log.close()


def test_processes_that_open_a_new_log_together(new_url: Callable[[], str]) -> None:
    with writers(threads=1, count=3) as processes:
        for _ in range(3):
            url = new_url()
            for process in processes:
                ask(process, url)
            assert sorted(len(answer(process)) for process in processes) == [3] * 4
            log = open_log(url)
            assert (len(log.runs()), len(log.events())) == (12, 12)
            log.close()
