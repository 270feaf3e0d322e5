"""Runs from a file, as an experiment in MLflow's SQLite store: what its pages then show.

python pages_mlflow.py RUNS.json STORE.db
"""

import json
import sys
from pathlib import Path

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

STATES = {"completed": "FINISHED", "early_stopped": "FINISHED", "cancelled": "KILLED"}


@event.listens_for(Engine, "connect")
def _fill_fast(line, _):
    line.execute("PRAGMA synchronous=OFF")  # the server opens the file with settings of its own


def main(source, target):
    client = MlflowClient(f"sqlite:///{target}")
    experiment = client.create_experiment("vision")
    for run in json.loads(Path(source).read_text()):
        at = int(1000 * run["started"])
        made = client.create_run(experiment, start_time=at, run_name=f"run {run['number']}").info.run_id
        metrics = [Metric(name, value, at, 0) for name, value in run["metrics"].items()]
        metrics += [
            Metric(name, value, at + step, step)
            for step, values in run["curve"]
            for name, value in values.items()
        ]
        params = [Param(name, str(value)) for name, value in run["params"].items()]
        client.log_batch(made, metrics, params, [RunTag("state", run["state"])])
        status = STATES.get(run["state"], "FAILED")
        client.set_terminated(made, status, end_time=int(1000 * run["ended"]))
    print(experiment)


if __name__ == "__main__":
    main(*sys.argv[1:])
