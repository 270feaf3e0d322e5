"""Turns among processes: in line, with a time limit, and without traces."""

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from heliostat_trackers.turns import Turns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db-lock"


def is_free(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def wait_until_free(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not is_free(path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everybody_gets_turns(path: Path) -> None:
    """Four who always want the next turn: none takes many times what another gets."""
    order: list[int] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        turns = Turns(path, 60)
        start.wait()
        while len(order) < 400:
            with turns.turn():
                order.append(number)
                time.sleep(0.001)  # the work
        turns.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shares = [order.count(number) for number in range(4)]
    assert min(shares) > 40
    assert list(path.parent.iterdir()) == []


def test_one_at_a_time(path: Path) -> None:
    at_work: list[int] = []

    def work(number: int) -> None:
        turns = Turns(path, 60)
        for _ in range(50):
            with turns.turn():
                at_work.append(number)
                assert at_work == [number]
                at_work.remove(number)
        turns.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert at_work == []


def test_who_hangs_is_not_waited_for_for_ever(path: Path) -> None:
    hanging, other = Turns(path, 60), Turns(path, 0.05)
    with hanging.turn():
        for _ in range(3):
            with other.turn():
                pass
    with other.turn():
        assert not is_free(path)
    assert is_free(path)
    hanging.close()
    other.close()


def test_wait_that_was_given_up_keeps_nothing(path: Path) -> None:
    hanging, other = Turns(path, 60), Turns(path, 0.01)
    with hanging.turn(), other.turn():
        pass
    wait_until_free(path)
    hanging.close()
    other.close()


def test_deleted_file_is_made_anew(path: Path) -> None:
    first, second = Turns(path, 60), Turns(path, 0.05)
    with first.turn():
        pass
    with second.turn():
        path.unlink()
    with first.turn():
        assert not is_free(path)
        second.close()
        assert path.exists()
        third = Turns(path, 0.05)
        with third.turn():
            assert not is_free(path)
    wait_until_free(path)  # the third still waited when the first was done, and hands its turn back
    third.close()
    first.close()
    assert list(path.parent.iterdir()) == []


def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    with Turns(tmp_path / "nowhere" / "runs.db-lock", 60).turn():
        pass
