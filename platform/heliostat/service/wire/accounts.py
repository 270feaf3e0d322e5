"""Organizations, teams and users: here they are settings and tokens, not a system to sign up to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat.service.callers import hidden
from heliostat.service.calls import Call, ReadCall, SharedCall, reply
from heliostat.service.errors import Refused
from heliostat.service.wire.fields import check_client
from heliostat.service.wire.paging import page_object
from heliostat.service.wire.run_lists import run_page

router = APIRouter(tags=["accounts"])

ORGANIZATION = "1"
"""Identity of the one organization."""


@router.get("/clients/{client}")
async def client(call: SharedCall, client: str) -> Response:
    """The one team."""
    check_client(call, client)
    return reply(_client(call))


@router.get("/organizations/{organization}")
async def organization(call: ReadCall, organization: str) -> Response:
    """The one organization."""
    if organization != ORGANIZATION:
        raise hidden("organization", organization[:100])
    return reply(_organization(call))


@router.get("/organizations")
async def organizations(call: ReadCall) -> Response:
    """The one organization, as a page."""
    return reply(page_object([_organization(call)], 1, None, None))


@router.get("/organizations/{organization}/clients")
async def clients(call: ReadCall, organization: str) -> Response:
    """The one team, as a page."""
    if organization != ORGANIZATION:
        raise hidden("organization", organization[:100])
    return reply(page_object([_client(call)], 1, None, None))


@router.get("/organizations/{organization}/training_runs")
async def runs(call: ReadCall, organization: str) -> Response:
    """Runs of all projects."""
    if organization != ORGANIZATION:
        raise hidden("organization", organization[:100])
    return reply(await run_page(call))


async def _not_here() -> Response:
    rule = "there are no accounts to sign up to: teams are settings here, users are names on tokens"
    remedy = "Make a token with: heliostat token create --user NAME"
    raise Refused(404, rule, remedy=remedy, code="HS-SERVICE-404")


for _path in (
    "/users", "/users/{rest:path}", "/sessions", "/verifications", "/clients", "/clients/{client}/roles",
    "/clients/{client}/permissions", "/clients/{client}/pending_permissions", "/clients/{client}/invites",
    "/organizations/{organization}/memberships", "/organizations/{organization}/invites",
    "/organizations/{organization}/permissions",
):  # fmt: skip
    _verbs = ["GET", "POST", "PUT", "DELETE"]
    router.add_api_route(_path, _not_here, methods=_verbs, include_in_schema=False)


def _client(call: Call) -> dict[str, Any]:
    return {
        "object": "client",
        "id": call.settings.client,
        "name": call.settings.client_name,
        "organization": ORGANIZATION,
        "created": None,
    }


def _organization(call: Call) -> dict[str, Any]:
    return {
        "object": "organization",
        "id": ORGANIZATION,
        "name": call.settings.client_name,
        "created": None,
        "deleted": False,
    }
