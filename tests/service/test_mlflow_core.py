"""The pure parts of MLflow's wire: identities, filter strings, typed parameters, paths, points."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidValue, NotFound
from heliostat.service.mlflow import artifacts, facts, fields, identities, points
from heliostat.service.mlflow.comparisons import Comparison, is_like, matches
from heliostat.service.mlflow.filters import read_filter, read_order
from heliostat.service.mlflow.points import Point
from heliostat.service.mlflow.searching import RUN_NAMES
from heliostat.trial import Checkpoint, Run

LOG = "0123456789abcdef0123456789abcdef"
RUNS = st.integers(1, 2**63 - 1)
PROJECTS = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=100)


@given(run=RUNS)
def test_a_run_id_leads_back_to_its_run_in_its_own_log_only(run):
    uuid = identities.run_uuid(LOG, run)
    assert len(uuid) == 32
    assert set(uuid) <= set("0123456789abcdef")
    assert identities.run_of(LOG, uuid) == run
    with pytest.raises(NotFound):
        identities.run_of("another log", uuid)


def test_run_ids_never_change():
    assert identities.run_uuid(LOG, 1) == "d8fc76c626a55014d89e59aa14580cc4"


@given(text=st.text(max_size=40))
def test_what_is_no_run_id_is_not_found(text):
    with pytest.raises(NotFound):
        identities.run_of(LOG, text)
    with pytest.raises(NotFound):
        identities.model_run(LOG, text)


@given(run=RUNS, mark=st.binary(min_size=8, max_size=8))
def test_a_model_id_leads_back_to_its_run(run, mark):
    assert identities.model_run(LOG, identities.model_id(LOG, run, mark)) == run


@given(
    projects=st.sets(PROJECTS | st.sampled_from(["0", "default", "x-" + "0" * 40, ".", ".."]), max_size=20)
)
def test_experiment_ids_are_as_mlflow_wants_them_and_unique(projects):
    ids = {identities.experiment_of(project): project for project in projects}
    assert len(ids) == len(projects)
    for id, project in ids.items():
        assert id[0].isalnum()
        assert len(id) <= 64
        assert set(id) <= set(string.ascii_letters + string.digits + "-_")
        assert identities.project_of(id, projects) == project


@given(name=st.text(min_size=1, max_size=500), taken=st.sets(PROJECTS, max_size=5))
def test_every_experiment_name_finds_a_project_of_its_own(name, taken):
    project = identities.new_project(name, taken)
    assert project not in taken | {"default"}
    assert 1 <= len(project) <= 100
    assert set(project) <= set(string.ascii_letters + string.digits + "-_.")
    assert identities.new_project(name, taken) == project


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-3", -3), ("1e-3", 0.001), ("0.10", 0.1), (".5", 0.5), ("True", True), ("false", False)],
)
def test_parameters_get_the_type_they_most_likely_had(text, value):
    found = facts.typed(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["None", "nan", "inf", "007", "1_000", "1e999", "", " 1", "0x10", ".", "1.2.3", "١"]
)
def test_what_is_no_plain_number_stays_a_text(text):
    assert facts.typed(text) == text


@given(params=st.dictionaries(st.text(min_size=1), st.text() | st.floats().map(str) | st.integers().map(str)))
def test_parameters_come_back_as_they_were_written(params):
    values, written = facts.param_changes(params)
    assert facts.params_of(Run(assignments=values, sys_metadata=written)) == params


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("metrics.loss < 0.5", Comparison("metric", "loss", "<", 0.5)),
        ("metric.`my loss` >= -1e3", Comparison("metric", "my loss", ">=", -1000.0)),
        ("params.kind = 'it''s'", Comparison("param", "kind", "=", "it's")),
        ('parameter."a.b" != "x"', Comparison("param", "a.b", "!=", "x")),
        ("tags.mlflow.parentRunId LIKE 'a%'", Comparison("tag", "mlflow.parentRunId", "LIKE", "a%")),
        ("`tags`.team ilike 'X'", Comparison("tag", "team", "ILIKE", "X")),
        ("tags.team IS NOT NULL", Comparison("tag", "team", "IS NOT NULL")),
        ("params.x is null", Comparison("param", "x", "IS NULL")),
        ("run_id NOT IN ('a', \"b\")", Comparison("attribute", "run_id", "NOT IN", ("a", "b"))),
        ("attributes.status = 'FINISHED'", Comparison("attribute", "status", "=", "FINISHED")),
        ("attr.`Run name` = 'r'", Comparison("attribute", "run_name", "=", "r")),
        ("Created > 5", Comparison("attribute", "start_time", ">", 5)),
        ("dataset.name = 'iris'", Comparison("dataset", "name", "=", "iris")),
    ],
)
def test_filter_strings_are_read(text, comparison):
    assert read_filter(text, RUN_NAMES) == [comparison]
    assert read_filter(f"{text} AND {text}", RUN_NAMES) == [comparison] * 2


@pytest.mark.parametrize(
    "text",
    [
        "metrics.loss", "metrics.loss < 'x'", "metrics.loss LIKE 'x'", "params.x > 'a'", "params.x = 1",
        "x = 1", "foo.x = '1'", "params.x = 'a' or params.y = 'b'", "params.x = 'a' params.y = 'b'",
        "params.x = 'a", "params.x IN ()", "params.x IN ('a'", "tags.x IS", "start_time = 'x'", "AND",
        "params.x NOT LIKE 'a'", "metrics.m < nan", "status = FINISHED", "'x' = 'x'", "metrics.m = 1e", "a;b",
    ],
)  # fmt: skip
def test_wrong_filter_strings_name_the_place(text):
    with pytest.raises(InvalidValue, match=r"filter: at "):
        read_filter(text, RUN_NAMES)


@given(text=st.text(max_size=60) | st.text("metricsparams.'\"`=<>!() andINLIKE1", max_size=60))
def test_any_text_is_a_filter_or_refused(text):
    try:
        read_filter(text, RUN_NAMES)
        read_order(text, RUN_NAMES)
    except InvalidValue:
        pass


def test_orders_are_read():
    assert read_order("metrics.`a b` DESC", RUN_NAMES).ascending is False
    assert read_order("start_time", RUN_NAMES).ascending is True
    with pytest.raises(InvalidValue):
        read_order("metrics.a DOWN", RUN_NAMES)


@given(text=st.text("ab%_", max_size=8), pattern=st.text("ab%_", max_size=8))
def test_like_is_what_sql_says(text, pattern):
    def like(text, pattern):
        if not pattern:
            return not text
        if pattern[0] == "%":
            return any(like(text[place:], pattern[1:]) for place in range(len(text) + 1))
        return bool(text) and pattern[0] in ("_", text[0]) and like(text[1:], pattern[1:])

    assert is_like(text, pattern) is like(text, pattern)


def test_like_takes_no_time_for_hostile_patterns():
    assert not is_like("a" * 8000, "%a" * 3000 + "b")


def test_what_is_missing_or_not_a_number_matches_nothing():
    for sign in ("=", "!=", "<", ">="):
        assert not matches(Comparison("metric", "m", sign, 1), None)
        assert not matches(Comparison("metric", "m", sign, 1), math.nan)
    assert matches(Comparison("tag", "t", "IS NULL"), None)


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../b", "/etc/passwd", "a//b", ".", "..", "a/.", "C:/x", "c:x", "\\\\host\\x", "a\\b",
        "a\0b", "a\nb", "%2e%2e/x", "..%2fx", "%252e%252e%252fx", "%2fetc", "a%00", "#/../../x", "", "a/",
        "x" * 1001,
        "a\ud800",
    ],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(path):
    with pytest.raises(InvalidValue):
        artifacts.safe_path(path)


@pytest.mark.parametrize("path", ["a", "a/b.png", "50%.png", "Größe/ü 1.txt", "a..b", "...", "x=1,y=[2]"])
def test_plain_paths_are_kept(path):
    assert artifacts.safe_path(path) == path


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1.5", 2, -0.0, "1e-3"])
def test_numbers_come_as_protocol_buffers_write_them(value):
    assert isinstance(fields.number({"value": value}, "value"), float)


@pytest.mark.parametrize("value", [None, True, "x", "nan", "inf", "1_0", [1], {}, "", "0x1", 10**400])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InvalidValue):
        fields.number({"value": value}, "value")


@pytest.mark.parametrize("value", [True, "x", 1.5, 2**63, "9" * 20, [1], ""])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(InvalidValue):
        fields.integer({"step": value}, "step")


def test_late_points_do_not_become_the_latest_value():
    latest = points.Latest()
    assert latest.newest(1, [Point(5, 10, "m", 5.0), Point(4, 11, "m", 4.0)])["m"].value == 5.0
    assert latest.newest(1, [Point(3, 99, "m", 3.0)]) == {}
    assert latest.newest(2, [Point(3, 99, "m", 3.0)])["m"].value == 3.0


def test_a_metric_without_steps_keeps_its_order_and_every_point_once():
    found = [Point(0, time, "m", float(time)) for time in (3, 1, 2)]
    text = "".join(
        write.text for write in points.point_writes(1, found, {}, 0.0) if type(write).__name__ == "LogText"
    )
    run = Run(id=1, curve=(Checkpoint(-1, {"n": 1.0}, 9.0), Checkpoint(0, {"m": 2.0, "n": 5.0}, 9.0)))
    assert {key: item.value for key, item in points.latest_values(run, text).items()} == {"m": 3.0, "n": 5.0}
    assert [point.value for point in points.history(run, "m", text + text)] == [1.0, 2.0, 3.0]
    curve = next(iter(points.final_writes(run, text, 0.0)))
    assert [(point.step, point.values["m"]) for point in curve.checkpoints] == [(0, 1.0), (1, 2.0), (2, 3.0)]
