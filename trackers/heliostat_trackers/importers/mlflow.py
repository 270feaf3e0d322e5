"""MLflow's runs, from a tracking server or a database.

What arrives: parameters (typed again by :func:`heliostat_trackers.importers.cells.guess`, for MLflow keeps
texts), metrics and their histories, tags as metadata, names, notes, users, git commits, datasets, times and
status. Artifacts and models stay where they are; each run's dev metadata says where.
"""

from __future__ import annotations

import http.client
import math
import sqlite3
import ssl
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from heliostat.errors import NotFound
from heliostat.imports import ImportedRun, Skipped
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat_trackers.importers.cells import guess
from heliostat_trackers.importers.sources import SQLITE, reading, sqlite_file, unreadable

if TYPE_CHECKING:
    from mlflow import MlflowClient

MIRRORED, REPORT = "heliostat.run", "heliostat.report"
"""Tag of the runs that Heliostat's own mirror wrote."""

PAGE = 1000
PATIENCE = 10.0
"""Seconds that a server may take to say that it is there."""

_END = {
    "RUNNING": (State.ACTIVE, ""),
    "SCHEDULED": (State.ACTIVE, ""),
    "FINISHED": (State.COMPLETED, "finished"),
    "FAILED": (State.FAILED, "failed; MLflow keeps no reason"),
    "KILLED": (State.CANCELLED, "killed"),
}


def read(
    source: str, *, experiment: str | None = None, mirrored: bool = False, curves: bool = True
) -> Iterator[ImportedRun | Skipped]:
    """The runs of an MLflow experiment, or of all.

    Args:
        source: Tracking URI: ``http://…``, or a database's URL. Of a SQLite file a copy is read, for MLflow
            upgrades what it opens and locks older servers out; other databases it does upgrade.
        experiment: Name or id.
        mirrored: Also runs that Heliostat's own mirror wrote there.
        curves: Ask for the history of each metric: one question for each run and metric.

    Raises:
        NotFound: There is no such database, server or experiment.
        InvalidValue: MLflow cannot read the source.
    """
    file = sqlite_file(source, "MLflow database", ("experiments", "latest_metrics", "runs"))
    if file is None:
        _refuse_silence(source)
        yield from _found(_client(source), source, experiment, mirrored, curves)
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "mlflow.db"
        with closing(reading(file)) as original, closing(sqlite3.connect(copy)) as connection:
            original.backup(connection)
        yield from _found(_client(f"{SQLITE}{copy}"), source, experiment, mirrored, curves)


def _found(
    client: MlflowClient, source: str, experiment: str | None, mirrored: bool, curves: bool
) -> Iterator[ImportedRun | Skipped]:
    for id, name in _experiments(client, source, experiment):
        for run in _runs(client, id):
            if REPORT in run.data.tags or (MIRRORED in run.data.tags and not mirrored):
                yield Skipped(run.info.run_id, "Heliostat wrote it there itself")
            else:
                yield _run(client, run, name, curves)


def _refuse_silence(source: str) -> None:
    """Ask whether anybody is there: MLflow's own client would try again for ten minutes before it says so.

    Raises:
        NotFound: Nothing answers.
    """
    if not source.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{source.rstrip('/')}/health", timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return  # an answer
    except OSError as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # MLflow may have been told which certificates to trust
            remedy = "Start the server (mlflow server), or check its address."
            raise NotFound(f"nothing answers at {source} ({reason})", remedy=remedy) from None
    except (ValueError, http.client.HTTPException):  # a form of address that only MLflow understands
        return


def _client(source: str) -> MlflowClient:
    with warnings.catch_warnings():
        # MLflow's tables use what SQLAlchemy has deprecated: nothing that our user could do about.
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        try:
            client = MlflowClient(tracking_uri=source)
            client.search_experiments(max_results=1)
        except Exception as error:  # MLflow's, SQLAlchemy's, the driver's, the network's
            raise unreadable(source, "an MLflow tracking store", error) from None
    return client


def _experiments(client: MlflowClient, source: str, wanted: str | None) -> list[tuple[str, str]]:
    found, token = [], None
    while True:
        page = client.search_experiments(max_results=PAGE, page_token=token)
        found += [(item.experiment_id, item.name) for item in page]
        token = page.token
        if not token:
            break
    chosen = [item for item in found if wanted is None or wanted in item]
    if wanted is not None and not chosen:
        known = ", ".join(name for _, name in found[:20])
        raise NotFound(f"MLflow at {source} has no experiment {wanted!r}", remedy=f"It has: {known}.")
    return sorted(chosen, key=lambda item: item[1] != wanted)[: None if wanted is None else 1]


def _runs(client: MlflowClient, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs(
            [experiment], order_by=["attributes.start_time ASC"], max_results=PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _run(client: MlflowClient, run: Any, experiment: str, curves: bool) -> ImportedRun:
    info, tags = run.info, dict(run.data.tags)
    state, reason = _END.get(info.status, (State.ACTIVE, ""))
    began = _seconds(info.start_time)
    own = {key: value for key, value in tags.items() if not key.startswith("mlflow.")}
    return ImportedRun(
        key=info.run_id,
        params={name: guess(value) for name, value in run.data.params.items()},
        values={name: Measurement(_value(value)) for name, value in run.data.metrics.items()},
        read_curve=partial(_curve, client, info.run_id, run.data.metrics) if curves else None,
        state=state,
        reason=reason,
        failure=Failure("user_error", reason) if state is State.FAILED else None,
        created=began,
        started=began,
        ended=_seconds(info.end_time),
        name=info.run_name or tags.get("mlflow.runName", ""),
        origin="mlflow",
        user=tags.get("mlflow.user", ""),
        metadata={"study": experiment, "parent": tags.get("mlflow.parentRunId"), **own},
        dev_metadata={"artifacts": info.artifact_uri, "source": tags.get("mlflow.source.name")},
        datasets=_datasets(run),
        source_hash=tags.get("mlflow.source.git.commit"),
        note=tags.get("mlflow.note.content"),
    )


def _curve(client: MlflowClient, run: str, metrics: Mapping[str, float]) -> list[Checkpoint]:
    """The histories by step; none if no metric was logged more than once."""
    histories = {name: client.get_metric_history(run, name) for name in metrics}
    if all(len(points) <= 1 for points in histories.values()):
        return []
    steps: dict[int, dict[str, tuple[int, float]]] = {}
    for name, points in histories.items():
        ordered = sorted(points, key=lambda point: (point.step, point.timestamp))
        # Who never passes a step gets 0 for all: then the order is all that there is.
        is_bare = len(points) > 1 and len({point.step for point in points}) == 1
        for place, point in enumerate(ordered):
            step = place if is_bare else point.step
            steps.setdefault(step, {})[name] = (point.timestamp, _value(point.value))
    return [
        Checkpoint(
            step,
            {name: value for name, (_, value) in found.items()},
            max(time for time, _ in found.values()) / 1000,
        )
        for step, found in sorted(steps.items())
    ]


def _value(stored: float) -> float:
    """MLflow's databases keep infinity as the largest number."""
    return math.copysign(math.inf, stored) if abs(stored) == sys.float_info.max else stored


def _datasets(run: Any) -> dict[str, dict[str, Any]]:
    inputs = run.inputs.dataset_inputs if run.inputs is not None else ()
    return {
        item.dataset.name: {
            key: value
            for key, value in (("digest", item.dataset.digest), ("source_type", item.dataset.source_type))
            if value
        }
        for item in inputs
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
