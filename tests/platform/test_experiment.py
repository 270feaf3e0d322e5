"""Declared experiments: one schema for Python, dictionaries and files."""

import json
from dataclasses import replace

import pytest

import heliostat as hs
from heliostat.errors import InvalidValue, Unsupported
from heliostat.experiment import ExperimentSpec, load_experiment, read_experiment
from heliostat.metrics import Metrics
from heliostat.outcome import judge
from heliostat.registry import check_supported
from heliostat.space import Double, LinearConstraint, Space
from heliostat.trial import Measurement, State


def declared(**more):
    base = {
        "name": "bowl",
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
    }
    return {**base, **more}


def test_python_values_and_wire_forms_declare_the_same_experiment():
    python = read_experiment(
        {
            "name": "bowl",
            "parameters": [hs.Double("x", 0, 1, default_value=0.5), hs.Categorical("c", ["a", "b"])],
            "metrics": [hs.maximize("auc"), hs.guardrail("latency <= 20"), hs.store("note")],
            "budget": 10,
        }
    )
    wire = read_experiment(
        {
            "name": "bowl",
            "parameters": [
                {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}, "default_value": 0.5},
                {"name": "c", "type": "categorical", "categorical_values": [{"name": "a"}, {"name": "b"}]},
            ],
            "metrics": [
                {"name": "auc"},
                {"name": "latency", "objective": "minimize", "strategy": "constraint", "threshold": 20},
                {"name": "note", "strategy": "store"},
            ],
            "observation_budget": 10,
            "type": "offline",
        }
    )
    assert python == wire
    assert read_experiment(python.to_dict()) == python
    assert read_experiment(json.loads(json.dumps(python.to_dict()))) == python


def test_a26_a_file_executes_nothing(tmp_path):
    """A26 of the attack cases."""
    canary, path = tmp_path / "canary", tmp_path / "bad.yaml"
    path.write_text(f"name: !!python/object/apply:os.system ['touch {canary}']\nmetrics: [loss]\n")
    with pytest.raises(InvalidValue, match="must be YAML or JSON"):
        load_experiment(path)
    assert not canary.exists()


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_files_declare_it_too(tmp_path, form):
    text = {"yaml": "name: bowl\nmetrics: [loss]\nparameters: [{name: x, type: int, bounds: [1, 3]}]\n"}
    text["json"] = json.dumps(
        {"name": "bowl", "metrics": ["loss"], "parameters": [{"name": "x", "type": "int", "bounds": [1, 3]}]}
    )
    path = tmp_path / f"experiment.{form}"
    path.write_text(text[form])
    spec = load_experiment(path)
    assert (spec.space.parameters[0].bounds, spec.metrics.objectives[0].name) == ((1, 3), "loss")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name: a name must have 1 to 100 characters"),
        ({"metrics": []}, "metrics: at least one metric must be optimized or constrained"),
        ({"metrics": ["a", "a"]}, "names must be unique, got 'a'"),
        ({"metrics": [{"name": "a", "strategy": "constraint"}]}, "a constraint metric needs a threshold"),
        (
            {"metrics": ["a", {"name": "b", "strategy": "store", "threshold": 1}]},
            "a stored metric has no threshold",
        ),
        ({"metrics": [{"name": "a", "threshold": 1}]}, "needs at least two optimized metrics"),
        (
            {"metrics": [{"name": "a", "objective": "max"}]},
            "a.objective: must be one of maximize, minimize, got 'max'",
        ),
        ({"metrics": ["a", "b"]}, "budget: is required with several optimized metrics"),
        ({"budget": 0}, "budget: must be an integer of at least 1, got 0"),
        ({"budget": 2.5}, "budget: must be an integer, got 2.5"),
        ({"budgets": 3}, "experiment: has no field 'budgets'"),
        ({"num_solutions": 3, "budget": 2}, "budget: must be at least num_solutions, got 2"),
        ({"tasks": [{"name": "a", "cost": 1}], "budget": 9}, "tasks: need at least two with distinct costs"),
        ({"tasks": [{"name": "a", "cost": 2}], "budget": 9}, r"tasks.a.cost: must lie in \(0, 1\], got 2"),
        ({"type": "online"}, "type: must be one of offline, random, grid"),
        ({"seed": -1}, "seed: must be an integer of at least 0"),
        ({"metadata": {"a": [1]}}, "metadata.a: must be a text or a number"),
    ],
)
def test_refusals_name_the_field_and_the_rule(change, message):
    with pytest.raises(InvalidValue, match=message):
        read_experiment(declared(**change))


@pytest.mark.parametrize("words", ["latency", "latency <= fast", "latency < 3"])
def test_a_guardrail_needs_one_limit(words):
    with pytest.raises(InvalidValue):
        hs.guardrail(words)
    with pytest.raises(InvalidValue, match="exactly one"):
        hs.guardrail("latency", at_most=1, at_least=0)


def test_what_the_searcher_cannot_do_is_refused_when_the_experiment_is_created(log_url):
    tasks = [{"name": "quick", "cost": 0.1}, {"name": "full", "cost": 1}]
    with pytest.raises(Unsupported, match=r"'sobol' does not support tasks \(cheaper proxies"):
        hs.Experiment.create(declared(tasks=tasks, budget=5, searcher="sobol"), log_url)
    assert hs.open_log(log_url).experiments() == []


METRICS = read_experiment(
    declared(metrics=["auc", hs.guardrail("size", at_most=1), hs.store("note")], budget=1)
).metrics


@pytest.mark.parametrize(
    ("reported", "kind"),
    [
        ({"auc": 0.5, "size": 2}, None),
        ({"auc": (0.5, 0.1), "size": 2, "note": float("nan"), "more": "text"}, None),
        ({"auc": 0.5}, "missing_metric"),
        ({"auc": float("nan"), "size": 0}, "nan"),
        ({"auc": float("inf"), "size": 0}, "nan"),
        ({"auc": "0.5", "size": 0}, "bad_value"),
        ({"auc": None, "size": 0}, "bad_value"),
        ({"auc": True, "size": 0}, "bad_value"),
        ({"auc": [0.5, 0.6], "size": 0}, "bad_value"),
        ({"auc": (0.5, -1), "size": 0}, "bad_value"),
    ],
)
def test_the_end_of_a_run_is_judged_by_what_it_reported(reported, kind):
    outcome = judge(METRICS, reported)
    assert outcome.state is (State.FAILED if kind else State.COMPLETED)
    assert (outcome.failure and outcome.failure.kind) == kind
    assert all(isinstance(value, Measurement) for value in outcome.values.values())


def test_a_prior_and_sources_are_read_as_people_write_them():
    prior = {"name": "normal", "mean": 0.9, "scale": 0.05}
    assert hs.Double("x", 0, 1, prior=prior).prior == hs.Normal(0.9, 0.05)
    with pytest.raises(InvalidValue, match=r"x\.prior: must be a mapping"):
        hs.Double("x", 0, 1, prior="normal")
    wire = {"name": "w", "parameters": [hs.Double("x", 0, 1)], "metrics": [hs.minimize("loss")]}
    assert read_experiment({**wire, "transfer": "origin = optuna"}).transfer == ("origin = optuna",)
    assert read_experiment({**wire, "transfer": 3}).transfer == (3,)
    assert read_experiment({**wire, "transfer": [3.0, "4"]}).transfer == (3, 4)
    for wrong in ([hs.minimize("loss")], True, [True], ["²", 0]):
        with pytest.raises(InvalidValue, match="transfer: must be an experiment's id or a condition"):
            read_experiment({**wire, "transfer": wrong})


def test_a_limit_is_said_once():
    with pytest.raises(InvalidValue, match="a limit in the sentence and another beside it"):
        hs.guardrail("lat <= 3", at_most=4)
    with pytest.raises(InvalidValue, match="a sentence with <= or >="):
        hs.guardrail("lat < 3")


def test_defaults_that_cannot_be_run_are_refused_when_they_are_declared():
    space = Space(
        (Double("x", 0, 1, default_value=0.9), Double("y", 0, 1, default_value=0.9)),
        linear_constraints=(LinearConstraint("less_than", 1.0, (("x", 1), ("y", 1))),),
    )
    with pytest.raises(InvalidValue, match="default_value"):
        check_supported(ExperimentSpec("d", space, Metrics((hs.minimize("loss"),))))
    old = ExperimentSpec("old", space, Metrics((hs.minimize("loss"),)), budget=9)
    check_supported(replace(old, budget=12), before=old)  # what was declared before the rule goes on


def test_a_hint_names_no_metric_that_was_declared():
    metrics = Metrics((hs.minimize("val_loss"), hs.guardrail("loss", at_most=1)))
    assert judge(metrics, {"loss": 0.5}).failure.message == "metric 'val_loss' was never reported"
    assert judge(metrics, {"loss": 0.5, "vall_loss": 1.0}).failure.message.endswith("; 'vall_loss' was")
