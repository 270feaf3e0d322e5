"""MLflow, out: a follower mirrors the run log into an MLflow server, one top-level run there for each run.

:func:`mirror` does it in this process, :func:`start_mirror` in another one; ``heliostat mlflow sync`` is the
same from the command line. What becomes of what is in ``docs/mlflow.md``. Modules by what they hold::

    wording      what MLflow lets names and texts be
    picture      what MLflow must hold of a run: a function of the run
    papers       the files beside it
    views        a ready view of MLflow's table
    difference   what is still to be written: a function of what is wanted and what is there
    faults       why the server did not do it
    settings     mlflow's environment variables
    server       MLflow's client, one method for one request
    shelves      MLflow's experiments for our experiments and projects
    copyist      copies one run
    waiting      asks again
    follower     goes through the log
    sole         one mirror at a time
    session      all of it together
    reports      an experiment's report as an artifact
    process      the same in the background

mlflow itself is imported only where the mirror works, never when this package is.
"""

from heliostat_trackers.mlflow.faults import ServerAway, ServerRefused
from heliostat_trackers.mlflow.follower import Progress
from heliostat_trackers.mlflow.process import MirrorProcess, start_mirror
from heliostat_trackers.mlflow.reports import publish_report
from heliostat_trackers.mlflow.session import mirror

__all__ = [
    "MirrorProcess",
    "Progress",
    "ServerAway",
    "ServerRefused",
    "mirror",
    "publish_report",
    "start_mirror",
]
