"""The part of the run log's contract about queries: every store answers what the pure evaluator answers."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliostat.ports import RunLog
from heliostat.query import And, Condition, Filter, Not, Or, RunPage, RunQuery, answer, read_where
from heliostat.testing.run_records import SPEC, known
from heliostat.trial import Failure, Measurement, Run, State
from heliostat.writes import (
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogLateValues,
    StartRun,
    UpdateRun,
    Write,
)

NUMBERS = (0, 1, 2, 1.0, 0.5, -3, 2**40, 2**60 + 1, 1e300, math.inf, -math.inf)
TEXTS = ("a", "B", "adam", "Adam", "1", "true", "naïve 🦉", "o'clock", "two words", "x\ny")
LISTS: tuple[Any, ...] = ([1, "a"], {"a": 1}, {"b": {"c": 0.5}}, [])
SCALARS: tuple[Any, ...] = (*NUMBERS, *TEXTS, True, False)
MIXED: tuple[Any, ...] = (*SCALARS, *LISTS, math.nan)
TIME = "training and validation time (s)"
FIELDS: dict[str, Iterable[Any]] = {
    "id": range(1, 20),
    "experiment": (1, 2, 2**40),
    "project": ("default", "stores", "nowhere"),
    "number": NUMBERS,
    "name": TEXTS,
    "state": [state.value for state in State],
    "origin": ("optuna", "user", "grid"),
    "searcher": TEXTS,
    "task": TEXTS,
    "user": TEXTS,
    "attempt": (1, 2),
    "created": NUMBERS,
    "updated": NUMBERS,
    "started": NUMBERS,
    "completed": NUMBERS,
    "seconds": NUMBERS,
    "failure": ("user_error", "nan"),
    "end_reason": TEXTS,
    "favorite": (True, False),
    "deleted": (True, False),
    "model.type": TEXTS,
    "source_code.hash": TEXTS,
    "tags": TEXTS,
    "datasets": TEXTS,
    "assignments.x": SCALARS,
    "assignments.gone": SCALARS,
    "metadata.x": SCALARS,
    "metadata.x.b.c": SCALARS,
    "dev_metadata.x": SCALARS,
    f"values.{TIME}.value": NUMBERS,
    f"values.{TIME}.value_stddev": NUMBERS,
    "late.production.loss": NUMBERS,
}


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """One comparison that suits its field."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    operators = ["==", "!=", "isnull"]
    if name not in ("state", "favorite", "deleted", "tags", "datasets"):
        operators += [">=", ">", "<=", "<"]
    if name in ("name", "tags", "assignments.x", "metadata.x"):
        operators.append("contains")
    operator = draw(st.sampled_from(operators))
    values = (True, False, None) if operator == "isnull" else tuple(FIELDS[name])
    return Filter(name, operator, draw(st.sampled_from(values)))


def conditions() -> st.SearchStrategy[Condition]:
    """Comparisons joined in any way."""
    several = st.lists(filters(), min_size=2, max_size=3).map(tuple)
    return st.recursive(
        filters(),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(And, several),
        ),
        max_leaves=5,
    )


def queries() -> st.SearchStrategy[RunQuery]:
    """Any query without cursors."""
    return st.builds(
        RunQuery,
        filters=st.none() | conditions(),
        search=st.sampled_from(("", "", "a", "ADAM", "🦉")),
        sort=st.sampled_from(sorted(FIELDS)),
        ascending=st.booleans(),
        limit=st.none() | st.integers(0, 20),
        archived=st.booleans(),
    )


class RunQueries:
    """Rules of :meth:`heliostat.ports.RunLog.query`."""

    @pytest.fixture
    def varied(self, log: RunLog) -> list[Run]:
        """Sixty runs that have most things that a run can have, as the log reads them."""
        return _varied(log)

    def test_queries_agree_with_the_pure_evaluator(self, log: RunLog, varied: list[Run]) -> None:
        """Same runs, same order, same cursors, whatever is asked."""

        @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(queries(), st.none() | st.sampled_from(("default", "stores")), st.none() | st.just(1))
        def agree(query: RunQuery, project: str | None, experiment: int | None) -> None:
            scope = [
                run
                for run in varied
                if project in (None, run.project) and experiment in (None, run.experiment)
            ]
            expected = answer(query, scope)
            found = log.query(query, project=project, experiment=experiment)
            assert _shown(found) == _shown(expected)
            for cursor in (found.after, found.before):
                if cursor is not None and query.limit:
                    onward = replace(query, after=cursor)
                    assert _shown(log.query(onward, project=project, experiment=experiment)) == _shown(
                        answer(onward, scope)
                    )

        agree()

    def test_queried_runs_are_whole(self, log: RunLog, varied: list[Run]) -> None:
        """They equal the runs of other readings, but for the curve."""
        page = log.query(RunQuery(archived=True))
        assert [repr(run) for run in page.runs] == [repr(run) for run in varied]
        assert (page.count, page.before, page.after) == (len(varied), None, None)

    @pytest.mark.usefixtures("varied")
    def test_pages_join(self, log: RunLog) -> None:
        """Forwards and backwards, the pages are the whole list."""
        for sort in ("params.x", "id", f"metrics.{TIME}", "name", "ended"):
            for ascending in (True, False):
                query = RunQuery(sort=sort, ascending=ascending)
                whole = [run.id for run in log.query(query).runs]
                pages = [log.query(replace(query, limit=7))]
                while pages[-1].after is not None:
                    pages.append(log.query(replace(query, limit=7, after=pages[-1].after)))
                assert [run.id for page in pages for run in page.runs] == whole
                back = [pages[-1]]
                while back[0].before is not None:
                    back.insert(0, log.query(replace(query, limit=7, before=back[0].before)))
                assert [run.id for page in back for run in page.runs] == whole

    @pytest.mark.parametrize("ascending", [True, False])
    @pytest.mark.usefixtures("varied")
    def test_pages_while_runs_are_added(self, log: RunLog, ascending: bool) -> None:
        """Every run that was there at the start comes once, in order."""
        query = RunQuery(sort="params.x", ascending=ascending, limit=5)
        whole = [run.id for run in log.query(replace(query, limit=None)).runs]
        page = log.query(query)
        found = [run.id for run in page.runs]
        while page.after is not None:
            for value in MIXED:
                log.submit(CreateRun(None, {"x": value}, time=9.0))
            log.flush()
            page = log.query(replace(query, after=page.after, limit=40))
            found += [run.id for run in page.runs]
        assert [id for id in found if id in set(whole)] == whole
        assert len(found) == len(set(found))

    def test_values_of_any_kind(self, log: RunLog) -> None:
        """Missing matches no comparison, NaN none either but is there; texts and numbers are apart."""
        values: dict[str, Any] = {"int": 1, "float": 1.0, "text": "1", "nan": math.nan, "truth": True}
        for name, value in values.items():
            log.apply(CreateRun(None, {"x": value}, name=name, time=1.0))
        log.apply(CreateRun(None, {}, name="gone", time=1.0))
        expected = {
            "params.x = 1": ["int", "float"],
            "params.x = '1'": ["text"],
            "params.x != 1": ["text", "truth"],
            "params.x >= 0": ["int", "float"],
            "params.x is missing": ["gone"],
            "params.x is not missing": ["int", "float", "text", "nan", "truth"],
            "params.x": ["truth"],
            "not params.x = 1": ["text", "nan", "truth", "gone"],
            "params.x not in (1, '1')": ["truth"],
        }
        for text, names in expected.items():
            page = log.query(RunQuery(read_where(text)))
            assert [run.name for run in page.runs] == names, text
        for ascending, start in ((True, ["int", "float", "text", "truth"]), (False, ["truth", "text"])):
            page = log.query(RunQuery(sort="params.x", ascending=ascending))
            assert [run.name for run in page.runs][: len(start)] == start
            assert [run.name for run in page.runs][-2:] == ["nan", "gone"]


def _shown(page: RunPage) -> tuple[list[int], int, str | None, str | None]:
    return [run.id for run in page.runs], page.count, page.before, page.after


def _varied(log: RunLog) -> list[Run]:
    pick = random.Random(3)
    experiment = known(log.apply(CreateExperiment(SPEC, time=1.0)).experiment)
    created = [log.submit(_created(pick, experiment)) for _ in range(60)]
    for future in created:
        for write in _told(pick, known(future.result().run)):
            log.submit(write)
    log.flush()
    return log.runs()


def _created(pick: random.Random, experiment: int) -> CreateRun:
    return CreateRun(
        pick.choice((None, experiment)),
        {} if pick.random() < 0.2 else {"x": pick.choice(MIXED), "other": 1},
        time=pick.choice((0.5, 1.0, 2.0)),
        name=pick.choice(("", *TEXTS)),
        task=pick.choice((None, *TEXTS)),
        origin=pick.choice(("optuna", "user")),
        searcher=pick.choice(("", *TEXTS)),
        user=pick.choice(("", *TEXTS)),
        metadata={} if pick.random() < 0.2 else {"x": pick.choice(MIXED)},
    )


def _told(pick: random.Random, run: int) -> list[Write]:
    numbers = (*NUMBERS, math.nan)
    told: list[Write] = [
        UpdateRun(
            run,
            time=pick.choice((2.0, 3.0)),
            tags={pick.choice(TEXTS): True for _ in range(pick.randrange(3))},
            datasets={pick.choice(TEXTS): {"rows": 3} for _ in range(pick.randrange(2))},
            dev_metadata={"x": pick.choice(MIXED)},
            model=pick.choice((None, *TEXTS)),
            source_hash=pick.choice((None, *TEXTS)),
            favorite=pick.random() < 0.3,
            archived=pick.random() < 0.2,
        )
    ]
    if pick.random() < 0.7:
        told.append(StartRun(run, time=2.0))
    if pick.random() < 0.3:
        values = {"loss": Measurement(pick.choice(numbers))}
        told += [LogLateValues(run, "production", values, at=at, time=4.0) for at in (4.0, 3.0)]
    if pick.random() < 0.8:
        state = pick.choice([state for state in State if not state.is_open])
        failure = Failure("user_error", "raised") if state is State.FAILED else None
        values = {TIME: Measurement(pick.choice(numbers), pick.choice((None, 0.5)))}
        end = FinishRun(run, state, pick.choice(TEXTS), time=5.0, values=values, failure=failure)
        told.append(end)
    return told
