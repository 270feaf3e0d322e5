"""``heliostat token``: who may call the service."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

import click

from heliostat.cli.options import existing_log, json_option, log_option, print_json, print_table
from heliostat.errors import InvalidValue
from heliostat.ports import TokenRecord
from heliostat.registry import open_log
from heliostat.service.admission import digest_of, new_secret
from heliostat.service.callers import PERMISSIONS
from heliostat.tracking.capture.machine import user as present_user
from heliostat.writes import CreateToken, RevokeToken

_LIFE = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group()
def command() -> None:
    """Make, list and revoke the tokens that the service asks for.

    The log keeps digests only: what is not written down when a token is made is lost.
    """


@command.command()
@click.option("--name", default="token", show_default=True, help="For people.")
@click.option("--permissions", type=click.Choice(PERMISSIONS), default="write", show_default=True)
@click.option("--user", default=None, help="Whose it is; by default yours.")
@click.option("--expires", "life", metavar="LIFE", help="Its life, such as 30d; without end by default.")
@log_option
@json_option
def create(
    name: str, permissions: str, user: str | None, life: str | None, log_url: str | None, as_json: bool
) -> None:
    """Make a token and print it, once."""
    now = time.time()
    expires = None if life is None else now + _seconds(life)
    secret, whose = new_secret(), user or present_user()
    log = open_log(log_url)
    write = CreateToken(
        digest_of(secret), name, time=now, permissions=permissions, user=whose, expires=expires
    )
    id = log.apply(write).id or 0
    if as_json:
        print_json({"object": "token", "id": str(id), "token": secret, "permissions": permissions})
        return
    click.echo(secret)


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="Revoked and expired ones too.")
@log_option
@json_option
def list_(show_all: bool, log_url: str | None, as_json: bool) -> None:
    """List tokens, without their secrets."""
    now = time.time()
    found = [item for item in existing_log(log_url).tokens() if show_all or _state(item, now) == "good"]
    if as_json:
        data = [
            {
                "object": "token",
                "id": str(item.id),
                "name": item.name,
                "permissions": item.permissions,
                "user": item.user,
                "created": item.created,
                "expires": item.expires,
                "state": _state(item, now),
            }
            for item in found
        ]
        print_json({"object": "list", "data": data})
        return
    rows = [
        [
            item.id,
            item.name,
            item.permissions,
            item.user,
            _day(item.created),
            _day(item.expires),
            _state(item, now),
        ]
        for item in found
    ]
    print_table(["id", "name", "permissions", "user", "created", "expires", "state"], rows)


@command.command()
@click.argument("token", type=int, metavar="ID")
@log_option
def revoke(token: int, log_url: str | None) -> None:
    """Admit a token no longer; running services know within seconds."""
    existing_log(log_url).apply(RevokeToken(token, time=time.time()))
    click.echo(f"token {token} is revoked")


def _seconds(life: str) -> int:
    found = _LIFE.fullmatch(life)
    if found is None:
        raise InvalidValue("expires", "must be a number with s, m, h or d", given=life, remedy="Write 30d.")
    return int(found.group(1)) * _UNITS[found.group(2)]


def _state(token: TokenRecord, now: float) -> str:
    if token.revoked:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= now else "good"


def _day(time: float | None) -> str:
    return "never" if time is None else datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%d %H:%M")
