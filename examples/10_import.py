"""Bring what was recorded elsewhere: a table and an Optuna study, in one list with your own runs."""

import csv
import random

import optuna

import heliostat as hs
from heliostat.imports import import_runs


def loss(lr, layers):
    return (lr - 0.1) ** 2 + 0.01 * abs(layers - 3)


def table(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lr", "layers", "loss"])
        writer.writerows((lr, layers, loss(lr, layers)) for lr, layers in rows)


def objective(trial):
    return loss(trial.suggest_float("lr", 0.001, 1, log=True), trial.suggest_int("layers", 1, 5))


# What other people left: a table made by hand, and a study of another optimizer.
draw = random.Random(0)
tried = [(draw.uniform(0.001, 1), draw.randint(1, 5)) for _ in range(5)]
table("tried.csv", tried)
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(storage="sqlite:///study.db", study_name="net", load_if_exists=True)
study.optimize(objective, n_trials=6)

columns = {"params": ["lr", "layers"], "metrics": ["loss"]}
print("table:", import_runs("csv", "tried.csv", origin="by hand", **columns))
print("study:", import_runs("optuna", "sqlite:///study.db", metrics=["loss"]))

# Both have grown since: only what is new is added.
table("tried.csv", [*tried, (0.12, 3)])
study.optimize(objective, n_trials=2)
print("table again:", import_runs("csv", "tried.csv", origin="by hand", **columns))
print("study again:", import_runs("optuna", "sqlite:///study.db", metrics=["loss"]))

found = hs.runs(sort="metrics.loss")
print(found[["origin", "state", "params.lr", "params.layers", "metrics.loss"]].head(5).to_string(index=False))
print(f"{len(found)} runs of {found['origin'].nunique()} origins, the best {found['metrics.loss'].min():.4f}")
