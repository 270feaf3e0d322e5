"""Who calls: the token behind a call and what it may do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heliostat.errors import NotFound, no_experiment, no_run
from heliostat.ports import ExperimentRecord, TokenRecord
from heliostat.service.errors import Refused
from heliostat.trial import Run

CALLER = "heliostat.caller"
"""Where the gate leaves the caller in the scope of a call."""

PERMISSIONS = ("read", "write", "admin")
"""Each includes those before it: readers see all, writers also log and optimize, admins also keep tokens."""

_GUEST = re.compile(r"read (?:(experiment|run|report) ([1-9][0-9]{0,17})|project ([A-Za-z0-9._-]{1,100}))")


@dataclass(frozen=True)
class Caller:
    """A token and its rights.

    Args:
        permission: One of :data:`PERMISSIONS`.
        user: Whose the token is, for people.
        token: The token's record; ``None`` where the service asks for none.
        experiment: A guest's one experiment, with its runs.
        run: A guest's one run.
        project: A guest's one project, with all its experiments and runs.
        report: A guest's one frozen report, without the runs behind it.
    """

    permission: str
    user: str = ""
    token: TokenRecord | None = None
    experiment: int | None = None
    run: int | None = None
    project: str | None = None
    report: int | None = None

    @property
    def is_guest(self) -> bool:
        """Whether the token was made to share one object."""
        return any(item is not None for item in (self.experiment, self.run, self.project, self.report))

    def require(self, permission: str) -> None:
        """Refuse the call unless the token has this right, for everything.

        Raises:
            Refused: 403.
        """
        if self.is_guest or PERMISSIONS.index(self.permission) < PERMISSIONS.index(permission):
            rule = f"this call needs a token with the right to {permission}"
            remedy = f"Make one with: heliostat token create --permissions {permission}"
            raise Refused(403, rule, remedy=remedy, code="HS-SERVICE-403", token_status="invalid_permissions")

    def require_project(self, project: str) -> None:
        """Refuse the call unless the token may read this project as a whole.

        Raises:
            Refused: 403.
        """
        if self.project != project:
            self.require("read")

    def check_run(self, run: Run) -> None:
        """Hide a run from guests of other objects.

        Raises:
            NotFound: Word for word as if there were no such run.
        """
        is_theirs = self.run == run.id or self.project == run.project
        is_part = run.experiment is not None and self.experiment == run.experiment
        if self.is_guest and not (is_theirs or is_part):
            raise no_run(run.id)

    def check_experiment(self, record: ExperimentRecord) -> None:
        """Hide an experiment from guests of other objects.

        Raises:
            NotFound: Word for word as if there were no such experiment.
        """
        is_theirs = self.experiment == record.id or self.project == record.spec.project
        if self.is_guest and not is_theirs:
            raise no_experiment(record.id)


def hidden(what: str, id: int | str) -> NotFound:
    """The error for what is not there, or not for this caller."""
    return NotFound(f"no {what} has this id", given=id, remedy=f"List the {what}s of the project.")


def caller_of(record: TokenRecord) -> Caller:
    """The rights of an admitted token."""
    guest = _GUEST.fullmatch(record.permissions)
    if guest is None:
        return Caller(record.permissions, record.user, record)
    what, id, project = guest.groups()
    number = None if id is None else int(id)
    return Caller(
        "read",
        record.user,
        record,
        experiment=number if what == "experiment" else None,
        run=number if what == "run" else None,
        report=number if what == "report" else None,
        project=project,
    )
