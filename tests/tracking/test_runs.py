"""A run that is opened, told about, and ended, as docs/tracking.md has it; its pictures."""

import io
import json

import numpy as np
import pytest

import heliostat as hs
from heliostat.errors import Conflict, InvalidValue
from heliostat.testing.programs import only
from heliostat.trial import LateMeasurement, Measurement, State


def test_everything_that_is_said_about_a_run_is_kept(log):
    with hs.create_run(name="seed run", metadata={"rows": 10}, tags=["a", "b"]) as run:
        run.params.max_depth = 3
        run.params.update({"learning_rate": 0.3}, booster="gbtree")
        run.params.setdefaults(max_depth=9, gamma=0)
        run.set_parameters({"eta": 1})
        run.set_parameters_source({"gamma": 0, "eta": 1}, "XGBoost Defaults")
        run.set_parameters_sources_meta("XGBoost Defaults", sort=4, default_show=False)
        run.log_dataset("breast cancer", {"rows": 569})
        run.log_metadata("data source", "sklearn")
        run.log_dev_metadata("seed", 7)
        run.log_sys_metadata("feature_importances", {"type": "gain", "scores": {"x": 1.0}})
        run.log_model("XGBClassifier")
        run.log_metric("training and validation time (s)", 1.5, stddev=0.1)
        run.log_metrics({"auc": (0.9, 0.01)}, loss=0.3)
        run.log_checkpoint({"loss": 0.5, "nothing": None})
        run.log_checkpoint({"loss": 0.3})
        run.log_source_code(content="print()", hash="abc")
        run.set_logs({"stdout": "x" * 5000})
        run.set_note("**good**")
        run.set_favorite()
        run.remove_tags("b")
        del run.params.booster
    found = only(log)
    assert (found.name, found.project, found.origin, found.state) == (
        "seed run",
        "tests",
        "user",
        State.COMPLETED,
    )
    assert found.assignments == {"max_depth": 3, "learning_rate": 0.3, "gamma": 0, "eta": 1}
    assert found.parameter_sources == {"gamma": "XGBoost Defaults", "eta": "XGBoost Defaults"}
    assert found.sources == {"XGBoost Defaults": {"sort": 4, "default_show": False}}
    assert found.datasets == {"breast cancer": {"rows": 569}}
    assert found.metadata == {"rows": 10, "data source": "sklearn"}
    assert found.dev_metadata == {"seed": 7}
    assert found.sys_metadata == {"feature_importances": {"type": "gain", "scores": {"x": 1.0}}}
    assert (found.model, found.source_hash, found.note, found.favorite) == (
        "XGBClassifier",
        "abc",
        "**good**",
        True,
    )
    assert found.values == {
        "training and validation time (s)": Measurement(1.5, 0.1),
        "auc": Measurement(0.9, 0.01),
        "loss": Measurement(0.3),
    }
    assert [(point.step, point.values) for point in found.curve] == [(1, {"loss": 0.5}), (2, {"loss": 0.3})]
    assert log.texts(found.id) == {"source": "print()", "stdout": "x" * 5000}
    assert found.tags == ("a",)
    assert found.started <= found.ended
    assert run.id == found.id


def test_an_exception_fails_the_run_and_goes_on_upwards(log):
    with pytest.raises(ZeroDivisionError), hs.create_run() as run:
        run.log_metric("loss", 1.0)
        raise ZeroDivisionError("at the edge")
    found = only(log)
    assert (found.state, found.failure.kind, found.failure.message) == (
        State.FAILED,
        "user_error",
        "ZeroDivisionError: at the edge",
    )
    assert "test_runs.py" in found.failure.traceback
    assert found.numbers == {"loss": 1.0}


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (SystemExit(0), "completed", "finished"),
        (SystemExit(3), "failed", "exit code 3"),
    ],
)
def test_leaving_by_other_ways(log, error, state, reason):
    with pytest.raises(type(error)), hs.create_run():
        raise error
    assert (str(only(log).state), only(log).end_reason) == (state, reason)


def test_a_logged_failure_outranks_a_completed_end_and_the_rest_is_kept(log):
    with hs.create_run() as run:
        run.log_failure("the loss diverged")
        run.log_metric("loss", 3.0)
    assert (only(log).state, only(log).failure.message) == (State.FAILED, "the loss diverged")
    assert only(log).numbers == {"loss": 3.0}


def test_a_run_ends_once(log):
    run = hs.create_run()
    assert run.end().state is State.COMPLETED
    assert run.end(ValueError()).state is State.COMPLETED
    for late in (
        lambda: run.log_metric("loss", 1.0),
        lambda: run.log_checkpoint({"loss": 1.0}),
        lambda: run.params.update(x=1),
    ):
        with pytest.raises(Conflict, match="has ended"):
            late()
    run.log_metadata("seen by", "Ann")
    assert run.read().metadata == {"seen by": "Ann"}


def test_metrics_may_come_days_later_and_never_mix(log):
    with hs.create_run() as run:
        run.log_metric("clicks", 0.1)
        run.log_metric("clicks", 0.3, role="training")
    run.log_metric("clicks", 0.2, stddev=0.01, role="production", time=1000.0)
    later = hs.get_run(str(run.id))
    later.log_metric("clicks", 0.25, role="production", time=2000.0)
    with pytest.raises(Conflict, match='role="production"'):
        later.log_metric("clicks", 0.25)
    found = later.read()
    assert found.numbers == {"clicks": 0.1}
    assert list(found.late["production"]["clicks"]) == [
        LateMeasurement(0.2, 1000.0, 0.01),
        LateMeasurement(0.25, 2000.0),
    ]
    assert set(found.late) == {"production", "training"}
    with pytest.raises(InvalidValue, match="belongs to values with a role"):
        later.log_metric("clicks", 0.25, time=1.0)


def test_parameters_are_a_mapping_with_attributes(log):
    with hs.create_run() as run:
        params = run.params
        params["x"] = 1
        params |= {"y": 2}
        assert (params.x, params.setdefault("z", 3), params.pop("y"), params.pop("none", 5)) == (1, 3, 2, 5)
        assert dict(**params) == {"x": 1, "z": 3} == json.loads(json.dumps(params))
        assert params.popitem() == ("z", 3)
        with pytest.raises(AttributeError, match=r"no parameter 'w'; this run has x"):
            _ = params.w
    assert run.read().assignments == {"x": 1}
    other = hs.create_run()
    other.params.update(a=1, b=2)
    other.params.clear()
    assert other.end().assignments == {}


def test_pictures_of_every_kind(log, tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    Image.new("RGB", (4, 3), (255, 0, 0)).save(tmp_path / "red.jpeg")
    figure = Figure()
    figure.subplots().plot([1, 2])
    gradient = np.linspace(-10, 300, 12).reshape(3, 4)
    with hs.create_run() as run:
        run.log_image(str(tmp_path / "red.jpeg"))
        run.log_image(Image.new("L", (4, 3)), name="grey")
        run.log_image(figure, name="curve")
        run.log_image(gradient, name="gradient")
        run.log_image(np.zeros((3, 4, 4), dtype=np.uint8), name="transparent")
    files = log.files(run.id)
    assert [(item.name, item.content_type) for item in files] == [
        ("red.jpeg", "image/jpeg"),
        ("grey", "image/png"),
        ("curve", "image/svg+xml"),
        ("gradient", "image/png"),
        ("transparent", "image/png"),
    ]
    back = Image.open(io.BytesIO(log.file(files[3].id)[1]))
    assert np.array_equal(np.asarray(back), gradient.clip(0, 255).astype(np.uint8))
    assert Image.open(io.BytesIO(log.file(files[4].id)[1])).mode == "RGBA"
    for image, rule in (
        ("notes.txt", "a file must end in one of"),
        ("none.png", "cannot be read"),
        (np.zeros((2, 2, 7)), "1, 3 or 4 channels"),
        (3, "must be a path, a PIL image"),
    ):
        with pytest.raises(InvalidValue, match=rule):
            run.log_image(image)
