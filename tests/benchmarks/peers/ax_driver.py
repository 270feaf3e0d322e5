"""Ax's client with its defaults: centre, Sobol, then the model that it chooses; one client for the whole run.

Names become ids, since Ax reads them as expressions. Thresholds of objectives and guardrails are its outcome
constraints. Cheaper tasks and sources of transfer have no place in its client. BoTorch would compile a kernel
in the middle of the first suggestion with several objectives, and wait for ever behind the lock of a process
that was killed meanwhile: it is told not to, as on a machine without a compiler.
"""

import logging
import os

os.environ["TORCHDYNAMO_DISABLE"] = "1"

import warnings
from importlib.metadata import version

from channel import bounds, is_log, serve, sign

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

from ax.api.client import Client  # noqa: E402
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig  # noqa: E402
from ax.exceptions.core import DataRequiredError  # noqa: E402
from botorch.acquisition.multi_objective import logei  # noqa: E402

logei._load_attempted = True


class Ax:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {name: version(name) for name in ("ax-platform", "botorch", "torch")}
        self.ids = {item["name"]: f"p{place}" for place, item in enumerate(declared.dimensions)}
        self.metrics = {item["name"]: f"m{place}" for place, item in enumerate(declared.metrics)}
        self.client = Client(random_seed=declared.seed)
        self.client.configure_experiment(
            parameters=[self.parameter(item) for item in declared.dimensions],
            parameter_constraints=[self.line(item) for item in declared.constraints],
        )
        self.client.configure_optimization(
            objective=", ".join(
                f"{'-' if sign(item) > 0 else ''}{self.metrics[item['name']]}" for item in declared.objectives
            ),
            outcome_constraints=[
                f"{self.metrics[item['name']]} {'<=' if sign(item) > 0 else '>='} {item['threshold']!r}"
                for item in declared.limits()
            ],
        )
        self.indices = {}

    def parameter(self, item):
        ident, log = self.ids[item["name"]], "log" if is_log(item) else None
        if item["type"] == "categorical":
            children = {}
            for other in self.declared.dimensions:
                for value in other["conditions"].get(item["name"], []):
                    children.setdefault(value, []).append(self.ids[other["name"]])
            return ChoiceParameterConfig(
                ident,
                item["categorical_values"],
                "str",
                is_ordered=False,
                dependent_parameters=children or None,
            )
        kind = "int" if item["type"] == "int" else "float"
        if "grid" in item:
            return ChoiceParameterConfig(ident, item["grid"], kind, is_ordered=True)
        return RangeParameterConfig(ident, bounds(item), kind, scaling=log)

    def line(self, item):
        left = " + ".join(f"{term['weight']!r}*{self.ids[term['name']]}" for term in item["terms"])
        return f"{left} {'<=' if item['type'] == 'less_than' else '>='} {item['threshold']!r}"

    def ask(self, trial):
        try:
            ((index, parameters),) = self.client.get_next_trials(max_trials=1).items()
        except DataRequiredError:  # more workers than its start has points: a result must come first
            return None
        self.indices[trial] = index
        return self.named(parameters)

    def named(self, parameters):
        names = {ident: name for name, ident in self.ids.items()}
        given = {names[ident]: value for ident, value in parameters.items() if value is not None}
        values = {}
        for item in self.declared.dimensions:
            if self.declared.is_alive(item, values):
                values[item["name"]] = within(item, given[item["name"]])
        return values

    def tell(self, message):
        trial = message["trial"]
        if trial not in self.indices:
            given = {self.ids[name]: value for name, value in message["assignments"].items()}
            self.indices[trial] = self.client.attach_trial(parameters=given)
        index, spread = self.indices.pop(trial), message.get("sd") or {}
        if message["state"] == "failed":
            self.client.mark_trial_failed(trial_index=index)
        elif message["state"] == "lost":
            self.client.mark_trial_abandoned(trial_index=index)
        else:
            data = {
                self.metrics[name]: (value, spread[name]) if name in spread else value
                for name, value in message["values"].items()
            }
            self.client.complete_trial(trial_index=index, raw_data=data)

    def recommend(self):
        parameters, *_ = self.client.get_best_parameterization()
        return self.named(parameters)


def within(item, value):
    """The value in its declared type; rounding beyond a bound is pulled inside."""
    if item["type"] == "categorical":
        return value
    if "grid" in item:
        return min(item["grid"], key=lambda known: abs(known - value))
    low, high = bounds(item)
    return min(max((int if item["type"] == "int" else float)(value), low), high)


if __name__ == "__main__":
    serve(Ax)
