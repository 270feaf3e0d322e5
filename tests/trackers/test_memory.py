"""Several writers of one log, each with its memory of it: they behave as one that reads everything anew."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heliostat.errors import HeliostatError
from heliostat.testing.postgres import server_programs, shared_server
from heliostat.trial import Checkpoint, Measurement, State
from heliostat.writes import (
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    LogText,
    OpenSession,
    RetryRun,
    UpdateRun,
    Write,
)
from heliostat_trackers import memory
from heliostat_trackers.memory import QUIET, FoundRun, Known, Memory
from heliostat_trackers.store import SqlRunLog

SPEC = {
    "name": "shared",
    "project": "memory",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": ["loss"],
}
needs_postgres = pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
STORES = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]
Make = Callable[[int], Write]

MAKERS: tuple[Make, ...] = (
    lambda run: CreateRun(1, {"x": run / 8}, time=1.0),
    lambda run: CreateRun(None, {"x": run / 8}, project="beside", time=1.0),
    lambda run: CreateRun(1, {"x": 0.5}, time=1.0, after=run),
    lambda run: CreateRun(1, {"x": 0.5}, time=1.0, epoch=run),
    lambda run: UpdateRun(run, metadata={f"key{run % 3}": run}, time=2.0),
    lambda run: UpdateRun(run, values={"loss": Measurement(run / 2)}, epoch=1 + run % 2, time=2.0),
    lambda run: LogCheckpoints(run, (Checkpoint(1, {f"loss{run % 2}": 0.5}, 1.0),), follows=True),
    lambda run: LogText(run, "stdout", f"line {run}\n", time=2.0),
    lambda run: RetryRun(run, reason="again", time=3.0),
    lambda run: FinishRun(run, State.COMPLETED, "done", values={"loss": Measurement(run / 3)}, time=4.0),
    lambda run: FinishRun(run, State.LOST, "gone", attempt=1 + run % 2, time=4.0),
    lambda _: OpenSession(1, "somebody", time=5.0),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, len(MAKERS) - 1), st.integers(1, 6)), min_size=2, max_size=12
)


def new_url(kind: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    if kind == "postgresql":
        return shared_server().new_schema()
    return f"sqlite:///{tmp_path_factory.mktemp('log') / 'runs.db'}"


def told(log: SqlRunLog, write: Write) -> object:
    """What the writer of a write hears."""
    try:
        return log.apply(write)
    except HeliostatError as error:
        return error.code, str(error)


def state(log: SqlRunLog) -> object:
    runs = log.runs(curves=True)
    events = [(event.seq, event.kind, event.run, event.body) for event in log.events()]
    return runs, events, [log.texts(run.id) for run in runs]


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=8, deadline=None)
@example(steps=[(0, 11, 1), (0, 3, 1), (0, 11, 1), (0, 3, 1)], start=[0, 0])  # its own later session
@example(steps=[(0, 11, 1), (0, 3, 1), (1, 11, 1), (0, 3, 1), (0, 3, 2)], start=[0, 1])  # another's
@given(steps=STEPS, start=st.lists(st.integers(0, 1), min_size=2, max_size=3))
def test_two_writers_are_as_good_as_one(kind, tmp_path_factory, steps, start):
    """Whoever writes hears, and leaves behind, what a writer without a memory would."""
    heard: list[list[object]] = []
    left: list[object] = []
    for hands in (2, 1):
        with ExitStack() as closing:
            url = new_url(kind, tmp_path_factory)
            logs = [SqlRunLog(url, clock=lambda: 9.0) for _ in range(hands)]
            for log in logs:
                closing.callback(log.close)
            told(logs[0], CreateExperiment(SPEC, time=0.0, key="experiment"))
            for place, hand in enumerate(start):
                told(logs[hand % hands], CreateRun(1, {"x": 0.25}, time=1.0, key=f"first{place}"))
            answers = []
            for place, (hand, maker, run) in enumerate(steps):
                write = replace(MAKERS[maker](run), key=f"step{place}")
                if hands == 1:
                    logs[0].close()
                    logs[0] = SqlRunLog(url, clock=lambda: 9.0)
                    closing.callback(logs[0].close)
                answers.append(told(logs[hand % hands], write))
            heard.append(answers)
            left.append(state(logs[0]))
    assert heard[0] == heard[1]
    assert left[0] == left[1]


def batch(remembered: Memory, known: Known, others: int = 0) -> None:
    """One write that becomes durable, after so many of other writers."""
    event, run = known.last or (0, 0)
    known.last = event + others + 1, run
    remembered.keep(known, 1)


def test_a_writer_among_others_reads_first_until_it_is_alone():
    remembered = Memory()
    batch(remembered, remembered.take())
    assert remembered.take().last == (1, 0)  # and is not kept: it was found wrong
    remembered.distrust()
    now = 1
    for others in (0, 2, 0, 0, 0, 1, *[0] * QUIET):
        assert remembered.take().last is None
        now += others
        batch(remembered, Known((now, 0)))
        now += 1
    assert remembered.take().last == (now, 0)


def test_what_is_remembered_has_bounds(monkeypatch):
    monkeypatch.setattr(memory, "_MOST_RUNS", 3)
    known = Known()
    for id in range(1, 7):
        text = "x" * 5000 if id == 5 else "{}"
        ended = State.COMPLETED if id == 6 else State.ACTIVE
        known.runs[id] = FoundRun(id, None, 0, ended.value, text, "", 1, "{}", None)
        known.prune([id])
    assert list(known.runs) == [2, 3, 4]
