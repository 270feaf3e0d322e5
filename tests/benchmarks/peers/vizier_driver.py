"""Vizier's default algorithm, GP-UCB-PE, as its service runs it: 64 bits, centre first; flat spaces only."""

import os
import warnings
from importlib.metadata import version

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
warnings.simplefilter("ignore")

import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)

from channel import bounds, is_log, serve, sign  # noqa: E402
from vizier import algorithms, pyvizier  # noqa: E402
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit  # noqa: E402


class Vizier:
    def __init__(self, declared):
        self.declared = declared
        self.versions = {name: version(name) for name in ("google-vizier-dev", "jax", "tfp-nightly")}
        problem = pyvizier.ProblemStatement()
        for item in declared.dimensions:
            add(problem.search_space.root, item)
        (metric,) = declared.objectives
        goals = pyvizier.ObjectiveMetricGoal
        goal = goals.MINIMIZE if sign(metric) > 0 else goals.MAXIMIZE
        problem.metric_information.append(pyvizier.MetricInformation(metric["name"], goal=goal))
        self.designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(declared.seed))
        self.open = {}

    def ask(self, trial):
        (suggestion,) = self.designer.suggest(1)
        self.open[trial] = suggestion.to_trial(trial)
        found = suggestion.parameters.as_dict()
        return {item["name"]: typed(item, found[item["name"]]) for item in self.declared.dimensions}

    def tell(self, message):
        trial = self.open.pop(message["trial"])
        trial.complete(pyvizier.Measurement(message["values"]))
        self.designer.update(algorithms.CompletedTrials([trial]), algorithms.ActiveTrials())


def add(root, item):
    name, scales = item["name"], pyvizier.ScaleType
    if item["type"] == "categorical":
        root.add_categorical_param(name, item["categorical_values"])
    elif "grid" in item:
        root.add_discrete_param(name, item["grid"])
    else:
        low, high = bounds(item)
        adding = root.add_int_param if item["type"] == "int" else root.add_float_param
        adding(name, low, high, scale_type=scales.LOG if is_log(item) else scales.LINEAR)


def typed(item, value):
    if item["type"] == "categorical":
        return value
    number = int(value) if item["type"] == "int" else float(value)
    if "grid" in item:
        return min(item["grid"], key=lambda one: abs(one - number))
    low, high = bounds(item)
    return min(max(number, low), high)


if __name__ == "__main__":
    serve(Vizier)
