"""Bring your own optimizer: four of them tune one small network, and one table shows all their trials."""

import subprocess
import sys
import warnings

import hyperopt
import numpy as np
import optuna
from hyperopt import hp
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier

import heliostat as hs

X, Y = load_digits(return_X_y=True)
X, Y = X[:400] / 16, Y[:400]
ACTIVATIONS = ["relu", "tanh"]


class Network(ClassifierMixin, BaseEstimator):
    """One hidden layer, under the parameter names that all four use."""

    def __init__(self, hidden=64, activation="relu", learning_rate=1e-3):
        self.hidden, self.activation, self.learning_rate = hidden, activation, learning_rate

    def fit(self, x, y):
        """Twelve passes over the data."""
        layers, rate = (self.hidden,), self.learning_rate
        network = MLPClassifier(layers, self.activation, learning_rate_init=rate, random_state=0)
        self.classes_ = np.unique(y)
        for _ in range(12):
            network.partial_fit(x, y, classes=self.classes_)
        self.network_ = network
        return self

    def predict(self, x):
        """The digit."""
        return self.network_.predict(x)


def accuracy(hidden, activation, learning_rate):
    return cross_val_score(Network(int(hidden), activation, learning_rate), X, Y, cv=2).mean()


hs.set_project("digits")

# Optuna
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of set_metric_names
optuna.logging.set_verbosity(optuna.logging.WARNING)


def objective(trial):
    hidden = trial.suggest_int("hidden", 32, 512, log=True)
    activation = trial.suggest_categorical("activation", ACTIVATIONS)
    return accuracy(hidden, activation, trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True))


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.set_metric_names(["accuracy"])
study = hs.track(study)  # ← our line
study.optimize(objective, n_trials=5)


# Hyperopt
def loss(params):
    found = accuracy(**params)
    return {"status": hyperopt.STATUS_OK, "loss": 1 - found, "accuracy": found}


space = {
    "hidden": hp.uniformint("hidden", 32, 512),
    "activation": hp.choice("activation", ACTIVATIONS),
    "learning_rate": hp.loguniform("learning_rate", np.log(1e-4), np.log(1e-1)),
}
trials = hs.track(hyperopt.Trials())  # ← our line
hyperopt.fmin(
    loss, space, algo=hyperopt.tpe.suggest, max_evals=5, trials=trials,
    rstate=np.random.default_rng(0), show_progressbar=False,
)  # fmt: skip

# Random search
drawn = {"hidden": range(32, 513), "activation": ACTIVATIONS, "learning_rate": loguniform(1e-4, 1e-1)}
search = RandomizedSearchCV(Network(), drawn, n_iter=5, scoring="accuracy", cv=2, random_state=0)
search = hs.track(search)  # ← our line
search.fit(X, Y)

# Grid search
grid = {"hidden": [64, 256], "activation": ["relu"], "learning_rate": [1e-4, 1e-3, 1e-2]}
search = hs.track(GridSearchCV(Network(), grid, scoring="accuracy", cv=2))  # ← our line
search.fit(X, Y)

# One table: what the command `heliostat ls runs` shows, here or in another terminal meanwhile
COLUMNS = "origin,state,params.hidden,params.activation,params.learning_rate,metrics.accuracy"
options = ["--project", "digits", "--columns", COLUMNS, "--sort", "metrics.accuracy", "--desc"]
subprocess.run([sys.executable, "-m", "heliostat.cli", "ls", "runs", *options], check=True)
runs = hs.runs(project="digits")
best = runs.loc[runs["metrics.accuracy"].idxmax()]
print(f"{len(runs)} runs of {runs['origin'].nunique()} origins; the best is from {best['origin']}")
