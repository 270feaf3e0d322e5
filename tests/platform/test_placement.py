"""What a trial asks for is held against the cluster before anything waits."""

import pytest
from ray import tune

from heliostat.errors import InvalidValue
from heliostat.placement import read_request, refuse_unmeetable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*", "ignore::FutureWarning:ray.*")

NODES = [{"CPU": 8, "GPU": 2, "memory": 64e9}, {"CPU": 4, "GPU": 2}, {"CPU": 16}]


def group(*bundles, strategy="PACK"):
    return tune.PlacementGroupFactory(list(bundles), strategy=strategy)


@pytest.mark.parametrize(
    "asked",
    [
        {"cpu": 2, "gpu": 0.25},
        {"cpu": 8, "gpu": 2},
        {"CPU": 16},
        {"cpu": 0, "gpu": 1},
        {"cpu": 1, "memory": 60e9},
        group({"CPU": 1}, {"CPU": 4, "GPU": 2}, {"CPU": 4, "GPU": 2}),
        group({}, {"GPU": 1}, {"GPU": 1}, strategy="STRICT_PACK"),
        group({"CPU": 16}, {"CPU": 1, "GPU": 1}, {"CPU": 1, "GPU": 1}, strategy="STRICT_SPREAD"),
    ],
)
def test_what_fits_is_let_pass(asked):
    refuse_unmeetable(read_request(asked), NODES)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gpu": 3}, r"resources.gpu: no node .* \(the biggest has 2\), got 3"),
        ({"cpu": 12, "gpu": 1}, r"no node .* all of it at once \(the nearest has 8 cpu, 2 gpu\)"),
        ({"tpu": 1}, r"resources.tpu: no node .* \(the biggest has 0\)"),
        (group(*[{"GPU": 1}] * 5), r"resources.gpu: the cluster's 3 nodes have 4 gpu together, got 5"),
        (
            group({"GPU": 2}, {"GPU": 1}, strategy="STRICT_PACK"),
            r"2\) on one node \(STRICT_PACK\), got 3",
        ),
        (group(*[{"GPU": 1}] * 3, strategy="STRICT_SPREAD"), r"only 2 of the cluster's 3 nodes .* got '3"),
        ({"gpu": 1.5}, r"resources.gpu: must be whole above 1, got 1.5"),
        ({"cpu": -1}, "must not be negative"),
        ({"cpu": "two"}, "resources.cpu"),
        (group({"CPU": 1, "GPU": 2.5}), r"resources.bundles\[0\].gpu: must be whole above 1"),
    ],
)
def test_what_can_never_fit_is_refused_with_what_there_is(asked, message):
    with pytest.raises(InvalidValue, match=message):
        refuse_unmeetable(read_request(asked), NODES)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gpu": 3}, r"\(the biggest, 10.0.0.2, has 2\)"),
        ({"cpu": 12, "gpu": 1}, r"\(the nearest, 10.0.0.2, has 8 cpu, 2 gpu\)"),
        ({"tpu": 1}, r"\(the biggest has 0\)"),
    ],
)
def test_the_biggest_node_is_named_where_ray_tells_its_address(asked, message):
    head = {"CPU": 16, "node:__internal_head__": 1.0, "node:10.0.0.1": 1.0}
    worker = {"CPU": 8, "GPU": 2, "node:10.0.0.2": 1.0}
    with pytest.raises(InvalidValue, match=message):
        refuse_unmeetable(read_request(asked), [head, worker])
