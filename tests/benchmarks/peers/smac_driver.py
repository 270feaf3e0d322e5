"""SMAC3's hyperparameter facade (random forest) with its defaults; a failed run is told as crashed."""

import logging
import tempfile
from importlib.metadata import version

logging.disable(logging.CRITICAL)

from channel import bounds, is_log, serve  # noqa: E402
from ConfigSpace import (  # noqa: E402
    Categorical,
    ConfigurationSpace,
    Float,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)
from ConfigSpace.conditions import AndConjunction  # noqa: E402
from smac import HyperparameterOptimizationFacade, Scenario  # noqa: E402
from smac.runhistory import StatusType, TrialValue  # noqa: E402


class Smac:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {name: version(name) for name in ("smac", "ConfigSpace")}
        space = ConfigurationSpace(seed=declared.seed)
        made = {item["name"]: hyperparameter(item) for item in declared.dimensions}
        space.add(list(made.values()))
        for item in declared.dimensions:
            parts = [
                InCondition(made[item["name"]], made[name], wanted)
                for name, wanted in item["conditions"].items()
            ]
            if parts:
                space.add(AndConjunction(*parts) if len(parts) > 1 else parts[0])
        scenario = Scenario(
            space,
            n_trials=declared.budget,
            seed=declared.seed,
            deterministic=True,
            output_directory=tempfile.mkdtemp(prefix="smac-"),
        )
        self.smac = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False
        )
        self.open = {}

    def ask(self, trial):
        info = self.smac.ask()
        self.open[trial] = info
        return {name: plain(value) for name, value in dict(info.config).items()}

    def tell(self, message):
        info = self.open.pop(message["trial"])
        if message["state"] == "completed":
            loss = self.declared.losses(message["values"])[0]
            self.smac.tell(info, TrialValue(cost=loss), save=False)
        else:
            self.smac.tell(info, TrialValue(cost=float("inf"), status=StatusType.CRASHED), save=False)


def hyperparameter(item):
    name = item["name"]
    if item["type"] == "categorical":
        return Categorical(name, item["categorical_values"])
    if "grid" in item:
        return OrdinalHyperparameter(name, item["grid"])
    kind = Integer if item["type"] == "int" else Float
    return kind(name, bounds(item), log=is_log(item))


def plain(value):
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    serve(Smac)
