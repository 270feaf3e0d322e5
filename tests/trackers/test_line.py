"""Waiting in line for the writer, and for its answers."""

import signal
import threading

import pytest

from heliostat.errors import Conflict
from heliostat.writes import Reply
from heliostat_trackers.line import Answer, Line, give_all


def chained(count: int) -> list[Answer]:
    """Answers of one batch, none of them given."""
    answers: list[Answer] = []
    for place in range(count):
        answers.append(Answer())
        answers[-1].settle(Reply(place + 1), answers[-2] if place else None)
    return answers


def test_what_goes_in_comes_out_once_and_in_each_ones_order():
    line: Line[tuple[int, int]] = Line()
    taken: list[tuple[int, int]] = []

    def fill(thread: int) -> None:
        for place in range(500):
            line.put((thread, place))

    threads = [threading.Thread(target=fill, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    usual = 1
    while len(taken) < 2000:
        batch = line.take(usual, most=7)
        assert 1 <= len(batch) <= 7
        usual = len(batch)
        taken += batch
    for thread in threads:
        thread.join()
    assert line.is_empty()
    for thread in range(4):
        assert [place for number, place in taken if number == thread] == list(range(500))


def test_nobody_waits_for_company_that_does_not_come():
    line: Line[str] = Line()
    line.put("alone")
    assert line.take(usual=8, most=512) == ["alone"]
    assert line.take(usual=8, most=512, timeout=0.01) == []


def test_callers_are_woken_one_by_the_other():
    answers = chained(8)
    heard: list[int] = []
    threads = [threading.Thread(target=lambda a=a: heard.append(a.wait().seq)) for a in answers]
    for thread in threads:
        thread.start()
    answers[0].give()
    for thread in threads:
        thread.join(60)
    assert sorted(heard) == list(range(1, 9))


def test_a_refusal_reaches_its_caller_only():
    first, second = Answer(), Answer()
    first.settle(Conflict("no"), None)
    second.settle(Reply(2), first)
    first.give()
    with pytest.raises(Conflict, match="no"):
        first.wait()
    assert second.wait() == Reply(2)


@pytest.mark.parametrize("is_early", [True, False])
def test_an_interrupted_caller_holds_nobody_back(is_early):
    """Interrupted before the answer is there, or while it waits for its turn."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    answers = [Answer() for _ in range(3)]

    def settle() -> None:
        for place, answer in enumerate(answers):
            answer.settle(Reply(place + 1), answers[place - 1] if place else None)

    if not is_early:
        settle()
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            answers[1].wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    if is_early:
        settle()
    answers[0].give()
    assert answers[0].wait() == Reply(1)
    assert answers[2].wait() == Reply(3)


def test_whom_nobody_woke_is_woken_in_the_end():
    answers = chained(3)
    answers[0].give()  # and then does not come to wake the next
    give_all(answers)
    give_all(answers)
    assert [answer.wait().seq for answer in answers] == [1, 2, 3]
