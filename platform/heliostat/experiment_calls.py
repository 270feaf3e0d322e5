"""Experiments by the calls of the sigopt module: made, found, hidden and shown again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from heliostat.loop import Experiment
from heliostat.ports import RunLog
from heliostat.tracking.projects import log_of, present_project


def create_experiment(
    *, name: str, parameters: Iterable[Any], metrics: Iterable[Any], project: str | None = None, **fields: Any
) -> Experiment:
    """An experiment as the sigopt module declares one, in the present project and this folder's log.

    Args:
        name: For people.
        parameters: Their wire forms.
        metrics: Their wire forms.
        project: By default what ``set_project`` said, ``$HELIOSTAT_PROJECT``, or the folder's name.
        fields: Of :class:`Experiment`; ``budget``, ``parallel_bandwidth``, ``type``, … and ``log``.
    """
    log = log_of(fields.pop("log", None))
    folder = present_project(project)
    return Experiment(name, parameters=parameters, metrics=metrics, project=folder, log=log, **fields)


def get_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> Experiment:
    """An experiment that is in the log already."""
    return Experiment.open(int(id), log_of(log))


def archive_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Hide an experiment from lists."""
    get_experiment(id, log=log).archive()


def unarchive_experiment(id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Show an experiment in lists again."""
    get_experiment(id, log=log).archive(False)
