"""Projects, archives, and runs that are uploaded whole."""

import pytest

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.trial import Measurement


def test_projects(log):
    from heliostat.tracking import projects

    assert hs.create_project("vision", name="Computer vision").name == "Computer vision"
    try:
        assert hs.create_run().end().project == "vision"
        hs.set_project("other")
        assert hs.create_run(project="third").end().project == "third"
        assert hs.create_run().end().project == "other"
    finally:
        projects._chosen = None
    assert [(item.id, item.name) for item in log.projects()] == [
        ("vision", "Computer vision"),
        ("third", "third"),
        ("other", "other"),
    ]


def test_archiving(log):
    run = hs.create_run()
    hs.archive_run(run.id)
    assert run.read().archived
    hs.unarchive_run(str(run.id))
    assert not run.read().archived
    run.end()


def test_uploading_runs_is_all_or_nothing(log):
    bodies = [
        {
            "name": f"old {place}",
            "assignments": {"x": place},
            "assignments_meta": {"x": {"source": "Hyperopt"}},
            "values": {"loss": {"value": place, "value_stddev": 0.5}},
            "metadata": {"optimizer": "hyperopt"},
            "datasets": {"d": {}},
            "model": {"type": "svm"},
            "logs": {"stdout": {"content": "hello"}},
            "source_code": {"content": "print()", "hash": "abc"},
            "state": "failed" if place == 2 else "completed",
        }
        for place in range(3)
    ]
    with pytest.raises(InvalidValue, match=r"runs\[3\].*no field 'vlues'"):
        hs.upload_runs([*bodies, {"vlues": {}}])
    with pytest.raises(InvalidValue, match=r"runs\[0\].values.loss"):
        hs.upload_runs([{"values": {"loss": "low"}}])
    assert log.runs() == []
    uploaded = hs.upload_runs(bodies)
    assert [run.id for run in uploaded] == [run.id for run in log.runs()]
    found = uploaded[2].read()
    assert (found.name, found.assignments, str(found.state)) == ("old 2", {"x": 2}, "failed")
    assert found.values == {"loss": Measurement(2.0, 0.5)}
    assert (found.parameter_sources, found.model, found.source_hash) == ({"x": "Hyperopt"}, "svm", "abc")
    assert log.texts(found.id) == {"stdout": "hello", "source": "print()"}
