"""Warm start: a new experiment learns from an earlier one, and from runs of another optimizer."""

import math
import warnings

import optuna

import heliostat as hs

RATE, WIDTH = hs.Double("rate", 1e-5, 1, log=True), hs.Int("width", 8, 512, log=True)


def loss(rate, width, decay=0.02):
    off = math.log10(rate) + 2.3, math.log2(width) - 7, math.log10(decay) + 1.7
    return 0.1 + 0.04 * off[0] ** 2 + 0.01 * off[1] ** 2 + 0.02 * off[2] ** 2


# What is in the log already: last month's experiment, and a study of Optuna on a smaller model.
old = hs.Experiment("old", parameters=[RATE, WIDTH], metrics=[hs.minimize("loss")], budget=20, seed=1)
for run in old.loop():
    run.log_metric("loss", 1.5 * loss(run["rate"], run["width"]) + 0.2)

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of set_metric_names
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
study.set_metric_names(["loss"])  # the name by which the new experiment knows it
study = hs.track(study)
study.optimize(lambda trial: loss(trial.suggest_float("rate", 1e-4, 0.1, log=True), 64), n_trials=15)


def tuned(name, **fields):
    """The new experiment has one parameter more than its sources, and 6 runs."""
    experiment = hs.Experiment(
        name,
        parameters=[RATE, WIDTH, hs.Double("decay", 1e-4, 1, log=True)],
        metrics=[hs.minimize("loss")],
        budget=6,
        seed=1,
        **fields,
    )
    for run in experiment.loop():
        run.log_metric("loss", loss(run["rate"], run["width"], run["decay"]))
    return experiment


cold = tuned("cold")
warm = tuned("warm", transfer=[old.id, "origin = optuna"])
print(f"first run: {warm.runs()[0].why}")
for experiment in (cold, warm):
    losses = [round(run.numbers["loss"], 3) for run in experiment.runs()]
    print(f"{experiment.name}: {losses}")
is_better = warm.best().numbers["loss"] < cold.best().numbers["loss"]
print(f"after 6 runs the warm start is ahead: {is_better}")
