"""Tokens: who am I, rotation, an end that moves, guests, and for admins the whole list.

A token's secret is in the reply that makes it and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.ports import TokenRecord
from heliostat.service.admission import digest_of, new_secret
from heliostat.service.callers import PERMISSIONS, caller_of, hidden
from heliostat.service.calls import AdminCall, Call, SharedCall, WriteCall, reply
from heliostat.service.errors import Refused
from heliostat.service.openapi import takes
from heliostat.service.record import write_event
from heliostat.service.wire.accounts import ORGANIZATION
from heliostat.service.wire.fields import check_client, id_of, now, project_of
from heliostat.service.wire.paging import page
from heliostat.tracking import given
from heliostat.writes import CreateToken, RenewToken, RevokeToken

router = APIRouter(tags=["tokens"])

LONGEST_GRACE = 86_400.0
"""Seconds for which a rotated token may live on beside the new one."""

_CHANGE = takes({"token": "rotate", "grace_seconds": 60, "expires": "renew", "lasts_forever": False})


@router.get("/tokens/self")
async def fetch_self(call: SharedCall) -> Response:
    """The token of this call."""
    return reply(token_object(call, call.caller.token))


@router.put("/tokens/self", openapi_extra=_CHANGE)
async def update_self(call: SharedCall) -> Response:
    """Rotate the token of this call, or move its end."""
    if call.caller.token is None or call.caller.is_guest:
        raise Refused(403, "this call has no token of its own", code="HS-SERVICE-403")
    return reply(await _changed(call, call.caller.token, await call.body()))


@router.get("/tokens/{token}")
async def fetch(call: AdminCall, token: str) -> Response:
    """A token, without its secret."""
    return reply(token_object(call, await _token(call, token)))


@router.put("/tokens/{token}", openapi_extra=_CHANGE)
async def update(call: AdminCall, token: str) -> Response:
    """Rotate a token, or move its end."""
    return reply(await _changed(call, await _token(call, token), await call.body()))


@router.delete("/tokens/{token}")
async def revoke(call: AdminCall, token: str) -> Response:
    """Admit a token no longer."""
    found = await _token(call, token)
    await call.write(RevokeToken(found.id, time=now()))
    _told(call, "token revoked", found.id)
    return reply({})


@router.get("/clients/{client}/tokens")
async def fetch_all(call: AdminCall, client: str) -> Response:
    """All tokens that may come in, without their secrets."""
    check_client(call, client)
    found = [item for item in await call.read(call.log.tokens) if not item.revoked]
    return reply(page(found, call, lambda item: token_object(call, item)))


@router.post(
    "/clients/{client}/tokens",
    openapi_extra=takes(
        {"name": "ci", "permissions": "write", "user": "ada", "expires": 4e9, "lasts_forever": False}
    ),
)
async def create(call: AdminCall, client: str) -> Response:
    """Make a token for somebody."""
    check_client(call, client)
    body = await call.body()
    schema.only_keys(body, "the token", ("name", "permissions", "user", "expires", "lasts_forever"))
    permissions = schema.choice(body.get("permissions", "write"), "permissions", PERMISSIONS)
    name = given.name(body.get("name", "token"), "name")
    user = given.name(body.get("user") or call.caller.user or name, "user")
    return reply(await _made(call, name, permissions, user, _end(call, body)))


@router.post("/training_runs/{run}/tokens")
async def share_run(call: WriteCall, run: str) -> Response:
    """A token for guests: it reads this run and nothing else."""
    known = await call.read(call.log.run, id_of(run, "run"))
    return reply(await _guest(call, "run", known.id))


@router.post("/experiments/{experiment}/tokens")
@router.post("/aiexperiments/{experiment}/tokens")
async def share_experiment(call: WriteCall, experiment: str) -> Response:
    """A token for guests: it reads this experiment and its runs and nothing else."""
    known = await call.read(call.log.experiment, id_of(experiment, "experiment"))
    return reply(await _guest(call, "experiment", known.id))


@router.post("/clients/{client}/projects/{project}/tokens")
async def share_project(call: WriteCall, client: str, project: str) -> Response:
    """A token for guests: it reads this project, its experiments and runs, and nothing else."""
    id = project_of(call, client, project)
    if all(record.id != id for record in await call.read(call.log.projects)):
        raise hidden("project", id)
    return reply(await _guest(call, "project", id))


@router.post("/reports/{report}/tokens")
async def share_report(call: WriteCall, report: str) -> Response:
    """A token for guests: it reads this frozen report and nothing else, not the runs behind it."""
    record, _ = await call.read(call.log.report, id_of(report, "report"))
    return reply(await _guest(call, "report", record.id))


def token_object(call: Call, token: TokenRecord | None, secret: str | None = None) -> dict[str, Any]:
    """A ``token``; for calls without one, what an administrator's would be."""
    caller = call.caller if token is None else caller_of(token)
    return {
        "object": "token",
        "id": None if token is None else str(token.id),
        "token": secret,
        "token_type": "guest" if caller.is_guest else "client-api",
        "name": None if token is None else token.name,
        "client": call.settings.client,
        "organization": ORGANIZATION,
        "user": caller.user or None,
        "all_experiments": not caller.is_guest,
        "development": False,
        "experiment": None if caller.experiment is None else str(caller.experiment),
        "training_run": None if caller.run is None else str(caller.run),
        "project": caller.project,
        "report": None if caller.report is None else str(caller.report),
        "permissions": caller.permission,
        "scope": "shared_experiment" if caller.is_guest else "all_endpoints",
        "expires": None if token is None or token.expires is None else int(token.expires),
        "lease_length": None if token is None or token.expires is None else int(call.settings.lease_seconds),
    }


async def _token(call: Call, id: str) -> TokenRecord:
    number = id_of(id, "token")
    for item in await call.read(call.log.tokens):
        if item.id == number and not item.revoked:
            return item
    raise hidden("token", number)


async def _changed(call: Call, token: TokenRecord, body: Mapping[str, Any]) -> dict[str, Any]:
    schema.only_keys(body, "the token", ("token", "expires", "lasts_forever", "grace_seconds"))
    if body.get("token") is not None:
        return await _rotated(call, token, body)
    if "expires" in body or body.get("lasts_forever"):
        end = _end(call, {"expires": "renew", **body})
        if end is None or end > now() + call.settings.lease_seconds + 1:
            call.caller.require("admin")  # what was given an end may not take it away by itself
        await call.write(RenewToken(token.id, end, time=now()))
        _told(call, "token renewed", token.id)
        token = await _token(call, str(token.id))
    return token_object(call, token)


async def _rotated(call: Call, token: TokenRecord, body: Mapping[str, Any]) -> dict[str, Any]:
    schema.choice(body["token"], "token", ("rotate",))
    grace = schema.number(body.get("grace_seconds", 0), "grace_seconds")
    if not 0 <= grace <= LONGEST_GRACE:
        raise InvalidValue("grace_seconds", f"must be 0 to {LONGEST_GRACE:.0f}", given=grace)
    end = None if token.expires is None else now() + call.settings.lease_seconds
    made = await _made(call, token.name, token.permissions, token.user, end)
    if grace:
        await call.write(RenewToken(token.id, now() + grace, time=now()))
    else:
        await call.write(RevokeToken(token.id, time=now()))
    _told(call, "token rotated", token.id)
    return made


async def _guest(call: Call, what: str, id: int | str) -> dict[str, Any]:
    body = await call.body()
    schema.only_keys(body, "the token", ("expires", "lasts_forever"))
    end = _end(call, {"expires": "renew", **body})
    return await _made(call, f"guest of {what} {id}", f"read {what} {id}", call.caller.user, end)


async def _made(call: Call, name: str, permissions: str, user: str, expires: float | None) -> dict[str, Any]:
    secret, time = new_secret(), now()
    write = CreateToken(
        digest_of(secret), name, time=time, permissions=permissions, user=user, expires=expires
    )
    (done,) = await call.write(write)
    record = TokenRecord(done.id or 0, write.digest, name, permissions, user, time, expires, revoked=False)
    _told(call, "token created", record.id)
    return token_object(call, record, secret)


def _end(call: Call, body: Mapping[str, Any]) -> float | None:
    """When a token ends: a time, ``"renew"`` for the usual life from now on, or never."""
    given_end = body.get("expires")
    if body.get("lasts_forever") is not None and schema.flag(body["lasts_forever"], "lasts_forever"):
        return None
    if given_end is None:
        return None
    if given_end == "renew":
        return now() + call.settings.lease_seconds
    end = schema.number(given_end, "expires")
    if end <= now():
        raise InvalidValue("expires", "must be a time to come, in seconds since 1970", given=given_end)
    return end


def _told(call: Call, event: str, token: int) -> None:
    call.backend.admission.forget()
    by = None if call.caller.token is None else call.caller.token.id
    write_event("audit", what=event, token=token, by=by)
