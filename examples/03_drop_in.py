"""An existing Ray Tune script: one line of it is new, the search algorithm."""

from ray import tune

from heliostat import cluster
from heliostat_searchers.tune import HeliostatSearch


def train(config):
    """The script's own trainable."""
    tune.report({"loss": (config["x"] - 0.3) ** 2 + 0.1 * (config["kind"] == "b")})


cluster.connect()
search = HeliostatSearch()
tuner = tune.Tuner(
    train,
    param_space={"x": tune.uniform(0, 1), "kind": tune.choice(["a", "b"]), "data": "some/path"},
    tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=12, search_alg=search),
    run_config=tune.RunConfig(verbose=0),
)
results = tuner.fit()
print(f"{len(results)} trials in Ray Tune, {len(search.experiment.runs())} runs in the log")
print(f"best loss {search.experiment.best().numbers['loss']:.4f}")
