"""Hyperopt's TPE with its defaults, asked and told through its own records of trials."""

from importlib.metadata import version

import numpy as np
from channel import bounds, is_log, serve
from hyperopt import STATUS_FAIL, STATUS_OK, Trials, hp, space_eval, tpe
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_ERROR, Domain


class Hyperopt:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {"hyperopt": version("hyperopt"), "numpy": np.__version__}
        self.rng = np.random.default_rng(declared.seed)
        self.nodes = {}
        self.space = {}
        for item in declared.dimensions:
            if not item["conditions"]:
                self.space[item["name"]] = self.node(item)
        self.domain = Domain(lambda values: 0.0, self.space)
        self.trials = Trials()
        self.open = {}

    def node(self, item):
        """The expression of one parameter; a switch holds the expressions that it brings to life."""
        name = item["name"]
        if name not in self.nodes:
            self.nodes[name] = self.branches(item) if self.children(item) else leaf(item)
        return self.nodes[name]

    def children(self, switch, value=None):
        return [
            item
            for item in self.declared.dimensions
            if switch["name"] in item["conditions"]
            and (value is None or value in item["conditions"][switch["name"]])
        ]

    def branches(self, item):
        return hp.choice(
            item["name"],
            [
                {"=": value, **{child["name"]: self.node(child) for child in self.children(item, value)}}
                for value in item["categorical_values"]
            ],
        )

    def ask(self, trial):
        (number,) = self.trials.new_trial_ids(1)
        self.trials.refresh()
        (document,) = tpe.suggest([number], self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs([document])
        self.trials.refresh()
        self.open[trial] = number
        chosen = {name: found[0] for name, found in document["misc"]["vals"].items() if found}
        values = flat(space_eval(self.space, chosen))
        table = {item["name"]: item for item in self.declared.dimensions}
        return {name: typed(table[name], value) for name, value in values.items()}

    def tell(self, message):
        number = self.open.pop(message["trial"])
        document = next(item for item in self.trials._dynamic_trials if item["tid"] == number)
        if message["state"] == "completed":
            loss = self.declared.losses(message["values"])[0]
            document["result"], document["state"] = {"loss": loss, "status": STATUS_OK}, JOB_STATE_DONE
        else:
            document["result"] = {"status": STATUS_FAIL}
            document["state"] = JOB_STATE_DONE if message["state"] == "failed" else JOB_STATE_ERROR
        self.trials.refresh()


def leaf(item):
    name = item["name"]
    if item["type"] == "categorical":
        return hp.choice(name, item["categorical_values"])
    if "grid" in item:
        return hp.uniformint(name, 0, len(item["grid"]) - 1)  # the place on the grid: its order stays known
    low, high = bounds(item)
    if item["type"] == "int" and is_log(item):
        return hp.qloguniform(name, np.log(low), np.log(high), 1)
    if item["type"] == "int":
        return hp.uniformint(name, low, high)
    return hp.loguniform(name, np.log(low), np.log(high)) if is_log(item) else hp.uniform(name, low, high)


def typed(item, value):
    if "grid" in item:
        return item["grid"][int(value)]
    return int(value) if item["type"] == "int" else value


def flat(values):
    """Nested branches as one mapping: the switch's own value is under ``=``."""
    result = {}
    for name, item in values.items():
        if isinstance(item, dict):
            result[name] = item["="]
            result.update(flat({key: found for key, found in item.items() if key != "="}))
        else:
            result[name] = item
    return result


if __name__ == "__main__":
    serve(Hyperopt)
