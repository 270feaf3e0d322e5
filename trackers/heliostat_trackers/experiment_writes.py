"""Applying the writes about experiments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from heliostat.errors import no_experiment
from heliostat.experiment import read_experiment
from heliostat.writes import ChangeExperiment, CreateExperiment, OpenSession
from heliostat_trackers.columns import free_text
from heliostat_trackers.effects import Effect, inserted_id, refuse_stale, settle_project
from heliostat_trackers.tables import experiments, runs

_FOUND = select(experiments.c.epoch, experiments.c.project).where(experiments.c.id == bindparam("sought"))
_INSERT = insert(experiments)
_UPDATE = update(experiments).where(experiments.c.id == bindparam("sought"))
_MOVE = update(runs).where(runs.c.experiment == bindparam("sought"))


def create_experiment(connection: Connection, write: CreateExperiment) -> Effect:
    """Record the experiment, with its project.

    Raises:
        InvalidValue: The declaration breaks a rule; one bad row would spoil every later reading.
    """
    spec = read_experiment(write.spec)
    settle_project(connection, spec.project, write.time)
    row = {"project": spec.project, "name": spec.name, "spec": free_text(spec.to_dict(), "spec")}
    result = connection.execute(
        _INSERT, {**row, "created": float(write.time), "updated": float(write.time), "epoch": 0}
    )
    return Effect(inserted_id(result), body={"name": spec.name, "project": spec.project})


def change_experiment(connection: Connection, write: ChangeExperiment) -> Effect:
    """Replace the declaration, or archive it; its runs follow into another project.

    Raises:
        NotFound: No such experiment.
        StaleSession: A newer session has taken over.
        InvalidValue: The declaration breaks a rule.
    """
    found = connection.execute(_FOUND, {"sought": write.experiment}).first()
    if found is None:
        raise no_experiment(write.experiment)
    refuse_stale(write.epoch, found.epoch, write.experiment)
    changes: dict[str, Any] = {"updated": float(write.time)}
    facts: dict[str, Any] = {}
    if write.archived is not None:
        changes["archived"] = facts["archived"] = bool(write.archived)
    if write.spec is not None:
        spec = read_experiment(write.spec)
        settle_project(connection, spec.project, write.time)
        facts |= {"name": spec.name, "project": spec.project}
        changes |= {**facts, "spec": free_text(spec.to_dict(), "spec")}
        if spec.project != found.project:
            connection.execute(_MOVE, {"sought": write.experiment, "project": spec.project})
    connection.execute(_UPDATE, {"sought": write.experiment, **changes})
    return Effect(write.experiment, body=facts)


def open_session(connection: Connection, write: OpenSession) -> Effect:
    """Count the epoch up: from now on the writes of earlier sessions are refused.

    Raises:
        NotFound: No such experiment.
    """
    found = connection.execute(_FOUND, {"sought": write.experiment}).first()
    if found is None:
        raise no_experiment(write.experiment)
    epoch = found.epoch + 1
    connection.execute(_UPDATE, {"sought": write.experiment, "epoch": epoch})
    return Effect(write.experiment, epoch=epoch, body={"epoch": epoch, "owner": write.owner})
