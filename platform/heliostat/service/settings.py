"""How the service is set up: one frozen value, from keywords, a Serve config file or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.registry import log_url, shown_url

PREFIX = "HELIOSTAT_SERVICE_"
"""Environment variables carry this prefix: ``HELIOSTAT_SERVICE_MAX_BODY=1048576``."""


@dataclass(frozen=True)
class ServiceSettings:
    """Everything that an operator may choose.

    Args:
        log: URL of the run log; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` in the working folder.
        auth: Whether calls need a token. Without, everybody who reaches the port may do everything.
        base_url: Address under which clients reach the service; by default what each call says it is.
        hosts: Names under which the service may be called (a foreign ``Host`` means that a page in
            somebody's browser was led here); empty for any. ``*`` at the front stands for any subdomain.
        client: Identity of the one team that SigOpt's wire asks for.
        client_name: Its name.
        max_body: Bytes of a JSON body.
        max_file: Bytes of an uploaded file.
        max_depth: Nesting of a JSON body.
        page: Objects of a page, at most and by default.
        max_open: Calls that one process answers at a time; those beyond are told to come back.
        read_rate: Reads of a token per second and replica, on average.
        write_rate: The same for writes.
        guesses: Calls without a valid token that an address may make at once; one more comes back a second.
        body_seconds: How long the next part of a body may take to come.
        token_seconds: How long a revoked token may live on in another replica.
        lease_seconds: Life of a token that is given an end when it is made or renewed.
        upload_seconds: Life of an upload address.
        replicas: Stateless processes that answer calls.
    """

    log: str = ""
    auth: bool = True
    base_url: str = ""
    hosts: tuple[str, ...] = ()
    client: str = "1"
    client_name: str = "Heliostat"
    max_body: int = 8 * 2**20
    max_file: int = 64 * 2**20
    max_depth: int = 32
    page: int = 1000
    max_open: int = 512
    read_rate: float = 1000.0
    write_rate: float = 500.0
    guesses: int = 20
    body_seconds: float = 30.0
    token_seconds: float = 2.0
    lease_seconds: float = 30 * 86400.0
    upload_seconds: float = 900.0
    replicas: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", log_url(self.log or None))
        object.__setattr__(self, "hosts", tuple(self.hosts))
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(item.default, bool):
                schema.flag(value, item.name)
            elif isinstance(item.default, (int, float)) and schema.number(value, item.name) <= 0:
                raise InvalidValue(item.name, "must be above 0", given=value)

    @property
    def shown_log(self) -> str:
        """The log's address for printing: without a password."""
        return shown_url(self.log)


def read_settings(data: Mapping[str, Any] | None = None) -> ServiceSettings:
    """Settings from a mapping over the environment's over the defaults.

    Raises:
        InvalidValue: An unknown key, or a value that breaks a rule.
    """
    known = {item.name: item.default for item in fields(ServiceSettings)}
    given = dict(data or {})
    schema.only_keys(given, "settings", tuple(known))
    found = {
        name: _parsed(os.environ[PREFIX + name.upper()], default, name)
        for name, default in known.items()
        if PREFIX + name.upper() in os.environ
    }
    return ServiceSettings(**{**found, **given})


def _parsed(text: str, default: Any, name: str) -> Any:
    if isinstance(default, bool):
        return schema.choice(text.lower(), name, ("true", "false")) == "true"
    if isinstance(default, tuple):
        return tuple(item.strip() for item in text.split(",") if item.strip())
    if isinstance(default, (int, float)):
        try:
            return type(default)(text)
        except ValueError:
            raise InvalidValue(name, "must be a number", given=text) from None
    return text
