"""Questions about runs: the text form, the wire's filters, order and pages."""

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings

from heliostat.errors import InvalidValue, Unsupported
from heliostat.query import (
    And,
    Filter,
    Not,
    Or,
    RunQuery,
    answer,
    columns,
    field,
    predicate,
    read_fields,
    read_filters,
    read_where,
    write_filters,
)
from heliostat.testing.run_queries import conditions
from heliostat.trial import Failure, LateMeasurement, Measurement, Run, State

TIME = "training and validation time (s)"
RUN = Run(
    id=7,
    experiment=3,
    project="vision",
    number=2,
    name="Seed Run",
    assignments={"lr": 0.1, "layers": 2, "kind": "adam", "flag": True, "odd name": 1},
    state=State.COMPLETED,
    values={"accuracy": Measurement(0.93, 0.01), TIME: Measurement(12.5), "bad": Measurement(math.nan)},
    metadata={"Dataset Rows": 150, "git": {"branch": "main"}, "labels": ["a", 3], "a.b": "whole"},
    origin="optuna",
    created=1_000.0,
    started=1_001.0,
    ended=1_003.5,
    tags=("best", "two words"),
    datasets={"iris": {}},
    late={"production": {"accuracy": (LateMeasurement(0.8, 5.0), LateMeasurement(0.7, 6.0))}},
)


@pytest.mark.parametrize(
    "text",
    [
        "state = completed and metrics.accuracy > 0.9 and params.kind = 'adam'",
        'metadata."Dataset Rows" >= 100 and tag = best and not favorite',
        f"metrics.'{TIME}' < 13 and values.'{TIME}'=12.5",
        "metrics.accuracy.stddev = 0.01 and values.accuracy.value_stddev == 1e-2",
        "assignments.layers = 2.0 and values.accuracy.value >= .93",
        "params.kind in (sgd, adam) and params.kind not in (sgd, 'rms prop')",
        "params.gone is missing and params.lr is not missing and metrics.bad is not missing",
        "(state = failed or origin = optuna) and (id = 7 or id = 8) and experiment = '3'",
        "NOT (state = failed OR state = lost) AND metadata.x IS missing or params.gone",
        "name contains 'seed r' and metadata.labels contains 3 and metadata.labels contains a",
        "metadata.git.branch = main and metadata.a.b = whole and metadata.git contains branch",
        "tags contains 'two words' and dataset = iris and tags != worst",
        "late.production.accuracy = 0.7 and late.production.accuracy < 0.8",
        "seconds = 2.5 and ended > 1003 and finished = 1003.5 and completed != 3 and attempt = 1",
        "params.flag and params.flag = true and params.flag != 1",
        "task is missing and user is missing and failure is missing and model is missing",
        "metrics.accuracy < inf and metrics.accuracy > -inf and params.lr!=3 and params.lr<=+1",
        "params.'odd name'=1",
        "not not state = completed",
    ],
)
def test_conditions_that_hold(text):
    assert predicate(read_where(text))(RUN), text
    assert not predicate(Not(read_where(text)))(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "params.layers = '2'",
        "params.kind != adam",
        "params.gone != 3",
        "params.gone not in (3, 4)",
        "params.gone not contains x",
        "metrics.bad > 0 or metrics.bad <= 0 or metrics.bad != 0 or metrics.bad is missing",
        "params.kind > 3 or params.kind < 3",
        "params.flag = 1",
        "metadata.labels = a",
        "metadata.labels contains '3'",
        "state != completed",
        "tag = Best",
        "favorite or archived",
    ],
)
def test_conditions_that_do_not_hold(text):
    assert not predicate(read_where(text))(RUN), text


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("state = compleeted", "at character 9 (compleeted)", "active, completed, early_stopped"),
        ("stat = 3", "at character 1 (stat)", "Known fields: archived, attempt"),
        ("state = completed and", "at the end", "expected a field"),
        ("state", "at the end", "expected =, ==, !="),
        ("name = 'abc", "at character 8 (')", "never closed"),
        ("metrics.loss > high", "at character 16 (high)", "is a number"),
        ("metrics.loss = nan", "at character 16 (nan)", "NaN equals nothing"),
        ("params.x = missing", "at character 12 (missing)", "params.x is missing"),
        ("params.x is null", "at character 13 (null)", "'missing'"),
        ("(state = failed", "at the end", "expected )"),
        ("state = failed)", "at character 15 ())", "'and', 'or' or the end"),
        ("params.x ! 3", "at character 10 (!)", "expected !="),
        ("params.kind = and", "at character 15 (and)", "params.kind = 'and'"),
        ("tag > 3", "at character 7 (3)", "can be compared by == !="),
        ("'state' = 3", "at character 1 ('state')", "expected a field"),
        ("params. = 3", "at character 1 (params.)", "a field must be one"),
        ("created > yesterday", "at character 11 (yesterday)", "is a time"),
        ("favorite = 3", "at character 12 (3)", "true or false"),
        ("id = x", "at character 6 (x)", "whole number"),
        ("params.x in ()", "at character 14 ())", "expected a value"),
        ("params.x in (1 2)", "at character 16 (2)", "expected , or )"),
        ("(" * 60 + "favorite", "at character", "nest at most 50 deep"),
    ],
)
def test_errors_point_at_the_place(text, place, message):
    with pytest.raises(InvalidValue) as caught:
        read_where(text)
    assert place in str(caught.value)
    assert message in str(caught.value)


def test_an_empty_text_asks_nothing():
    assert read_where(" \n") is None


@given(conditions())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_conditions_are_read_back_from_their_text(condition):
    assert read_where(str(condition)) == condition


def test_names_are_kept_apart_from_suffixes():
    assert field("values.a.value.value").label == "metrics.a.value"
    assert read_where("metrics.'a.stddev' = 1") == Filter("values.a.stddev.value", "==", 1)
    assert read_where("metrics.a.stddev = 1") == Filter("values.a.value_stddev", "==", 1)
    assert [item.name for item in read_fields('id, params.lr,metadata."a, b", archived')] == [
        "id",
        "assignments.lr",
        "metadata.a, b",
        "deleted",
    ]


def test_times_are_seconds_or_iso_texts():
    noon = datetime(2026, 1, 5, 12, tzinfo=timezone.utc).timestamp()
    assert read_where("created > 2026-01-05T12:00:00Z") == Filter("created", ">", noon)
    assert read_where("created > '2026-01-05 13:00+01:00'") == Filter("created", ">", noon)
    local = datetime(2026, 1, 5).timestamp()
    assert read_where("created > 2026-01-05") == Filter("created", ">", local)
    assert read_where("created > 1000.5") == Filter("created", ">", 1000.5)


def test_wire_filters_are_the_same_tree():
    data = [
        {"field": "experiment", "operator": "==", "value": "3"},
        {"field": "values.accuracy.value", "operator": ">", "value": 0.9},
        {"field": "metadata.Dataset Rows", "operator": "isnull", "value": False},
        {"field": "deleted", "operator": "==", "value": False},
    ]
    condition = read_filters(json.dumps(data))
    text = "experiment = 3 and metrics.accuracy > 0.9 and metadata.'Dataset Rows' is not missing"
    assert condition == read_where(f"{text} and archived = false")
    assert predicate(condition)(RUN)
    data[0]["value"] = 3
    assert write_filters(condition) == data
    assert read_filters([]) == And(())
    assert predicate(And(()))(RUN)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[", "filters: must be a JSON list"),
        ({"field": "id"}, "filters: must be a list"),
        ([{"field": "state"}], "filters[0].operator: is required"),
        ([{"field": "state", "op": "=="}], "has no field 'op'"),
        ([{"field": "state", "operator": "~", "value": "x"}], "can be compared by == != isnull"),
        ([{"field": "state", "operator": "==", "value": "x"}], "filters[0] (state): must be one of"),
        ([{"field": "number", "operator": "==", "value": True}], "is a number"),
        ([{"field": "client", "operator": "==", "value": "1"}], "Known fields"),
        ([{"field": "metadata.x", "operator": "==", "value": [1]}], "a text, a number, true or false"),
        ([{"field": 3, "operator": "=="}], "must be texts"),
        ([{"field": "metadata.x", "operator": "isnull", "value": "yes"}], "true or false"),
    ],
)
def test_bad_wire_filters_name_their_place(data, message):
    with pytest.raises(InvalidValue) as caught:
        read_filters(data)
    assert message in str(caught.value)


def test_the_wire_has_no_form_for_alternatives():
    for text in ("state = failed or favorite", "not favorite", "metrics.a < inf"):
        with pytest.raises(Unsupported):
            write_filters(read_where(text))


def test_order_puts_missing_and_nan_last_in_both_directions():
    values = [0.5, "b", None, 2, math.nan, "a", True, [1], -math.inf, 0.5]
    runs = [
        Run(id=place, assignments={} if value is None else {"x": value}) for place, value in enumerate(values)
    ]
    up = answer(RunQuery(sort="params.x"), reversed(runs))
    down = answer(RunQuery(sort="params.x", ascending=False), runs)
    assert [run.id for run in up.runs] == [8, 0, 9, 3, 5, 1, 6, 7, 2, 4]
    assert [run.id for run in down.runs] == [7, 6, 1, 5, 3, 0, 9, 8, 2, 4]


def test_archived_runs_show_when_they_are_asked_for():
    runs = [Run(id=1), Run(id=2, archived=True)]

    def ids(where, **options):
        return [run.id for run in answer(RunQuery(read_where(where), **options), runs).runs]

    assert (ids(""), ids("", archived=True)) == ([1], [1, 2])
    assert (ids("archived"), ids("not archived"), ids("archived or id > 0")) == ([2], [1], [1, 2])


def test_search_looks_for_a_part_of_the_name_in_any_case():
    runs = [Run(id=1, name="Straße 7"), Run(id=2, name="seed"), Run(id=3)]
    assert [run.id for run in answer(RunQuery(search="STRASSE"), runs).runs] == [1]


def test_pages_tell_what_is_before_and_after():
    runs = [Run(id=number) for number in range(1, 8)]
    first = answer(RunQuery(limit=3, ascending=False), runs)
    assert ([run.id for run in first.runs], first.count, first.before) == ([7, 6, 5], 7, None)
    more = [*runs, Run(id=8), Run(id=9)]
    second = answer(RunQuery(limit=3, ascending=False, after=first.after), more)
    assert [run.id for run in second.runs] == [4, 3, 2]
    last = answer(RunQuery(limit=3, ascending=False, after=second.after), more)
    assert ([run.id for run in last.runs], last.after) == ([1], None)
    back = answer(RunQuery(limit=3, ascending=False, before=second.before), more)
    assert [run.id for run in back.runs] == [7, 6, 5]
    assert back.before is not None
    gone = [run for run in more if run.id != 5]
    assert answer(RunQuery(limit=3, ascending=False, after=first.after), gone).runs == second.runs


@pytest.mark.parametrize("cursor", ["", "x", "8J+YgA", "bnVsbA", "WzEsMl0", "W1widWZmXCIsdHJ1ZSxbWzBdXSwxXQ"])
def test_a_cursor_of_another_query_is_refused(cursor):
    with pytest.raises(InvalidValue, match="cursor"):
        RunQuery(after=cursor)


def test_a_cursor_belongs_to_its_order():
    page = answer(RunQuery(limit=1), [Run(id=1), Run(id=2)])
    for changed in ({"sort": "name"}, {"ascending": False}):
        with pytest.raises(InvalidValue, match="must be a cursor of this query"):
            RunQuery(after=page.after, **changed)
    with pytest.raises(InvalidValue, match="one cursor"):
        RunQuery(after=page.after, before=page.after)


def test_columns_are_the_same_for_every_origin():
    other = Run(id=8, origin="grid", assignments={"lr": 0.2}, failure=Failure("nan", "loss is nan"))
    found = columns([RUN, other])
    assert found["origin"] == ["optuna", "grid"]
    assert found["params.lr"] == [0.1, 0.2]
    assert found["metrics.accuracy"] == [0.93, None]
    assert found["metrics.accuracy.stddev"] == [0.01, None]
    assert f"metrics.{TIME}.stddev" not in found
    assert found["metadata.Dataset Rows"] == [150, None]
    assert (found["failure"], found["seconds"]) == ([None, "nan"], [2.5, None])
    assert all(len(column) == 2 for column in found.values())
    assert list(columns([])) == list(found)[:22]


def test_or_of_nothing_matches_nothing():
    assert not predicate(Or(()))(RUN)
