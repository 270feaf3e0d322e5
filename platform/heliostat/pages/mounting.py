"""All pages, added to the service's application."""

from __future__ import annotations

from fastapi import FastAPI

from heliostat.pages import (
    assets,
    compare,
    experiments,
    frozen,
    home,
    projects,
    runs,
    signing_in,
    suggestions,
    tokens,
    trials,
)


def mount(app: FastAPI) -> None:
    """Add the pages; none of them is part of the OpenAPI document."""
    for module in (
        assets,
        trials,
        experiments,
        suggestions,
        frozen,
        runs,
        compare,
        projects,
        tokens,
        signing_in,
        home,
    ):
        app.include_router(module.router, include_in_schema=False)
