"""Optuna's samplers with their defaults; the option ``sampler`` is ``tpe``, ``gp`` or ``nsga2``.

Guardrails, and thresholds of objectives, are its constraints; with nothing else, their excess is the
objective. A failed run is told as failed.
"""

from importlib.metadata import version

import optuna
from channel import bounds, is_log, serve
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Optuna:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {"optuna": version("optuna")}
        count = max(1, len(declared.objectives))
        self.study = optuna.create_study(directions=["minimize"] * count, sampler=self.sampler())
        self.trials = {}

    def sampler(self):
        kind, seed = self.declared.options["sampler"], self.declared.seed
        given = {"seed": seed}
        if self.declared.limits() and self.declared.objectives:
            given["constraints_func"] = lambda trial: trial.user_attrs["excess"]
        if kind == "tpe":
            return optuna.samplers.TPESampler(**given)
        if kind == "gp":
            return optuna.samplers.GPSampler(**given)
        return optuna.samplers.NSGAIISampler(**given)

    def ask(self, trial):
        asked = self.study.ask()
        self.trials[trial] = asked
        values = {}
        for item in self.declared.dimensions:
            if self.declared.is_alive(item, values):
                found = asked._suggest(item["name"], distribution(item))
                values[item["name"]] = item["grid"][found] if "grid" in item else found
        return values

    def tell(self, message):
        state, values = message["state"], message["values"]
        if message["trial"] not in self.trials:
            self.study.add_trial(self.foreign(message))
            return
        asked = self.trials.pop(message["trial"])
        if state != "completed":
            self.study.tell(asked, state=TrialState.FAIL)
            return
        asked.set_user_attr("excess", self.declared.excess(values))
        self.study.tell(asked, self.losses(values))

    def losses(self, values):
        return self.declared.losses(values) or [self.declared.penalty(values)]

    def foreign(self, message):
        given = dict(message["assignments"])
        items = [item for item in self.declared.dimensions if item["name"] in given]
        kinds = {item["name"]: distribution(item) for item in items}
        given |= {item["name"]: item["grid"].index(given[item["name"]]) for item in items if "grid" in item}
        return optuna.trial.create_trial(
            params=given,
            distributions=kinds,
            values=self.losses(message["values"]),
            user_attrs={"excess": self.declared.excess(message["values"])},
        )


def distribution(item):
    if item["type"] == "categorical":
        return CategoricalDistribution(tuple(item["categorical_values"]))
    if "grid" in item:
        return IntDistribution(0, len(item["grid"]) - 1)  # the place on the grid: its order stays known
    low, high = bounds(item)
    kind = IntDistribution if item["type"] == "int" else FloatDistribution
    return kind(low, high, log=is_log(item))


if __name__ == "__main__":
    serve(Optuna)
