"""What every run log must do, as a pytest class.

A store passes if this runs green::

    class TestMyStore(RunLogContract):
        @pytest.fixture
        def open_log(self, tmp_path):
            return lambda: MyRunLog(tmp_path / "runs")

The fixture returns a callable that opens the same underlying storage each time, so that what was acknowledged
can be looked for after a reopening.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from heliostat.errors import OVERTAKEN, Conflict, InvalidValue, NotFound, StaleSession, StorageError
from heliostat.ports import RunLog
from heliostat.testing.attachments import Attachments
from heliostat.testing.run_life import check_run_life
from heliostat.testing.run_queries import RunQueries
from heliostat.testing.run_records import SPEC, OpenLog, known
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import (
    ChangeExperiment,
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    OpenSession,
    RetryRun,
    StartRun,
    UpdateRun,
    Write,
)

TEXTS = (
    "",
    "naïve – 雪",
    "🦉👩‍🔬",
    "'; DROP TABLE runs; --",
    r"100 % of %s and %(key)s, $1, \ E'\''; COMMIT",
    "line\nline\ttab",
    "x" * 300_000,
    '{"$": "NaN"}',
)
NOWHERE = 987_654_321


class RunLogContract(Attachments, RunQueries):
    """Rules of :class:`heliostat.ports.RunLog`; subclasses override the fixture ``open_log``."""

    def test_acknowledged_is_there_after_reopening(
        self, open_log: OpenLog, log: RunLog, experiment: int, run: int
    ) -> None:
        """Nothing that was answered may depend on a later flush or close."""
        log.apply(FinishRun(run, State.COMPLETED, "done", time=5.0, values={"a": Measurement(1.0)}))
        before = (log.experiments(), log.runs(experiment, curves=True), log.events())
        log.close()
        reopened = open_log()
        assert (reopened.experiments(), reopened.runs(experiment, curves=True), reopened.events()) == before
        reopened.close()

    def test_repeated_write_is_the_same_write(self, open_log: OpenLog, log: RunLog, experiment: int) -> None:
        """The first reply comes again, also after a reopening, from a later clock and a newer session."""
        epoch = log.apply(OpenSession(experiment, "first", time=1.0)).epoch
        write = CreateRun(experiment, {"x": 0.5, "y": 1}, time=2.0, epoch=epoch)
        first = log.apply(write)
        finish = FinishRun(known(first.run), State.COMPLETED, "done", time=3.0)
        end = log.apply(finish)
        log.apply(OpenSession(experiment, "second", time=4.0))
        log.close()
        reopened = open_log()
        later = replace(write, time=9.0, epoch=known(epoch) + 1, assignments={"y": 1, "x": 0.5})
        assert [reopened.apply(item) for item in (write, later, finish)] == [first, first, end]
        assert (len(reopened.runs()), len(reopened.events())) == (1, 5)
        reopened.close()

    def test_repeats_in_one_breath(self, log: RunLog, experiment: int) -> None:
        """Two threads that send the same write get the same run."""
        write = CreateRun(experiment, {"x": 0.5}, time=2.0)
        futures = [log.submit(write) for _ in range(20)]
        assert {future.result() for future in futures} == {log.apply(write)}
        assert len(log.runs()) == 1

    def test_key_of_another_write(self, log: RunLog, run: int) -> None:
        """The same key with other content is a Conflict, and does nothing."""
        write = UpdateRun(run, time=2.0, metadata={"a": 1})
        log.apply(write)
        others: list[Write] = [
            replace(write, metadata={"a": 2}),
            StartRun(run, time=2.0, metadata={"a": 1}, key=write.key),
        ]
        for other in others:
            with pytest.raises(Conflict):
                log.apply(other)
        found = log.run(run)
        assert (found.metadata, found.started) == ({"a": 1}, None)

    def test_refused_write_may_be_sent_again(self, log: RunLog, experiment: int) -> None:
        """A refusal leaves no key behind: the successor of a stale session may send the same write."""
        old, new = (known(log.apply(OpenSession(experiment, who, time=1.0)).epoch) for who in "ab")
        write = CreateRun(experiment, {"x": 0.5}, time=2.0, epoch=old)
        with pytest.raises(StaleSession):
            log.apply(write)
        assert log.apply(replace(write, epoch=new)).number == 1

    def test_older_session_is_fenced_off(self, log: RunLog, experiment: int, run: int) -> None:
        """Each session has a higher epoch; every write that carries an older one is refused."""
        old, new = (known(log.apply(OpenSession(experiment, who, time=1.0)).epoch) for who in "ab")
        assert (old, new, log.experiment(experiment).epoch) == (1, 2, 2)
        before = (log.runs(curves=True), log.experiment(experiment), log.events())
        for write in _fenced_writes(experiment, run, old):
            with pytest.raises(StaleSession):
                log.apply(write)
        assert (log.runs(curves=True), log.experiment(experiment), log.events()) == before
        for write in _fenced_writes(experiment, run, new):
            log.apply(write)

    def test_a_run_is_made_only_as_the_next_one_if_it_says_so(
        self, log: RunLog, experiment: int, run: int
    ) -> None:
        """Of several who propose at once one comes first; the others are told by the code of the conflict."""
        last = log.run(run).number
        first = CreateRun(experiment, {"x": 0.1}, time=1.0, after=last)
        late = CreateRun(experiment, {"x": 0.2}, time=1.0, after=last)
        assert log.apply(first).number == last + 1
        with pytest.raises(Conflict) as caught:
            log.apply(late)
        assert caught.value.code == OVERTAKEN
        assert log.apply(first).number == last + 1  # a repeated write is the same write
        assert len(log.runs(experiment)) == last + 1

    def test_unknown_ids(self, log: RunLog, run: int) -> None:
        """NotFound from every write and from both readings."""
        writes: list[Write] = [
            OpenSession(NOWHERE, "me", time=1.0),
            *_fenced_writes(NOWHERE, run, None)[:2],
            *_fenced_writes(1, NOWHERE, None)[2:],
        ]
        for write in writes:
            with pytest.raises(NotFound):
                log.apply(write)
        for read in (log.run, log.experiment):
            with pytest.raises(NotFound):
                read(NOWHERE)
        assert log.runs(NOWHERE) == []

    def test_refused_write_spares_its_neighbours(self, log: RunLog, experiment: int) -> None:
        """Writes that wait together fail one by one."""
        bad = CreateRun(NOWHERE, {}, time=1.0)
        futures = [
            log.submit(
                CreateRun(experiment, {"x": index}, time=1.0) if index % 3 else replace(bad, key=f"{index}")
            )
            for index in range(30)
        ]
        log.flush()
        assert all(future.done() for future in futures)
        refused = [index for index, future in enumerate(futures) if future.exception() is not None]
        assert refused == list(range(0, 30, 3))
        assert [run.assignments["x"] for run in log.runs()] == [index for index in range(30) if index % 3]
        assert [run.number for run in log.runs()] == list(range(1, 21))

    def test_writes_in_one_breath_keep_apart(self, log: RunLog, experiment: int) -> None:
        """Whatever waits together is stored run by run, with nothing of its neighbours'."""
        runs = [
            known(log.apply(CreateRun(experiment, {"x": 0}, time=1.0)).run) for _ in range(2 * len(TEXTS))
        ]
        for run, text in zip(runs, TEXTS, strict=False):
            failure = Failure("user_error", text) if run % 2 else None
            state = State.FAILED if failure else State.COMPLETED
            values = {"a": Measurement(run / 3, None if run % 3 else 0.1)}
            log.submit(FinishRun(run, state, text, time=5.0, values=values, failure=failure))
            log.submit(StartRun(runs[-1], time=4.0, metadata={text: text}))
        log.flush()
        for run, text in zip(runs, TEXTS, strict=False):
            found = log.run(run)
            assert found.end_reason == text
            assert found.failure == (Failure("user_error", text) if run % 2 else None)
            assert found.values == {"a": Measurement(run / 3, None if run % 3 else 0.1)}
        assert log.run(runs[-1]).metadata == {text: text for text in TEXTS}
        assert log.run(runs[-2]).state is State.ACTIVE

    def test_numbers_have_no_gaps(self, log: RunLog, experiment: int) -> None:
        """Eight threads on two experiments: 1, 2, 3, … in each."""
        other = known(log.apply(CreateExperiment(SPEC, time=1.0)).experiment)

        def work(thread: int) -> None:
            for index in range(10):
                target = experiment if (thread + index) % 2 else other
                log.apply(CreateRun(target, {"x": index}, time=1.0))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        for target in (experiment, other):
            assert [run.number for run in log.runs(target)] == list(range(1, 41))

    def test_events_tell_what_happened(self, log: RunLog, experiment: int, run: int) -> None:
        """One event a write, in order of application; `after` and `limit` page through them."""
        replies = [log.apply(UpdateRun(run, time=1.0, metadata={"n": index})) for index in range(5)]
        with pytest.raises(NotFound):
            log.apply(StartRun(NOWHERE, time=1.0))
        found = log.events()
        assert [event.kind for event in found] == ["CreateExperiment", "CreateRun", *["UpdateRun"] * 5]
        assert [event.seq for event in found] == sorted({event.seq for event in found})
        assert [event.seq for event in found[2:]] == [reply.seq for reply in replies]
        assert {(event.experiment, event.run) for event in found[1:]} == {(experiment, run)}
        assert log.events(after=found[1].seq, limit=2) == found[2:4]
        assert log.events(after=found[-1].seq) == []
        assert log.last_event() == log.last_event(experiment) == found[-1].seq
        other = log.apply(CreateRun(None, {}, time=1.0)).seq
        assert (log.last_event(), log.last_event(experiment)) == (other, found[-1].seq)
        assert log.last_event(NOWHERE) == 0

    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_texts_survive(self, log: RunLog, run: int, text: str) -> None:
        """Any text comes back as it was, whatever its length and alphabet."""
        failure = Failure("user_error", text, text)
        log.apply(UpdateRun(run, time=3.0, name=text, metadata={"text": text, f"key {text}": 1}))
        log.apply(FinishRun(run, State.FAILED, text, time=4.0, failure=failure))
        found = log.run(run)
        assert (found.name, found.end_reason, found.failure) == (text, text, failure)
        assert found.metadata == {"text": text, f"key {text}": 1}

    @pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["nul", "surrogate"])
    def test_odd_texts_survive_or_are_refused(self, log: RunLog, run: int, text: str) -> None:
        """What a database cannot hold is an InvalidValue, never a changed text; failures hold anything."""
        try:
            log.apply(UpdateRun(run, time=3.0, name=text))
        except InvalidValue:
            assert log.run(run).name == ""
        else:
            assert log.run(run).name == text
        failure = Failure("user_error", text, text)
        log.apply(FinishRun(run, State.FAILED, "raised", time=4.0, failure=failure))
        assert log.run(run).failure == failure

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"], ids=["object", "set", "bytes"])
    def test_unstorable_value(self, log: RunLog, run: int, value: object) -> None:
        """It is refused with InvalidValue, and the log goes on."""
        with pytest.raises(InvalidValue):
            log.submit(UpdateRun(run, time=3.0, metadata={"value": value})).result()
        assert log.apply(UpdateRun(run, time=3.0, metadata={"value": 1})).run == run

    def test_closed_log(self, open_log: OpenLog, experiment: int, log: RunLog) -> None:
        """Closing flushes and may be repeated; later writes raise StorageError."""
        futures = [log.submit(CreateRun(experiment, {"x": index}, time=1.0)) for index in range(50)]
        log.close()
        log.close()
        assert all(future.done() for future in futures)
        with pytest.raises(StorageError):
            log.submit(CreateRun(experiment, {}, time=1.0)).result()
        reopened = open_log()
        assert [run.id for run in reopened.runs()] == [future.result().run for future in futures]
        reopened.close()

    def test_life_of_a_run(self, log: RunLog) -> None:
        """Hypothesis plays any order of writes against a model in memory."""
        check_run_life(log)


def _fenced_writes(experiment: int, run: int, epoch: int | None) -> list[Write]:
    """One of each write that carries an epoch, the two about an experiment first, the end last."""
    return [
        ChangeExperiment(experiment, SPEC, time=3.0, epoch=epoch),
        CreateRun(experiment, {"x": 0.5}, time=3.0, epoch=epoch),
        StartRun(run, time=3.0, epoch=epoch),
        LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}),), epoch=epoch),
        UpdateRun(run, time=3.0, values={"a": Measurement(1.0)}, epoch=epoch),
        RetryRun(run, "node", time=3.0, epoch=epoch),
        FinishRun(run, State.COMPLETED, "done", time=3.0, epoch=epoch),
    ]
