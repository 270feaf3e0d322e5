"""HEBO with its defaults; flat spaces only."""

from importlib.metadata import version

import numpy as np
import pandas as pd
from channel import bounds, is_log, serve
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO


class Hebo:
    def __init__(self, declared):
        import torch

        self.declared = declared
        self.versions = {name: version(name) for name in ("HEBO", "numpy", "torch")}
        np.random.seed(declared.seed)
        torch.manual_seed(declared.seed)
        torch.set_num_threads(1)
        space = DesignSpace().parse([parameter(item) for item in declared.dimensions])
        self.optimizer = HEBO(space, scramble_seed=declared.seed)
        self.open = {}

    def ask(self, trial):
        row = self.optimizer.suggest(n_suggestions=1)
        self.open[trial] = row
        values = row.iloc[0].to_dict()
        return {item["name"]: typed(item, values[item["name"]]) for item in self.declared.dimensions}

    def tell(self, message):
        loss = self.declared.losses(message["values"])[0]
        row = self.open.pop(message["trial"])
        self.optimizer.observe(pd.DataFrame(row), np.array([[loss]]))


def parameter(item):
    name = item["name"]
    if item["type"] == "categorical":
        return {"name": name, "type": "cat", "categories": item["categorical_values"]}
    if "grid" in item:
        return {"name": name, "type": "int", "lb": 0, "ub": len(item["grid"]) - 1}
    low, high = bounds(item)
    whole = item["type"] == "int"
    kind = ("pow_int" if whole else "pow") if is_log(item) else ("int" if whole else "num")
    return {"name": name, "type": kind, "lb": low, "ub": high}


def typed(item, value):
    if "grid" in item:  # the place on the grid: its order stays known
        return item["grid"][int(value)]
    if item["type"] == "categorical":
        return value
    low, high = bounds(item)
    return min(max((int if item["type"] == "int" else float)(value), low), high)


if __name__ == "__main__":
    serve(Hebo)
