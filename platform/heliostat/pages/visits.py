"""A visit: one look at a page, by whom, and whether there is anything new since the last look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from heliostat.errors import HeliostatError
from heliostat.pages.rendering import Page, error_page, rendered, sign_in_page
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.service.callers import PERMISSIONS, hidden
from heliostat.service.calls import Call
from heliostat.service.visitors import STRANGER, proof_of, secret_of
from heliostat.service.wire.fields import id_of
from heliostat.trial import Run

THEME = "heliostat-theme"
"""Cookie in which a page keeps the reader's choice of light or dark."""


class NotSignedIn(Exception):
    """Somebody without a token wants to see a page."""


class Look(Call):
    """One look at a page."""

    @property
    def can_write(self) -> bool:
        """Whether controls are shown."""
        return self._may("write")

    @property
    def is_admin(self) -> bool:
        """Whether tokens are shown."""
        return self._may("admin")

    @property
    def seen(self) -> int | None:
        """The place in the log up to which the caller's page is up to date; ``None`` for a first look."""
        given = self.request.query_params.get("live", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None

    async def head(self) -> int:
        """The last place in the log."""
        return await self.read(self.log.last_event)

    async def is_unchanged(self, experiment: int | None = None, run: int | None = None) -> bool:
        """Whether nothing was written (about an experiment or a run) since the caller looked last."""
        if not self.seen:
            return False
        return not await self.read(_news, self.log, self.seen, experiment, run)

    async def experiment(self, id: str) -> ExperimentRecord:
        """The experiment in a path.

        Raises:
            NotFound: There is none, or not for this caller.
        """
        record = await self.read(self.log.experiment, id_of(id, "experiment"))
        self.caller.check_experiment(record)
        return record

    async def run(self, id: str) -> Run:
        """The run in a path, with its curve.

        Raises:
            NotFound: There is none, or not for this caller.
        """
        run = await self.read(self.log.run, id_of(id, "run"))
        self.caller.check_run(run)
        return run

    def require_everything(self) -> None:
        """Refuse guests, who see one thing.

        Raises:
            Refused: 403.
        """
        self.caller.require("read")

    def show(self, template: str, seq: int, **facts: Any) -> Response:
        """The page, or its parts alone where the caller has the page already."""
        return rendered(self.page(seq), template, facts)

    def page(self, seq: int) -> Page:
        """What templates know of this look, for a page that is up to date to a place in the log."""
        secret = secret_of(dict(self.request.scope["headers"]))
        return Page(
            seq=seq,
            is_fragment="live" in self.request.query_params,
            can_write=self.can_write,
            is_admin=self.is_admin,
            is_guest=self.caller.is_guest,
            shared_project=self.caller.project,
            user=self.caller.user,
            proof="" if secret is None else proof_of(secret),
            path=self.request.url.path,
            has_tokens=self.settings.auth,
            theme=theme_of(self.request),
        )

    def _may(self, permission: str) -> bool:
        caller = self.caller
        return not caller.is_guest and PERMISSIONS.index(caller.permission) >= PERMISSIONS.index(permission)


def theme_of(request: Request) -> str:
    """The reader's choice of light or dark; empty without one."""
    given = request.cookies.get(THEME, "")
    return given if given in ("light", "dark") else ""


def unchanged() -> Response:
    """The answer to a caller whose page is up to date."""
    return Response(status_code=204)


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """As FastAPI's, with errors shown to people."""
        answer = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await answer(request)
            except NotSignedIn:
                return sign_in_page(theme_of(request), 401)
            except HeliostatError as error:
                request.app.state.record.fault(error, b"")
                return error_page(Look(request).page(0), error)

        return shown


async def _look(request: Request) -> Look:
    found = Look(request)
    if found.caller is STRANGER:
        raise NotSignedIn
    return found


def _news(log: RunLog, seen: int, experiment: int | None, run: int | None) -> bool:
    while events := log.events(seen, 1000, experiment=experiment):
        if run is None or any(event.run == run for event in events):
            return True
        seen = events[-1].seq
    return False


def check_project(look: Look, project: str) -> None:
    """Hide a project from guests of other objects.

    Raises:
        NotFound: Just as if there were no such project.
    """
    if look.caller.is_guest and look.caller.project != project:
        raise hidden("project", project)


Visit = Annotated[Look, Depends(_look)]
"""For pages that guests may see too, if they check what they show."""
