"""Runs from a file, as a study in Optuna's SQLite storage: what its dashboard then shows.

python pages_optuna.py RUNS.json STORAGE.db
"""

import datetime as dt
import json
import sys
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-5, 1e-1, log=True),
    "width": IntDistribution(16, 256, log=True),
    "dropout": FloatDistribution(0.0, 0.6),
    "momentum": FloatDistribution(0.5, 0.99),
    "activation": CategoricalDistribution(["relu", "gelu", "silu"]),
    "optimizer": CategoricalDistribution(["sgd", "adam"]),
}
STATES = {"completed": TrialState.COMPLETE, "early_stopped": TrialState.PRUNED}


def trial(run):
    """The run as a frozen trial; curves are left out, since Optuna has none with two objectives."""
    values = [run["metrics"].get("accuracy"), run["metrics"].get("size_mb")]
    state = STATES.get(run["state"], TrialState.FAIL)
    made = create_trial(
        state=state,
        params=run["params"],
        distributions={name: DISTRIBUTIONS[name] for name in run["params"]},
        values=values if state is TrialState.COMPLETE else None,
        user_attrs={
            name: value for name, value in run["metrics"].items() if name not in ("accuracy", "size_mb")
        },
    )
    made.datetime_start = dt.datetime.fromtimestamp(run["started"])
    made.datetime_complete = dt.datetime.fromtimestamp(run["ended"])
    return made


def main(source, target):
    storage = optuna.storages.RDBStorage(f"sqlite:///{target}")
    # Filling needs no durability, and the dashboard opens the file with settings of its own.
    event.listen(storage.engine, "connect", lambda line, _: line.execute("PRAGMA synchronous=OFF"))
    storage.engine.dispose()
    study = optuna.create_study(
        storage=storage, study_name="vision", directions=["maximize", "minimize"], load_if_exists=True
    )
    study.set_metric_names(["accuracy", "size_mb"])
    study.add_trials([trial(run) for run in json.loads(Path(source).read_text())])


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main(*sys.argv[1:])
