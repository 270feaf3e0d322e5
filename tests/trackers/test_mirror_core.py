"""What the mirror means to write: functions of a run alone, checked by MLflow's own rules."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric, _validate_param, _validate_tag

from heliostat.trial import Checkpoint, LateMeasurement, Measurement, Run, State
from heliostat_trackers.mlflow import views, wording
from heliostat_trackers.mlflow.difference import Seen, difference, later, must_replace
from heliostat_trackers.mlflow.picture import Picture, picture

NAMES = st.text(max_size=12) | st.text("a_(/.: ", max_size=5)
NUMBERS = st.floats(width=32)
VALUES = NUMBERS | st.integers() | st.text(max_size=20) | st.booleans() | st.none()
MEASURED = st.builds(Measurement, NUMBERS, st.none() | NUMBERS)
POINTS = st.builds(
    Checkpoint, st.integers(-5, 50), st.dictionaries(NAMES, NUMBERS, max_size=3), st.floats(0, 1e9)
)
RUNS = st.builds(
    Run,
    id=st.integers(1, 9),
    assignments=st.dictionaries(NAMES, VALUES, max_size=5),
    values=st.dictionaries(NAMES, MEASURED, max_size=4),
    curve=st.lists(POINTS, max_size=6, unique_by=lambda point: point.step),
    metadata=st.dictionaries(NAMES, VALUES, max_size=4),
    state=st.sampled_from(State),
    tags=st.lists(NAMES, max_size=3, unique=True).map(tuple),
    note=st.text(max_size=5),
    late=st.dictionaries(
        NAMES,
        st.dictionaries(NAMES, st.lists(st.builds(LateMeasurement, NUMBERS, st.floats(0, 1e9)), max_size=2)),
    ),
    created=st.floats(0, 1e9),
    ended=st.none() | st.floats(0, 1e9),
)


def wanted(run, known=None):
    return picture(run, identity="log", known=known or {})


def written(change, seen):
    """What MLflow holds after a change."""
    seen.params |= change.params
    seen.tags |= change.tags
    for tag in change.dropped:
        del seen.tags[tag]
    seen.points |= set(change.points)
    seen.latest = later(change.points, seen.latest)
    seen.datasets |= {(use.name, use.digest) for use in change.datasets}
    seen.status, seen.end = change.ending or (seen.status, seen.end)


@given(RUNS)
def test_mlflow_takes_whatever_a_run_holds(run):
    found = wanted(run)
    for point in (*found.points, *found.finals):
        _validate_metric(*point)
        assert math.isfinite(point.value)
    for key, value in found.params.items():
        _validate_param(key, value)
    for key, value in found.tags.items():
        _validate_tag(key, value)
        (key + value).encode()
    assert len(found.params) == len(run.assignments)


@given(RUNS)
def test_once_written_nothing_is_left_to_write(run):
    """Also not after the names that were changed are read back."""
    found, seen = wanted(run), Seen("1")
    written(difference(found, seen, {}), seen)
    again = wanted(run, seen.names)
    rest = difference(again, seen, {})
    assert again == found
    assert not must_replace(again, seen)
    assert (rest.params, rest.points, rest.tags, rest.dropped, rest.ending) == ({}, (), {}, (), None)


@given(RUNS)
def test_a_run_found_by_search_gets_no_point_twice(run):
    """After a restart the latest points are known, and no others: what is sent again is the same."""
    found, seen = wanted(run), Seen("1")
    first = difference(found, seen, {})
    written(first, seen)
    seen.points = set()
    again = difference(wanted(run, seen.names), seen, {})
    assert set(again.points) <= set(first.points)


@given(RUNS)
def test_reported_values_are_what_the_table_shows(run):
    found, seen = wanted(run), Seen("1")
    written(difference(found, seen, {}), seen)
    names = json.loads(found.tags.get("heliostat.names", "{}")).get("metrics", {})
    for name, item in run.values.items():
        if math.isfinite(item.value):
            assert seen.latest[names.get(name, name)].value == item.value


def test_what_is_derived_takes_no_name_of_a_metric():
    """Late values and standard errors never mix with a metric that happens to have their name."""
    values = {
        "production/clicks": Measurement(1.0),
        "loss": Measurement(2.0, 0.5),
        "loss.stddev": Measurement(3.0),
    }
    late = {"production": {"clicks": [LateMeasurement(9.0, 5.0)]}}
    seen = Seen("1")
    written(difference(wanted(Run(id=1, values=values, late=late)), seen, {}), seen)
    assert {key: point.value for key, point in seen.latest.items()} == {
        "production/clicks": 1.0, "production/clicks - late": 9.0, "loss": 2.0, "loss.stddev": 3.0,
    }  # fmt: skip


@given(st.sets(NAMES, max_size=8), st.sets(NAMES, max_size=8))
def test_names_stay_apart_and_keep_their_places(first, more):
    keys = wording.keys(first, {})
    changed = {name: key for name, key in keys.items() if name != key}
    all_keys = wording.keys(first | more, changed)
    assert len(set(all_keys.values())) == len(all_keys)
    assert {name: all_keys[name] for name in changed} == changed


def test_plain_names_stay_as_they_are():
    for name in ("accuracy", "training time", "val/loss", "a-b_c.d", "größe", "x:y"):
        assert wording.plain_name(name) == name
    assert wording.plain_name("training and validation time (s)") == "training and validation time _s_"


def test_finals_come_after_the_curve():
    """MLflow shows the point of the highest step, then of the latest time."""
    curve = [Checkpoint(step, {"loss": float(step)}, 100.0 + step) for step in (1, 2, 3)]
    run = Run(id=1, curve=curve, values={"loss": Measurement(1.5)}, state=State.COMPLETED, ended=50.0)
    seen = Seen("1")
    change = difference(wanted(run), seen, {})
    written(change, seen)
    assert seen.latest["loss"].value == 1.5
    assert seen.latest["loss"].step == 3
    same = Run(id=1, curve=curve, values={"loss": Measurement(3.0)}, state=State.COMPLETED, ended=50.0)
    assert len(difference(wanted(same), Seen("1"), {}).points) == 3


@pytest.mark.parametrize(
    ("params", "is_replaced"),
    [({"x": "1"}, False), ({"x": "2"}, True), ({"x": "1", "y": "1"}, True), ({}, False)],
)
def test_params_that_cannot_be_changed_need_a_new_run(params, is_replaced):
    assert must_replace(wanted(Run(id=1, assignments={"x": 1})), Seen("1", params=params)) is is_replaced


def test_a_param_that_a_server_cut_is_the_same():
    found = wanted(Run(id=1, assignments={"x": "y" * 400}))
    assert not must_replace(found, Seen("1", params={"x": "y" * 250}))


def test_a_view_is_read_back_and_never_too_long():
    columns = views.Columns(("b", "a"), ("lr",), True)
    tag = views.view_tag(columns, 5)
    assert views.columns_of(tag) == views.Columns(("b", "a"), ("lr",))
    assert json.loads(json.loads(tag)["state"])["orderByKey"] == "metrics.`b`"
    many = tuple(f"{'long' * 60}{number}" for number in range(100))
    assert len(views.view_tag(views.Columns(many, many, False), 5)) <= wording.LONGEST_EXPERIMENT_TAG
    assert views.columns_of("rubbish") == views.Columns()


def test_a_picture_is_a_value():
    assert isinstance(wanted(Run(id=1)), Picture)
    assert wanted(Run(id=1)) == wanted(Run(id=1))
