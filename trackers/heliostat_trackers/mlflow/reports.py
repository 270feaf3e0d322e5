"""An experiment's report in MLflow: the artifact of one more run, beside the experiment's own."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from heliostat.ports import RunLog
from heliostat_trackers.mlflow.faults import ServerRefused
from heliostat_trackers.mlflow.server import Server
from heliostat_trackers.mlflow.session import PATIENCE, tracking_uri
from heliostat_trackers.mlflow.settings import Settings
from heliostat_trackers.mlflow.shelves import Shelves
from heliostat_trackers.mlflow.waiting import Waiting


def publish_report(
    log: RunLog,
    experiment: int,
    files: Mapping[str, bytes],
    *,
    title: str,
    uri: str | None = None,
    patience: float = PATIENCE,
) -> str:
    """Store the files of a report where the experiment's mirrored runs are, or are to be.

    They are artifacts of a run named after the report, one for each experiment, with the tag
    ``heliostat.report``; a later report takes the place of an earlier one's files of the same names.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        files: Content by name.
        title: Of the report.
        uri: The server's address; by default ``$MLFLOW_TRACKING_URI``.
        patience: Seconds without an answer of the server after which to give up.

    Returns:
        Where people look at it.

    Raises:
        NotFound: There is no such experiment.
        InvalidValue: No address was given, or one that is not an MLflow server's.
        ServerAway: The server did not answer for too long.
        ServerRefused: The server does not take it.
    """
    record, address = log.experiment(experiment), tracking_uri(uri)
    with Settings() as settings:
        waiting = Waiting(settings, patience=patience, stop=threading.Event(), last_patience=patience)
        server = Server(address)
        shelves = waiting.insist(lambda: Shelves(server, log))
        shelf = waiting.insist(lambda: shelves.shelf_of_experiment(record))
        if shelf.is_deleted:
            rule = f"the MLflow experiment {shelf.name!r} has been deleted there"
            raise ServerRefused(rule, remedy="Restore it in MLflow, then publish again.")
        key = f"{log.identity}/experiment/{experiment}"
        seen = waiting.insist(lambda: server.report_of(shelf, key, title))
        try:
            server.upload(seen, files)
        except Exception as error:  # an artifact store may be any program, and raise anything
            rule = f"the file store behind MLflow did not take the report ({error})"
            raise ServerRefused(
                rule, remedy="See that the server's artifact store can be reached."
            ) from error
    return f"{server.address}/#/experiments/{shelf.id}/runs/{seen.id}/artifacts"
