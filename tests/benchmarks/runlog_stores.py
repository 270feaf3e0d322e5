"""The stores that the run log is compared with, each as its own documentation uses it.

A *trial* is the same everywhere: three tags, ten parameters, five metrics, and a state at the end. Its
``yield`` statements stand behind each call that came back, which is what "acknowledged" means.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from random import Random
from typing import Any, Protocol

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

PARAMS = tuple(f"param_{number}" for number in range(10))
METRICS = tuple(f"metric_{number}" for number in range(5))
TAGS = {"team": "search", "dataset": "digits", "stage": "benchmark"}

MLFLOW_PAGE = 1000
"""Points that MLflow takes in one call, and runs that it gives in one page."""


class Store(Protocol):
    """One process's connection; `place` is a path, or the URL of a PostgreSQL database."""

    def __init__(self, place: str) -> None: ...

    @staticmethod
    def prepare(place: str) -> None:
        """Make the database, once, before any worker opens it."""

    def trial(self, random: Random) -> Iterator[None]:
        """One trial; each step is one acknowledged write."""

    def close(self) -> None: ...


class Heliostat:
    """Ours."""

    def __init__(self, place: str) -> None:
        from heliostat.registry import open_log

        self.log = open_log(place)
        self.experiment = self.log.experiments()[0].id

    @staticmethod
    def prepare(place: str) -> None:
        from heliostat.registry import open_log
        from heliostat.writes import CreateExperiment

        log = open_log(place)
        log.apply(CreateExperiment(experiment_spec(), time=time.time()))
        log.close()

    def trial(self, random: Random) -> Iterator[None]:
        from heliostat.trial import Measurement, State
        from heliostat.writes import CreateRun, FinishRun

        given = {name: random.random() for name in PARAMS}
        made = self.log.apply(CreateRun(self.experiment, given, metadata=TAGS, time=time.time()))
        yield
        found = {name: Measurement(random.random()) for name in METRICS}
        self.log.apply(FinishRun(made.run or 0, State.COMPLETED, "done", values=found, time=time.time()))
        yield

    def close(self) -> None:
        self.log.close()


class Mlflow:
    """MLflow on SQLite as it comes."""

    def __init__(self, place: str) -> None:
        self.client = mlflow_client(place)
        self.experiment = self.client.get_experiment_by_name("benchmark").experiment_id

    @staticmethod
    def prepare(place: str) -> None:
        mlflow_client(place).create_experiment("benchmark")

    def trial(self, random: Random) -> Iterator[None]:
        from mlflow.entities import Metric, Param

        run = self.client.create_run(self.experiment, tags=TAGS).info.run_id
        yield
        now = int(time.time() * 1000)
        self.client.log_batch(
            run,
            params=[Param(name, repr(random.random())) for name in PARAMS],
            metrics=[Metric(name, random.random(), now, 0) for name in METRICS],
        )
        yield
        self.client.set_terminated(run)
        yield

    def close(self) -> None:
        pass


class MlflowWal(Mlflow):
    """MLflow on a SQLite file whose journal was once set to write ahead."""

    @staticmethod
    def prepare(place: str) -> None:
        Mlflow.prepare(place)
        connection = sqlite3.connect(place)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


class OptunaRdb:
    """Optuna's relational storage on SQLite; metrics beyond the objective are user attributes."""

    def __init__(self, place: str) -> None:
        self.storage = self.opened(place)
        self.study = self.storage.get_study_id_from_name("benchmark")

    @staticmethod
    def opened(place: str) -> Any:
        import optuna

        # Its own default of 5 s lets eight writers fail; 60 s is what its users are told to set.
        settings = {"connect_args": {"timeout": 60}}
        return optuna.storages.RDBStorage(f"sqlite:///{place}", engine_kwargs=settings)

    @classmethod
    def prepare(cls, place: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        optuna.create_study(storage=cls.opened(place), study_name="benchmark", direction="minimize")

    def trial(self, random: Random) -> Iterator[None]:
        from optuna.distributions import FloatDistribution
        from optuna.trial import TrialState

        range_ = FloatDistribution(0.0, 1.0)
        trial = self.storage.create_new_trial(self.study)
        yield
        for name in PARAMS:
            self.storage.set_trial_param(trial, name, random.random(), range_)
            yield
        for name in METRICS[1:]:
            self.storage.set_trial_user_attr(trial, name, random.random())
            yield
        self.storage.set_trial_state_values(trial, TrialState.COMPLETE, [random.random()])
        yield

    def close(self) -> None:
        pass


class OptunaJournal(OptunaRdb):
    """Optuna's journal in a file."""

    @staticmethod
    def opened(place: str) -> Any:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(place))


def mlflow_client(place: str) -> Any:
    """A client whose calls go straight to the file."""
    import logging

    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)

    return MlflowClient(tracking_uri=f"sqlite:///{place}")


def experiment_spec(params: int = len(PARAMS), metrics: int = len(METRICS)) -> dict[str, Any]:
    """An experiment of ours with as many parameters and metrics."""
    bounds = {"min": 0.0, "max": 1.0}
    stored = [{"name": f"metric_{number}", "strategy": "store"} for number in range(1, metrics)]
    return {
        "name": "benchmark",
        "project": "benchmark",
        "searcher": "random",
        "budget": 1_000_000,
        "parameters": [
            {"name": f"param_{number}", "type": "double", "bounds": bounds} for number in range(params)
        ],
        "metrics": [{"name": "metric_0", "objective": "minimize"}, *stored],
    }
