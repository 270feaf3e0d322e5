"""The part of the run log's contract about what hangs on runs, and about what people share."""

from __future__ import annotations

import gzip
import hashlib
import math
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from heliostat.errors import Conflict, InvalidValue, NotFound, StaleSession
from heliostat.ports import RunLog
from heliostat.testing.run_records import SPEC, OpenLog, RunRecords, known
from heliostat.trial import Checkpoint, Failure, LateMeasurement, Measurement, State
from heliostat.writes import (
    LARGEST_FILE,
    AddFile,
    AddNote,
    ChangeExperiment,
    ChangeSuggestion,
    CorrectRun,
    CreateExperiment,
    CreateRun,
    CreateSuggestion,
    CreateTag,
    CreateToken,
    FinishRun,
    FreezeReport,
    LogCheckpoints,
    LogLateValues,
    LogText,
    OpenSession,
    RenewToken,
    RetryRun,
    RevokeToken,
    SettleProject,
    StartRun,
    UpdateRun,
    new_key,
)

DIGEST = hashlib.sha256(b"secret").hexdigest()


class Attachments(RunRecords):
    """Rules of :class:`heliostat.ports.RunLog` beyond the life of a run."""

    def test_facts_of_a_run(self, log: RunLog) -> None:
        """Mappings merge, ``None`` removes, texts and flags replace, tags go on and off."""
        run = known(log.apply(CreateRun(None, {"depth": 3}, time=1.0, user="ada")).run)
        first = UpdateRun(
            run,
            time=2.0,
            assignments={"eta": 0.1, "kind": "tree"},
            parameter_sources={"depth": "User Specified", "eta": "Defaults"},
            sources={"Defaults": {"sort": 3, "default_show": True}},
            dev_metadata={"host": "n1", "pid": 7},
            sys_metadata={"feature_importances": {"type": "gain", "scores": {"a": 0.5}}},
            datasets={"iris": {}, "wine": {"rows": 178}},
            tags={"best": True, "old": True, "alpha": True},
            model="XGB",
            source_hash="abc123",
            note="# good",
            favorite=True,
            archived=True,
        )
        log.apply(first)
        second = UpdateRun(
            run,
            time=3.0,
            assignments={"kind": None},
            parameter_sources={"eta": None},
            dev_metadata={"pid": None},
            datasets={"iris": None},
            tags={"old": False, "never": False},
            archived=False,
        )
        log.apply(second)
        found = log.run(run)
        assert (found.user, found.updated, found.assignments) == ("ada", 3.0, {"depth": 3, "eta": 0.1})
        assert found.parameter_sources == {"depth": "User Specified"}
        assert found.sources == {"Defaults": {"sort": 3, "default_show": True}}
        assert found.dev_metadata == {"host": "n1"}
        assert found.sys_metadata == {"feature_importances": {"type": "gain", "scores": {"a": 0.5}}}
        assert (found.datasets, found.tags) == ({"wine": {"rows": 178}}, ("alpha", "best"))
        assert (found.model, found.source_hash, found.note) == ("XGB", "abc123", "# good")
        assert (found.favorite, found.archived) == (True, False)
        assert log.runs() == [found]

    def test_assigned_parameters_stay(self, log: RunLog, run: int) -> None:
        """A run of an experiment may get more parameters, but none of the declared ones anew."""
        log.apply(UpdateRun(run, time=2.0, assignments={"more": 1}))
        with pytest.raises(InvalidValue, match="x"):
            log.apply(UpdateRun(run, time=3.0, assignments={"x": 0.7}))
        assert log.run(run).assignments == {"x": 0.5, "more": 1}

    def test_earlier_attempt_is_fenced_off(self, log: RunLog, run: int) -> None:
        """A worker whose attempt was given up cannot write into the next one."""
        log.apply(RetryRun(run, "node died", time=3.0))
        late: list[StartRun | LogCheckpoints | UpdateRun | LogText | FinishRun] = [
            StartRun(run, time=4.0, attempt=1),
            LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}),), attempt=1),
            UpdateRun(run, time=4.0, values={"loss": Measurement(1.0)}, attempt=1),
            LogText(run, "stdout", "late", time=4.0, attempt=1),
            FinishRun(run, State.COMPLETED, "late", time=4.0, attempt=1),
        ]
        before = log.run(run)
        for write in late:
            with pytest.raises(StaleSession):
                log.apply(write)
        assert (log.run(run), log.texts(run)) == (before, {})
        for write in late:
            log.apply(replace(write, attempt=2))
        assert log.run(run).state is State.COMPLETED

    def test_texts_grow_and_are_replaced(self, log: RunLog, run: int) -> None:
        """Parts come back in order; a replacement drops what was there; a retry begins empty."""
        odd = "nul \0, 雪, 🦉, lone \ud800 and a tail"
        for part in ("one\n", odd, ""):
            log.apply(LogText(run, "stdout", part, time=3.0))
        log.apply(LogText(run, "stderr", "bad", time=3.0))
        log.apply(LogText(run, "stderr", "good", time=4.0, replace=True))
        assert log.texts(run) == {"stdout": "one\n" + odd, "stderr": "good"}
        log.apply(RetryRun(run, "node died", time=5.0))
        assert log.texts(run) == {}
        with pytest.raises(InvalidValue):
            log.apply(LogText(run, "", "text", time=6.0))
        with pytest.raises(NotFound):
            log.texts(run + 1000)

    def test_late_values_stay_apart(self, log: RunLog, run: int) -> None:
        """They have a role and a time, replace by both, and never touch the run's values."""
        log.apply(FinishRun(run, State.COMPLETED, "done", time=4.0, values={"ctr": Measurement(0.5)}))
        for at, value in ((9.0, 0.03), (8.0, 0.02), (9.0, 0.04)):
            values = {"ctr": Measurement(value, 0.001), "profit": Measurement(math.inf)}
            log.apply(LogLateValues(run, "production", values, at=at, time=20.0))
        log.apply(LogLateValues(run, "training", {"loss": Measurement(math.nan)}, at=1.0, time=20.0))
        found = log.run(run)
        assert found.values == {"ctr": Measurement(0.5)}
        assert found.late["production"]["ctr"] == [
            LateMeasurement(0.02, 8.0, 0.001),
            LateMeasurement(0.04, 9.0, 0.001),
        ]
        assert [item.value for item in found.late["production"]["profit"]] == [math.inf, math.inf]
        assert math.isnan(found.late["training"]["loss"][0].value)
        assert repr(log.runs()) == repr([found]).replace(repr(found.curve), "()")
        for role in ("validation", ""):
            with pytest.raises(InvalidValue, match="role"):
                log.apply(LogLateValues(run, role, {"a": Measurement(1.0)}, at=1.0, time=20.0))

    def test_files_keep_every_byte(self, open_log: OpenLog, log: RunLog, run: int) -> None:
        """Content, checksum and names come back; the same key with other content is a Conflict."""
        content = bytes(range(256)) * 300
        write = AddFile(run, "plot", content, time=3.0, content_type="image/png", filename="p.png")
        id = known(log.apply(write).id)
        assert log.apply(write).id == id
        with pytest.raises(Conflict):
            log.apply(replace(write, content=b"other"))
        other = known(log.apply(AddFile(run, "empty", b"", time=4.0)).id)
        log.close()
        reopened = open_log()
        record, found = reopened.file(id)
        assert found == content
        assert (record.name, record.filename, record.content_type) == ("plot", "p.png", "image/png")
        assert record.md5 == b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        assert [(file.id, file.size) for file in reopened.files(run)] == [(id, len(content)), (other, 0)]
        with pytest.raises(NotFound):
            reopened.file(other + 1000)
        with pytest.raises(InvalidValue, match="MiB"):
            reopened.apply(AddFile(run, "big", b"x" * (LARGEST_FILE + 1), time=5.0))
        reopened.close()

    def test_frozen_reports(self, open_log: OpenLog, log: RunLog, experiment: int) -> None:
        """A report keeps its page and its place in the log, whatever happens to the experiment."""
        page = gzip.compress(b"<!doctype html><title>then</title>")
        frozen = FreezeReport(experiment, "then", page, time=4.0, comment="good", user="ada")
        reply = log.apply(frozen)
        again = replace(frozen, content=b"a page of another moment")
        assert log.apply(again).id == reply.id  # the same request, which was answered
        other = log.apply(FreezeReport(experiment, "brief", b"", time=5.0, kind="metrics")).id
        log.apply(ChangeExperiment(experiment, time=6.0, archived=True))
        reopened = open_log()
        record, content = reopened.report(reply.id or 0)
        assert content == page
        assert (record.title, record.comment, record.kind, record.user) == ("then", "good", "report", "ada")
        assert (record.experiment, record.size, record.created) == (experiment, len(page), 4.0)
        assert record.place < reply.seq
        assert [item.id for item in reopened.reports(experiment)] == [reply.id, other]
        assert reopened.events(reply.seq - 1, 1)[0].experiment == experiment
        for ask in (
            lambda: reopened.report((other or 0) + 1000),
            lambda: reopened.reports(experiment + 1000),
        ):
            with pytest.raises(NotFound):
                ask()
        for wrong in ({"kind": "novel"}, {"content": b"x" * (LARGEST_FILE + 1)}):
            given: dict[str, Any] = {"content": b"", **wrong}
            with pytest.raises(InvalidValue):
                reopened.apply(FreezeReport(experiment, "bad", time=7.0, **given))
        with pytest.raises(NotFound):
            reopened.apply(FreezeReport(experiment + 1000, "nowhere", b"", time=7.0))
        reopened.close()

    def test_projects_and_notes(self, log: RunLog, run: int) -> None:
        """A project comes with its first run, or is declared; notes keep their versions."""
        log.apply(SettleProject("team", time=5.0, name="The team", metadata={"owner": "ada", "x": 1}))
        log.apply(SettleProject("team", time=6.0, metadata={"x": None}, archived=True))
        log.apply(CreateRun(None, {}, time=7.0, project="team"))
        stores, team = log.projects()
        assert (stores.id, stores.name, stores.experiments, stores.runs) == ("stores", "stores", 1, 1)
        assert (team.id, team.name, team.metadata, team.archived) == (
            "team",
            "The team",
            {"owner": "ada"},
            True,
        )
        assert (team.experiments, team.runs, team.updated) == (0, 1, 6.0)
        for text in ("# one", "# two"):
            log.apply(AddNote("team", text, time=8.0, user="ada"))
        assert [note.text for note in log.notes("team")] == ["# one", "# two"]
        assert log.notes("stores") == []

    def test_archived_experiment(self, log: RunLog, experiment: int) -> None:
        """Archiving keeps the declaration, and is undone."""
        spec = log.experiment(experiment).spec
        log.apply(ChangeExperiment(experiment, time=3.0, archived=True))
        assert (log.experiment(experiment).archived, log.experiment(experiment).updated) == (True, 3.0)
        log.apply(ChangeExperiment(experiment, {**SPEC, "budget": 99}, time=4.0))
        assert (log.experiment(experiment).archived, log.experiment(experiment).spec.budget) == (True, 99)
        log.apply(ChangeExperiment(experiment, spec.to_dict(), time=5.0, archived=False))
        assert (log.experiment(experiment).archived, log.experiment(experiment).spec) == (False, spec)

    def test_tags_are_declared_once(self, log: RunLog) -> None:
        """Their names are unique, their colors are colors."""
        id = log.apply(CreateTag("best", "#00ff7F", time=1.0)).id
        with pytest.raises(Conflict):
            log.apply(CreateTag("best", "#000000", time=2.0))
        for name, color in (("", "#000000"), ("x", "green")):
            with pytest.raises(InvalidValue):
                log.apply(CreateTag(name, color, time=2.0))
        assert [(tag.id, tag.name, tag.color) for tag in log.tags()] == [(id, "best", "#00ff7F")]

    def test_a_queued_suggestion_becomes_one_run(
        self, open_log: OpenLog, log: RunLog, experiment: int
    ) -> None:
        """Of eight threads that try it one gets it; the same request again gets the same run."""
        write = CreateSuggestion(experiment, {"x": 0.5}, time=1.0, state="queued", origin="user")
        id = known(log.apply(write).id)
        tries = [CreateRun(experiment, {"x": 0.5}, time=2.0, suggestion=id) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            futures = list(pool.map(log.submit, tries))
        log.flush()
        (won,) = [place for place, future in enumerate(futures) if future.exception() is None]
        assert {type(future.exception()) for future in futures} == {type(None), Conflict}
        reply = futures[won].result()
        log.close()
        reopened = open_log()
        assert reopened.apply(tries[won]) == reply
        (record,) = reopened.suggestions(experiment)
        assert (record.state, record.run, len(reopened.runs(experiment))) == ("closed", reply.run, 1)
        deleted = known(reopened.apply(replace(write, key=new_key())).id)
        reopened.apply(ChangeSuggestion(deleted, "deleted", time=3.0))
        with pytest.raises(Conflict, match="deleted"):
            reopened.apply(CreateRun(experiment, {"x": 0.5}, time=4.0, suggestion=deleted))
        with pytest.raises(NotFound):
            reopened.apply(CreateRun(experiment, {"x": 0.5}, time=4.0, suggestion=12345))
        assert len(reopened.runs(experiment)) == 1
        reopened.close()

    def test_corrections(self, log: RunLog, experiment: int, run: int) -> None:
        """What has ended can be set right, state, values and failure; what is active cannot."""
        failure = Failure("nan", "metric 'loss' is nan")
        write = CorrectRun(run, State.COMPLETED, "by hand", time=9.0, values={"loss": Measurement(2.0, 0.1)})
        with pytest.raises(Conflict, match="is active"):
            log.apply(write)
        first = {"loss": Measurement(1.0), "note": Measurement(5.0)}
        log.apply(FinishRun(run, State.FAILED, "nan", time=4.0, values=first, failure=failure))
        log.apply(write)
        found = log.run(run)
        assert (found.state, found.end_reason, found.failure) == (State.COMPLETED, "by hand", None)
        assert found.values == {"loss": Measurement(2.0, 0.1), "note": Measurement(5.0)}
        assert (found.ended, found.updated) == (4.0, 9.0)
        log.apply(CorrectRun(run, State.FAILED, "wrong data", time=10.0, failure=failure))
        assert (log.run(run).state, log.run(run).failure) == (State.FAILED, failure)
        old, _ = (known(log.apply(OpenSession(experiment, who, time=1.0)).epoch) for who in "ab")
        with pytest.raises(StaleSession):
            log.apply(CorrectRun(run, State.COMPLETED, "late", time=11.0, epoch=old))
        with pytest.raises(InvalidValue, match="end"):
            log.apply(CorrectRun(run, State.ACTIVE, "no", time=11.0))
        with pytest.raises(NotFound):
            log.apply(CorrectRun(12345, State.COMPLETED, "no", time=11.0))

    def test_events_of_one_experiment_and_kind(self, log: RunLog, experiment: int, run: int) -> None:
        """Followers read what concerns them; updates tell whether they concern those who learn."""
        other = known(log.apply(CreateExperiment({**SPEC, "name": "other"}, time=1.0)).experiment)
        log.apply(CreateRun(other, {"x": 0.1}, time=2.0))
        log.apply(UpdateRun(run, time=3.0, metadata={"a": 1}))
        log.apply(UpdateRun(run, time=4.0, archived=True, values={"loss": Measurement(1.0)}))
        own = log.events(experiment=experiment)
        assert [event.kind for event in own] == ["CreateExperiment", "CreateRun", "UpdateRun", "UpdateRun"]
        updates = log.events(experiment=experiment, kinds=("UpdateRun", "CorrectRun"))
        assert updates == own[2:]
        assert ("archived" in updates[0].body, updates[1].body["archived"]) == (False, True)
        assert updates[1].body["values"] == ["loss"]
        assert log.events(own[2].seq, 1, experiment=experiment, kinds=["UpdateRun"]) == own[3:]
        assert log.events(kinds=()) == []

    def test_a_run_keeps_what_heliostat_notes_of_it(self, log: RunLog, experiment: int) -> None:
        """From its creation on."""
        mark = {"history": {"made": 3, "ended": 2}}
        made = known(log.apply(CreateRun(experiment, {"x": 0.1}, time=2.0, sys_metadata=mark)).run)
        plain = known(log.apply(CreateRun(experiment, {"x": 0.1}, time=2.0)).run)
        assert (log.run(made).sys_metadata, log.run(plain).sys_metadata) == (mark, {})

    def test_life_of_a_suggestion(self, log: RunLog, experiment: int, run: int) -> None:
        """Queued → open → closed, deleted from anywhere, never back."""
        write = CreateSuggestion(experiment, {"x": 0.5}, time=1.0, state="queued", origin="user", why="mine")
        id = known(log.apply(write).id)
        log.apply(ChangeSuggestion(id, "open", time=2.0))
        log.apply(ChangeSuggestion(id, "closed", time=3.0, run=run))
        with pytest.raises(Conflict):
            log.apply(ChangeSuggestion(id, "open", time=4.0))
        other = known(log.apply(CreateSuggestion(experiment, {"x": 0.1}, time=4.0)).id)
        log.apply(ChangeSuggestion(other, "deleted", time=5.0))
        first, second = log.suggestions(experiment)
        assert (first.id, first.state, first.run, first.origin, first.why) == (
            id,
            "closed",
            run,
            "user",
            "mine",
        )
        assert (second.id, second.state, second.assignments) == (other, "deleted", {"x": 0.1})
        for bad in (
            CreateSuggestion(experiment, {}, time=1.0, state="closed"),
            ChangeSuggestion(id, "?", time=1.0),
        ):
            with pytest.raises(InvalidValue):
                log.apply(bad)
        for missing in (CreateSuggestion(12345, {}, time=1.0), ChangeSuggestion(12345, "open", time=1.0)):
            with pytest.raises(NotFound):
                log.apply(missing)
        old, _ = (known(log.apply(OpenSession(experiment, who, time=6.0)).epoch) for who in "ab")
        with pytest.raises(StaleSession):
            log.apply(CreateSuggestion(experiment, {}, time=7.0, epoch=old))

    def test_tokens_are_digests(self, log: RunLog) -> None:
        """Only digests are kept; a revoked token stays in the list as revoked."""
        id = known(log.apply(CreateToken(DIGEST, "laptop", time=1.0, permissions="read", expires=9.0)).id)
        with pytest.raises(Conflict):
            log.apply(CreateToken(DIGEST, "again", time=2.0))
        with pytest.raises(InvalidValue) as refused:
            log.apply(CreateToken("my secret", "plain", time=2.0))
        assert "my secret" not in str(refused.value)
        log.apply(RevokeToken(id, time=3.0))
        (token,) = log.tokens()
        assert (token.digest, token.name, token.permissions) == (DIGEST, "laptop", "read")
        assert (token.expires, token.revoked) == (9.0, True)
        with pytest.raises(NotFound):
            log.apply(RevokeToken(id + 1000, time=4.0))

    def test_tokens_have_rights_and_an_end_that_moves(self, log: RunLog) -> None:
        """Guests see one run or one experiment; an end is moved, or taken away."""
        rights = ("admin", "read run 12", "read experiment 3")
        ids = [
            known(log.apply(CreateToken(str(place) * 64, "t", time=1.0, permissions=right)).id)
            for place, right in enumerate(rights)
        ]
        assert tuple(token.permissions for token in log.tokens()) == rights
        for bad in ("read run x", "owner", "read run 1 2", ""):
            with pytest.raises(InvalidValue, match="permissions"):
                log.apply(CreateToken(DIGEST, "t", time=1.0, permissions=bad))
        log.apply(RenewToken(ids[0], 50.0, time=2.0))
        log.apply(RenewToken(ids[1], 50.0, time=2.0))
        log.apply(RenewToken(ids[1], None, time=3.0))
        assert [token.expires for token in log.tokens()] == [50.0, None, None]
        with pytest.raises(NotFound):
            log.apply(RenewToken(12345, None, time=4.0))

    def test_identity_is_its_own(self, open_log: OpenLog, log: RunLog) -> None:
        """It does not change when the log is opened again."""
        identity = log.identity
        log.close()
        reopened = open_log()
        assert reopened.identity == identity
        assert len(identity) >= 16
        reopened.close()
