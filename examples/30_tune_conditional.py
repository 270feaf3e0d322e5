"""A Ray Tune script whose choice brings other parameters to life, with two objectives and a guardrail."""

from ray import tune

from heliostat import cluster
from heliostat_searchers.tune import HeliostatSearch


def train(config):
    """A stand-in for two kinds of model: a forest is more accurate, larger and slower."""
    model = config["model"]
    if model["kind"] == "forest":
        tune.report({"accuracy": 1 - 1 / model["trees"], "ms": model["trees"] / 10, "mb": model["trees"] / 5})
    else:
        tune.report({"accuracy": 0.9 - abs(model["C"] - 1) / 50, "ms": 1.0, "mb": 2.0})


space = {
    "model": tune.choice(
        [
            {"kind": "forest", "trees": tune.lograndint(4, 400)},
            {"kind": "svm", "C": tune.loguniform(0.01, 10)},
        ]
    )
}
cluster.connect()
search = HeliostatSearch(
    metric=["accuracy", "ms"],
    mode=["max", "min"],
    guardrails=["mb <= 40"],
    points_to_evaluate=[{"model": {"kind": "svm", "C": 1.0}}],
    seed=1,
)
tuner = tune.Tuner(
    train,
    param_space=space,
    tune_config=tune.TuneConfig(
        num_samples=16, search_alg=search, max_concurrent_trials=2, reuse_actors=True
    ),
    run_config=tune.RunConfig(verbose=0),
)
tuner.fit()
front = search.experiment.best_runs()
for run in front:
    print(
        f"run {run.number}: accuracy {run.numbers['accuracy']:.3f} in {run.numbers['ms']:.1f} ms",
        run.assignments,
    )
print("every one keeps the guardrail:", all(run.numbers["mb"] <= 40 for run in front))
