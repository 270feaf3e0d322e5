"""Search spaces of Ray Tune become an experiment's; configurations come back as the script wrote them."""

import numpy as np
import pytest
from ray import tune

from heliostat.errors import InvalidValue
from heliostat.space import Categorical, Conditional, Double, Int, Space
from heliostat_searchers.tune import HeliostatSearch, converted
from heliostat_searchers.tune.declaration import Declaration

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Optimizer:
    """An object that no JSON holds."""


INNER = tune.choice([{"a": tune.uniform(0, 1)}, 0])
SPACE = {
    "lr": tune.loguniform(1e-5, 1e-1),
    "batch": tune.choice([16, 32, 64]),
    "act": tune.choice(["relu", None, True, (64, 64), Optimizer]),
    "net": {"depth": tune.randint(1, 5), "width": tune.qrandint(8, 1024, 8)},
    "drop": tune.quniform(0, 0.5, 0.05),
    "model": tune.choice(
        [
            {"kind": "svm", "C": tune.loguniform(1e-3, 10)},
            {"kind": "forest", "trees": tune.lograndint(10, 1000), "inner": INNER},
        ]
    ),
    "layers": [tune.randint(1, 4), tune.uniform(0, 1)],
    "data": "digits",
}
PARTS = {"svm": {"kind", "C"}, "forest": {"kind", "trees", "inner"}}


def one(domain):
    (parameter,) = converted({"x": domain}).parameters
    return parameter


@pytest.mark.parametrize(
    ("domain", "parameter"),
    [
        (tune.uniform(0, 2), Double("x", 0, 2)),
        (tune.loguniform(1e-4, 1), Double("x", 1e-4, 1, log=True)),
        (tune.randint(1, 9), Int("x", 1, 8)),
        (tune.lograndint(1, 100), Int("x", 1, 99, log=True)),
        (tune.qrandint(0, 6, 2), Int("x", grid=(0, 2, 4, 6))),
        (tune.quniform(0, 0.3, 0.1), Double("x", grid=(0.0, 0.1, 0.2, 0.3))),
        (tune.quniform(0, 100, 0.5), Double("x", 0, 100)),
        (tune.choice([4, 1, 2]), Int("x", grid=(1, 2, 4))),
        (tune.choice([1, 0.5]), Double("x", grid=(0.5, 1.0))),
        (tune.choice(["a", None, False]), Categorical("x", ("a", "None", "False"))),
        (tune.choice(["a", "a", "b"]), Categorical("x", ("a", "b"))),
    ],
)
def test_each_domain_has_its_counterpart(domain, parameter):
    assert one(domain) == parameter


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        (tune.grid_search([1, 2]), r"space\.x: grid_search .* Use tune.choice"),
        (tune.sample_from(lambda spec: 1), r"space\.x: sample_from .* Compute it in the trainable"),
        (tune.randn(0, 1), r"space\.x: needs finite bounds.* Use tune.uniform"),
        ({"y": tune.grid_search([1, 2])}, r"space\.x\.y: grid_search"),
        (tune.choice([{"y": tune.randn()}, 1]), r"space\.x\[option 1\]\.y: needs finite bounds"),
        (3, "space: holds nothing to search"),
    ],
)
def test_what_has_none_is_refused_with_its_place_and_a_remedy(part, rule):
    with pytest.raises(InvalidValue, match=rule):
        converted({"x": part}, "space")


def test_nested_names_are_joined_and_choices_of_mappings_bring_parameters_to_life():
    found = converted(SPACE)
    names = [item.name for item in (*found.conditionals, *found.parameters)]
    assert "net/depth" in names
    assert "layers/1" in names
    assert found.conditionals[0] == Conditional("model", ("svm", "forest"))
    (c,) = (item for item in found.parameters if item.name == "model/svm/C")
    assert c.conditions == (("model", ("svm",)),)
    (a,) = (item for item in found.parameters if item.name == "model/forest/inner/option 1/a")
    assert a.conditions == (("model/forest/inner", ("option 1",)),)


def test_every_configuration_reads_back_as_the_assignments_that_made_it():
    found = converted(SPACE)
    space = Space(found.parameters, found.conditionals)
    rng, kinds = np.random.default_rng(1), set()
    for _ in range(50):
        assignments = found.snapped(space.decode(rng.random(space.d)))
        config = found.layout.build(space.check(assignments))
        assert found.layout.read(config, "config") == assignments
        assert config["data"] == "digits"
        assert config["net"]["width"] % 8 == 0
        kinds.add(config["model"]["kind"])
        assert set(config["model"]) == PARTS[config["model"]["kind"]]
    assert kinds == set(PARTS)


def test_metrics_and_modes_are_declared_in_the_words_of_ray_tune():
    metrics = Declaration(["acc", "lat", "seen"], ["max", "min", "obs"], guardrails=["size <= 3"]).metrics
    assert [(item.name, item.objective, item.strategy) for item in metrics] == [
        ("acc", "maximize", "optimize"),
        ("lat", "minimize", "optimize"),
        ("seen", "maximize", "store"),
        ("size", "minimize", "constraint"),
    ]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (
            {"metric": ["a", "b"], "mode": "max"},
            r"mode: metric and mode belong together \(.* 2 and 1\)",
        ),
        ({"metric": "a", "mode": "best"}, "mode: must be min, max or obs"),
        ({"metric": "a"}, "mode: metric and mode belong together"),
        ({"evaluated_rewards": [1.0]}, "evaluated_rewards: are more than points_to_evaluate"),
    ],
)
def test_a_contradiction_is_refused_when_the_search_is_made(given, rule):
    with pytest.raises(InvalidValue, match=rule):
        HeliostatSearch(**given)


def test_the_tuners_metric_must_be_one_of_the_searchs():
    search = HeliostatSearch(metric=["a", "b"], mode=["max", "min"])
    assert search.set_search_properties("b", "min", {"x": tune.uniform(0, 1)})
    with pytest.raises(InvalidValue, match=r"tune_config.metric: is no metric of the search, got 'c'"):
        search.set_search_properties("c", "min", {})


def test_rewards_of_several_metrics_are_named(log_url):
    declared = Declaration(
        ["a", "b"], ["max", "min"], space={"x": tune.uniform(0, 1)}, budget=5,
        points_to_evaluate=[{"x": 0.5}, {"x": 0.25}], evaluated_rewards=[{"a": 1.0, "b": 2.0}],
    )  # fmt: skip
    experiment = declared.create("run", "", 10, log_url)
    assert [(run.assignments["x"], run.numbers) for run in experiment.runs()] == [(0.5, {"a": 1.0, "b": 2.0})]
    assert [point.assignments["x"] for point in experiment.queued()] == [0.25]
    with pytest.raises(InvalidValue, match=r"evaluated_rewards\[0\]: must name its metrics"):
        declared.measured(1.0, "evaluated_rewards[0]")


def test_samples_are_the_budget_beside_what_was_evaluated_before(log_url):
    declared = Declaration(
        "a", "max", space={"x": tune.uniform(0, 1)}, points_to_evaluate=[{"x": 0.5}], evaluated_rewards=[1.0]
    )
    assert declared.create("run", "folder", 10, log_url).spec.budget == 11
