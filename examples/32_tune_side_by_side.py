"""Ray Tune's grid search, its OptunaSearch and HyperOptSearch, and Heliostat, recorded side by side."""

import os

from ray import tune
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.optuna import OptunaSearch

import heliostat as hs
from heliostat import cluster
from heliostat_searchers.tune import HeliostatSearch

os.environ["RAY_TUNE_CALLBACKS"] = "heliostat_trackers.tune.RunLogCallback"  # or in the shell


def train(config):
    """Best at 0.3."""
    return {"loss": (config["x"] - 0.3) ** 2}


domain = tune.uniform(0, 1)
searches = [
    (None, {"x": tune.grid_search([0.0, 0.25, 0.5, 0.75])}, 1),
    (OptunaSearch(seed=1), {"x": domain}, 6),
    (HyperOptSearch(n_initial_points=3, random_state_seed=1), {"x": domain}, 6),
    (HeliostatSearch(seed=1), {"x": domain}, 6),
]
cluster.connect()
for search, space, samples in searches:
    config = tune.TuneConfig(
        metric="loss", mode="min", num_samples=samples, search_alg=search, reuse_actors=True
    )
    tune.Tuner(train, param_space=space, tune_config=config, run_config=tune.RunConfig(verbose=0)).fit()

runs = hs.open_log().runs()
for origin in sorted({run.origin for run in runs}):
    own = [run.numbers["loss"] for run in runs if run.origin == origin]
    print(f"{origin:10} {len(own)} runs, best loss {min(own):.5f}")
print(f"runs of {len({run.origin for run in runs})} searchers in one table")
