"""Checkpoints: points of a run's training curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.openapi import takes
from heliostat.service.wire.fields import evaluation_list, id_of, now, scalars
from heliostat.service.wire.paging import page
from heliostat.service.wire.run_objects import HIDDEN, checkpoint_object
from heliostat.service.wire.stopping import verdict
from heliostat.trial import Checkpoint, Measurement, Run
from heliostat.writes import LogCheckpoints, UpdateRun

router = APIRouter(tags=["checkpoints"])

LARGEST_STEP = 2**53
"""Steps are whole numbers that JSON's floats hold."""


@dataclass(frozen=True)
class _Point:
    """A checkpoint with the identity that pages ask for."""

    id: int
    checkpoint: Checkpoint


@router.post(
    "/training_runs/{run}/checkpoints",
    openapi_extra=takes(
        {"values": [{"name": "loss", "value": 0.5}], "step": 1, "metadata": {"epoch": 1}}, required=["values"]
    ),
)
async def create(call: WriteCall, run: str) -> Response:
    """Log a point of the curve; steps count from 1 unless `step` is given.

    The reply tells with `should_stop` and `stopping_reasons` whether going on is worth it.
    """
    id = id_of(run, "run")
    body = await call.body()
    schema.only_keys(body, "the checkpoint", ("values", "metadata", "step"))
    measured = evaluation_list(schema.required(body, "values", ""))
    if not measured:
        raise InvalidValue("values", "must hold at least one metric", given=[])
    facts = _facts(measured, scalars(body.get("metadata"), "metadata"))
    step = _step(body.get("step"))
    point = Checkpoint(step or 1, {name: item.value for name, item in measured.items()}, now())
    (done,) = await call.write(LogCheckpoints(id, (point,), follows=step is None, key=call.key("point")))
    if facts:
        await _keep(call, id, done.id or 0, facts)
    if call.skips:
        return reply({})
    known = await call.read(call.log.run, id)
    shown = checkpoint_object(known, next(item for item in known.curve if item.step == done.id))
    return reply({**shown, **await verdict(call, known)})


@router.get("/training_runs/{run}/checkpoints")
async def fetch_all(call: SharedCall, run: str) -> Response:
    """The curve of the present attempt, the last point first."""
    known = await _run(call, run)
    points = [_Point(item.step, item) for item in known.curve]
    return reply(page(points, call, lambda item: checkpoint_object(known, item.checkpoint)))


@router.get("/training_runs/{run}/checkpoints/{checkpoint}")
async def fetch(call: SharedCall, run: str, checkpoint: str) -> Response:
    """One point; its id is its step."""
    known = await _run(call, run)
    step = id_of(checkpoint, "checkpoint")
    for point in known.curve:
        if point.step == step:
            return reply(checkpoint_object(known, point))
    raise hidden("checkpoint", step)


async def _run(call: Call, run: str) -> Run:
    known = await call.read(call.log.run, id_of(run, "run"))
    call.caller.check_run(known)
    return known


def _step(value: Any) -> int | None:
    if value is None:
        return None
    step = schema.integer(value, "step")
    if not 0 <= step <= LARGEST_STEP:
        raise InvalidValue("step", f"must be a whole number from 0 to {LARGEST_STEP}", given=value)
    return step


def _facts(measured: Mapping[str, Measurement], metadata: Mapping[str, Any]) -> dict[str, Any]:
    errors = {name: item.stddev for name, item in measured.items() if item.stddev is not None}
    found = {
        "metadata": {key: value for key, value in metadata.items() if value is not None},
        "stddev": errors,
    }
    return {key: value for key, value in found.items() if value}


async def _keep(call: Call, id: int, step: int, facts: Mapping[str, Any]) -> None:
    """The log's curves are numbers only; what else a checkpoint carries lies among the run's system facts."""
    known = await call.read(call.log.run, id)
    kept = {**known.sys_metadata.get(HIDDEN, {}), str(step): dict(facts)}
    await call.write(UpdateRun(id, time=now(), sys_metadata={HIDDEN: kept}))
