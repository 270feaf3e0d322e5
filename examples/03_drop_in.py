"""An existing Ray Tune script: the search algorithm is replaced, the rest stays as it is."""

from ray import tune

import heliostat as hs
from heliostat import cluster
from heliostat_searchers.tune import HeliostatSearch


def train(config):
    """The script's own trainable."""
    tune.report({"loss": (config["x"] - 0.3) ** 2 + 0.1 * (config["kind"] == "b")})


experiment = hs.Experiment(
    "drop-in",
    parameters=[hs.Double("x", 0, 1), hs.Categorical("kind", ["a", "b"])],
    metrics=[hs.minimize("loss")],
    budget=12,
)
cluster.connect()
search = HeliostatSearch(experiment, parallel=2)
tuner = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(search_alg=search, num_samples=-1),
    run_config=tune.RunConfig(verbose=0),
)
results = tuner.fit()
search.close()
print(f"{len(results)} trials in Ray Tune, {len(experiment.runs())} runs in the log")
print(f"best loss {experiment.best().numbers['loss']:.4f}")
