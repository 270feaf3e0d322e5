"""SigOpt's own engine in process: ``sigoptlite`` over ``libsigopt``, with its schedule of start and GP.

It knows no pending runs. Its multisolution mode asserts on a missing argument once its model starts; the
argument is handed in here, which is what its other call sites do.
"""

import logging
from importlib.metadata import version

import numpy
from channel import serve

logging.disable(logging.CRITICAL)

from sigoptlite.driver import LocalDriver  # noqa: E402
from sigoptlite.sources import BaseOptimizationSource, GPSource  # noqa: E402

FIELDS = ("parameters", "conditionals", "linear_constraints", "metrics", "num_solutions", "tasks")


class SigOpt:
    def __init__(self, declared):
        names = ("libsigopt", "sigoptlite", "numpy", "scipy")
        self.versions = {name: version(name) for name in names}
        numpy.random.seed(declared.seed)
        self.declared = declared
        self.driver = LocalDriver()
        body = {name: declared.spec[name] for name in FIELDS if declared.spec.get(name)}
        body["parameters"] = [self.parameter(item) for item in body["parameters"]]
        if "conditionals" in body:
            body["conditionals"] = [
                {name: item[name] for name in ("name", "values")} for item in body["conditionals"]
            ]
        body["metrics"] = [
            {name: item for name, item in metric.items() if item is not None} for metric in body["metrics"]
        ]
        budget = declared.budget if declared.spec.get("tasks") else declared.message["budget"]
        body |= {"name": "benchmark", "observation_budget": budget}
        self.driver.request("POST", ["experiments"], body, {})
        self.suggested = {}

    def parameter(self, item):
        """Without absent fields; conditions of switches, which may have none, move to what they bring up."""
        kept = {name: value for name, value in item.items() if value not in (None, {}, [])}
        if kept.get("transformation") == "log" and kept["type"] == "int":
            kept.pop("transformation")  # it has no logarithm for integers
        if "conditions" in kept:
            kept["conditions"] = self.inherited(kept["conditions"])
        return kept

    def inherited(self, conditions):
        switches = {item["name"]: item["conditions"] for item in self.declared.dimensions}
        found = dict(conditions)
        for switch in conditions:
            found |= self.inherited(switches[switch])
        return found

    def ask(self, trial):
        made = self.driver.request("POST", ["experiments", "-1", "suggestions"], {}, {})
        given, values = made["assignments"], {}
        for item in self.declared.dimensions:
            if self.declared.is_alive(item, values):
                values[item["name"]] = snapped(item, given[item["name"]])
        # It refuses its own suggestion where a grid's value has a rounding: then the assignments are told.
        if all(values[name] == given[name] for name in values):
            self.suggested[trial] = made["id"]
        return values, (made.get("task") or {}).get("name")

    def tell(self, message):
        trial = message["trial"]
        body = {"suggestion": self.suggested[trial]} if trial in self.suggested else self.foreign(message)
        if message["state"] == "completed":
            spread = message.get("sd") or {}
            body["values"] = [
                {"name": name, "value": value, **({"value_stddev": spread[name]} if name in spread else {})}
                for name, value in message["values"].items()
            ]
        else:
            body["failed"] = True
        self.driver.request("POST", ["experiments", "-1", "observations"], body, {})

    def foreign(self, message):
        return {"assignments": message["assignments"]}

    def recommend(self):
        found = self.driver.request("GET", ["experiments", "-1", "best_assignments"], {}, {})
        best = found["data"][0] if found["data"] else None
        if best is None:
            return None
        assignments = best["assignments"] if isinstance(best, dict) else best.assignments
        return dict(assignments)


def snapped(item, value):
    """The nearest value of a grid: logarithms and back leave roundings."""
    return min(item["grid"], key=lambda known: abs(known - value)) if "grid" in item else value


def _with_points(source, observations, hyperparameters):
    """``GPSource.update_hyperparameters`` with the points that its multisolution mode needs."""
    points = source.make_points_sampled(source.experiment, observations)
    plain = source.form_metrics_info
    source.form_metrics_info = lambda experiment, sampled=None: plain(experiment, points)
    try:
        return _original(source, observations, hyperparameters)
    finally:
        del source.form_metrics_info


_original = GPSource.update_hyperparameters
GPSource.update_hyperparameters = _with_points
assert issubclass(GPSource, BaseOptimizationSource)

if __name__ == "__main__":
    serve(SigOpt)
