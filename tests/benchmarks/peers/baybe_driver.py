"""BayBE with its defaults: a start of random points, then its GP; doubles only."""

import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
from baybe import Campaign  # noqa: E402
from baybe.objectives import SingleTargetObjective  # noqa: E402
from baybe.parameters import NumericalContinuousParameter  # noqa: E402
from baybe.searchspace import SearchSpace  # noqa: E402
from baybe.settings import Settings  # noqa: E402
from baybe.targets import NumericalTarget  # noqa: E402
from channel import bounds, serve, sign  # noqa: E402


class BayBE:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {name: version(name) for name in ("baybe", "botorch", "torch")}
        Settings(random_seed=declared.seed).activate()
        parameters = [
            NumericalContinuousParameter(item["name"], bounds(item)) for item in declared.dimensions
        ]
        (metric,) = declared.objectives
        target = NumericalTarget(metric["name"], minimize=sign(metric) > 0)
        self.campaign = Campaign(SearchSpace.from_product(parameters), SingleTargetObjective(target))

    def ask(self, trial):
        row = self.campaign.recommend(batch_size=1).iloc[0].to_dict()
        values = {}
        for item in self.declared.dimensions:
            low, high = bounds(item)
            values[item["name"]] = min(max(float(row[item["name"]]), low), high)
        return values

    def tell(self, message):
        self.campaign.add_measurements(pd.DataFrame([{**message["assignments"], **message["values"]}]))


if __name__ == "__main__":
    serve(BayBE)
