"""Who calls: the token behind a call and what it may do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heliostat.errors import NotFound
from heliostat.ports import TokenRecord
from heliostat.service.errors import Refused

CALLER = "heliostat.caller"
"""Where the gate leaves the caller in the scope of a call."""

PERMISSIONS = ("read", "write", "admin")
"""Each includes those before it: readers see all, writers also log and optimize, admins also keep tokens."""

_GUEST = re.compile(r"read (experiment|run) ([1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Caller:
    """A token and its rights.

    Args:
        permission: One of :data:`PERMISSIONS`.
        user: Whose the token is, for people.
        token: The token's record; ``None`` where the service asks for none.
        experiment: A guest's one experiment, with its runs.
        run: A guest's one run.
    """

    permission: str
    user: str = ""
    token: TokenRecord | None = None
    experiment: int | None = None
    run: int | None = None

    @property
    def is_guest(self) -> bool:
        """Whether the token was made to share one object."""
        return self.experiment is not None or self.run is not None

    def require(self, permission: str) -> None:
        """Refuse the call unless the token has this right, for everything.

        Raises:
            Refused: 403.
        """
        if self.is_guest or PERMISSIONS.index(self.permission) < PERMISSIONS.index(permission):
            rule = f"this call needs a token with the right to {permission}"
            remedy = f"Make one with: heliostat token create --permissions {permission}"
            raise Refused(403, rule, remedy=remedy, code="HS-SERVICE-403", token_status="invalid_permissions")

    def check_run(self, run: int, experiment: int | None) -> None:
        """Hide a run from guests of other objects.

        Raises:
            NotFound: Just as if there were no such run.
        """
        if self.is_guest and self.run != run and (experiment is None or self.experiment != experiment):
            raise hidden("run", run)

    def check_experiment(self, experiment: int) -> None:
        """Hide an experiment from guests of other objects.

        Raises:
            NotFound: Just as if there were no such experiment.
        """
        if self.is_guest and self.experiment != experiment:
            raise hidden("experiment", experiment)


def hidden(what: str, id: int | str) -> NotFound:
    """The error for what is not there, or not for this caller."""
    return NotFound(f"no {what} has this id", given=id, remedy=f"List the {what}s of the project.")


def caller_of(record: TokenRecord) -> Caller:
    """The rights of an admitted token."""
    guest = _GUEST.fullmatch(record.permissions)
    if guest is None:
        return Caller(record.permissions, record.user, record)
    id = int(guest.group(2))
    is_run = guest.group(1) == "run"
    return Caller("read", record.user, record, run=id if is_run else None, experiment=None if is_run else id)
