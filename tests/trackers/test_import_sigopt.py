"""What people saved from SigOpt becomes runs and experiments."""

import json

import pytest

from heliostat.errors import InvalidValue
from heliostat.imports import import_runs
from heliostat.trial import Measurement, State


def sigopt_experiment(**fields):
    parameter = {"object": "parameter", "categorical_values": None, "conditions": {}, "default_value": None,
                 "prior": None, "transformation": None, "bounds": None}  # fmt: skip
    bounds = {"object": "bounds", "min": 0.01, "max": 1.0}
    kinds = [
        {"object": "categorical_value", "name": name, "enum_index": place + 1}
        for place, name in enumerate("ab")
    ]
    return {
        "object": "experiment", "id": "12", "client": "1", "user": "7", "project": "demo", "name": "Franke",
        "type": "offline", "state": "active", "created": 1000, "updated": 1001, "metadata": {"k": "v"},
        "metrics": [{"object": "metric", "name": None, "objective": "maximize", "strategy": "optimize",
                     "threshold": None}],
        "parameters": [
            {**parameter, "name": "x", "type": "double", "bounds": bounds, "transformation": "log"},
            {**parameter, "name": "kind", "type": "categorical", "categorical_values": kinds},
        ],
        "conditionals": [], "linear_constraints": [], "num_solutions": None, "parallel_bandwidth": None,
        "runs_only": False, "development": False, "observation_budget": 20,
        "tasks": [CHEAP, TRUE],
        "progress": {"object": "progress", "observation_count": 2},
    } | fields  # fmt: skip


def sigopt_run(id, **fields):
    return {
        "object": "training_run", "id": id, "client": "1", "project": "demo", "experiment": None,
        "suggestion": None, "observation": None, "user": "7", "name": f"run {id}",
        "state": "completed", "finished": True, "created": 2000, "updated": 2100, "completed": 2090,
        "deleted": False, "favorite": True,
        "checkpoint_count": 2, "assignments": {"max_depth": 3}, "metadata": {"note": "m"},
        "dev_metadata": {"d": 1},
        "assignments_meta": {"max_depth": {"object": "assignment_meta", "source": "User Specified"}},
        "assignments_sources": {
            "User Specified": {"object": "assignment_source", "sort": 2, "default_show": True}
        },
        "values": {
            "acc": {"object": "metric_evaluation", "name": "acc", "value": 0.9, "value_stddev": 0.01},
            "none": {"object": "metric_evaluation", "name": "none", "value": None, "value_stddev": None},
        },
        "sys_metadata": {"feature_importances": {"type": "weight", "scores": {"a": 2.0}}},
        "datasets": {"iris": {"object": "dataset"}}, "model": {"object": "model", "type": "xgb"},
        "logs": {"stdout": {"object": "log", "content": "hello"}},
        "source_code": {"object": "source_code", "content": "import x", "hash": "abc"},
        "tags": ["5"], "files": [],
    } | fields  # fmt: skip


CHECKPOINTS = [
    {"object": "checkpoint", "id": str(id), "training_run": "1", "created": 2000 + id, "metadata": None,
     "values": [{"name": "acc", "value": id / 100, "value_stddev": None}]}
    for id in (30, 31)
]  # fmt: skip


def suggestion(id, assignments, **fields):
    return {"object": "suggestion", "id": id, "experiment": "12", "assignments": assignments, "created": 1010,
            "deleted": False, "state": "open", "metadata": None} | fields  # fmt: skip


def observation(id, assignments, **fields):
    return {"object": "observation", "id": id, "experiment": "12", "suggestion": None, "failed": False,
            "assignments": assignments, "created": 1020, "metadata": None, "values": []} | fields  # fmt: skip


VALUE = {"object": "metric_evaluation", "name": None, "value": 3.5, "value_stddev": 0.2}
CHEAP, TRUE = ({"object": "task", "name": name, "cost": cost} for name, cost in (("cheap", 0.1), ("true", 1)))
OBSERVED = [
    suggestion("100", {"x": 0.5, "kind": "a"}, state="closed", task=TRUE),
    observation(
        "200", {"x": 0.5, "kind": "a"}, suggestion="100", task=TRUE, values=[VALUE], metadata={"host": "n1"}
    ),
    observation("201", {"x": 0.1, "kind": "b"}, failed=True, task=CHEAP, created=1030),
    suggestion("101", {"x": 0.7, "kind": "b"}, task=TRUE),
    suggestion("102", {"x": 0.7, "kind": "b"}, state="closed", deleted=True),
]


def page(items):
    return {
        "object": "pagination",
        "count": len(items),
        "data": items,
        "paging": {"before": None, "after": None},
    }


def test_sigopt_training_runs(tmp_path, log):
    tag = {"object": "tag", "id": "5", "name": "good", "color": "#123456", "client": "1"}
    path = tmp_path / "export.json"
    path.write_text(
        json.dumps(
            [page([sigopt_run("1"), sigopt_run("2", state="failed", tags=[])]), page(CHECKPOINTS), tag]
        )
    )
    assert import_runs("sigopt", path, log=log).added == 2
    one, two = log.runs(project="demo", curves=True)
    assert (one.name, one.state, one.origin, one.project) == ("run 1", State.COMPLETED, "sigopt", "demo")
    assert (one.assignments, one.values) == ({"max_depth": 3}, {"acc": Measurement(0.9, 0.01)})
    assert one.parameter_sources == {"max_depth": "User Specified"}
    assert [(point.step, dict(point.values)) for point in one.curve] == [
        (1, {"acc": 0.3}),
        (2, {"acc": 0.31}),
    ]
    assert (one.metadata, one.datasets, one.model) == ({"note": "m"}, {"iris": {}}, "xgb")
    assert one.sys_metadata == {"feature_importances": {"type": "weight", "scores": {"a": 2.0}}}
    assert (one.tags, one.favorite, one.source_hash) == (("good",), True, "abc")
    assert (one.created, one.ended, one.user) == (2000, 2090, "7")
    assert log.texts(one.id) == {"stdout": "hello", "source": "import x"}
    assert (two.state, two.failure.kind) == (State.FAILED, "user_error")
    assert import_runs("sigopt", path, log=log).known == 2


@pytest.mark.parametrize("form", ["page", "lines", "folder"])
def test_a_sigopt_core_experiment(tmp_path, log, form):
    items = [sigopt_experiment(), *OBSERVED]
    path = tmp_path / "export"
    if form == "page":
        path.write_text(json.dumps(page(items)))
    elif form == "lines":
        path.write_text("\n".join(json.dumps(item) for item in items))
    else:
        path.mkdir()
        (path / "observations.json").write_text(json.dumps(page(OBSERVED)))
        (path / "experiment.json").write_text(json.dumps(sigopt_experiment()))
    done = import_runs("sigopt", path, log=log)
    assert (done.added, sum(done.skipped.values())) == (2, 2)
    (record_,) = log.experiments()
    assert done.experiments == (record_.id,)
    spec = record_.spec
    assert (spec.name, spec.project, spec.budget, spec.searcher) == ("Franke", "demo", 20, "bayesian")
    assert [item.name for item in spec.space.parameters] == ["x", "kind"]
    assert [task.cost for task in spec.tasks] == [0.1, 1.0]
    assert (record_.created, spec.metadata["k"]) == (1000, "v")
    first, second = log.runs(record_.id)
    assert (first.number, first.task, first.values) == (1, "true", {"value": Measurement(3.5, 0.2)})
    assert (first.created, first.ended, first.metadata) == (1010, 1020, {"host": "n1"})
    assert (second.state, second.task) == (State.FAILED, "cheap")
    assert import_runs("sigopt", path, log=log).known == 2
    assert len(log.experiments()) == 1


def test_a_sigopt_ai_experiment_with_its_runs(tmp_path, log):
    named = [
        {
            "object": "metric",
            "name": "acc",
            "objective": "maximize",
            "strategy": "optimize",
            "threshold": None,
        }
    ]
    experiment = sigopt_experiment(object="aiexperiment", metrics=named, budget=5, state="deleted", tasks=[])
    given = {"x": 0.5, "kind": "a", "mine": 7}
    items = [
        sigopt_run("1", experiment="12", assignments=given, observation="200", suggestion="100"),
        sigopt_run("2", experiment="12", assignments=given, values={}),
        sigopt_run("3", experiment="99"),
        *OBSERVED[:2],
        experiment,
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(items))
    assert import_runs("sigopt", path, log=log).added == 3
    (record_,) = log.experiments()
    assert (record_.spec.budget, record_.archived) == (5, True)
    first, second = log.runs(record_.id)
    assert (first.assignments, first.numbers) == (given, {"acc": 0.9})
    assert (second.state, second.failure.kind) == (State.FAILED, "missing_metric")  # as SigOpt judged, too
    (third,) = [run for run in log.runs() if run.experiment is None]
    assert third.metadata["sigopt_experiment"] == "99"


def test_a_sigopt_experiment_that_ours_cannot_declare(tmp_path, log):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([sigopt_experiment(parameters=[]), *OBSERVED[:2]]))
    done = import_runs("sigopt", path, log=log)
    assert done.added == 1
    assert "cannot be declared here" in next(iter(done.skipped))
    assert log.runs()[0].experiment is None


def test_odd_sigopt_exports(tmp_path, log):
    path = tmp_path / "export.json"
    for text, told in (
        ("{", "is not JSON"),
        ("[1, 2]", "none of SigOpt"),
        ('{"object": "project"}', "none of SigOpt"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidValue, match=told):
            import_runs("sigopt", path, log=log)
    path.write_text(
        json.dumps([sigopt_run("1"), sigopt_run("2", values=[1, 2]), {"object": "riddle", "id": 1}])
    )
    done = import_runs("sigopt", path, log=log)
    assert (done.added, sum(done.skipped.values())) == (1, 2)
