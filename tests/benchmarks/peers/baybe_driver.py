"""BayBE with its defaults: a start of random points, then its GP; flat spaces, bounds that are linear."""

import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")

from baybe import Campaign  # noqa: E402
from baybe.objectives import SingleTargetObjective  # noqa: E402
from baybe.parameters import (  # noqa: E402
    CategoricalParameter,
    NumericalContinuousParameter,
    NumericalDiscreteParameter,
)
from baybe.searchspace import SearchSpace  # noqa: E402
from baybe.settings import Settings  # noqa: E402
from baybe.targets import NumericalTarget  # noqa: E402
from channel import bounds, serve, sign  # noqa: E402


class BayBE:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {name: version(name) for name in ("baybe", "botorch", "torch")}
        Settings(random_seed=declared.seed).activate()
        parameters = [parameter(item) for item in declared.dimensions]
        (metric,) = declared.objectives
        target = NumericalTarget(metric["name"], minimize=sign(metric) > 0)
        self.campaign = Campaign(SearchSpace.from_product(parameters), SingleTargetObjective(target))

    def ask(self, trial):
        self.row = self.campaign.recommend(batch_size=1)
        values = self.row.iloc[0].to_dict()
        return {item["name"]: typed(item, values[item["name"]]) for item in self.declared.dimensions}

    def tell(self, message):
        self.campaign.add_measurements(self.row.assign(**message["values"]))


def parameter(item):
    name = item["name"]
    if item["type"] == "categorical":
        return CategoricalParameter(name, item["categorical_values"])
    if choices := whole(item):  # the place on the grid: its order stays known
        return NumericalDiscreteParameter(name, range(len(choices)))
    return NumericalContinuousParameter(name, bounds(item))


def whole(item):
    """The values of a grid or an integer in their order; none of a double."""
    if "grid" in item:
        return item["grid"]
    low, high = bounds(item)
    return list(range(low, high + 1)) if item["type"] == "int" else []


def typed(item, value):
    if item["type"] == "categorical":
        return value
    if choices := whole(item):
        return choices[int(value)]
    low, high = bounds(item)
    return min(max(float(value), low), high)


if __name__ == "__main__":
    serve(BayBE)
