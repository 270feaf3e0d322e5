"""Finding who can track an optimizer's object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.ports import RunLog
from heliostat.registry import ADAPTERS, load, names
from heliostat.tracking.projects import log_of, present_project


def track(
    object: Any,
    *,
    project: str | None = None,
    experiment: str | None = None,
    log: RunLog | str | Path | None = None,
    name: str | None = None,
) -> Any:
    """Record another optimizer's trials live; use what this returns in the object's place.

    Args:
        object: An Optuna study, Hyperopt trials, a scikit-learn search, or what else has an adapter (entry
            point group ``heliostat.adapters``).
        project: By default the present one.
        experiment: The experiment to record into; by default the adapter's choice.
        log: By default this folder's log.
        name: Of the runs, for people.

    Raises:
        InvalidValue: Nobody knows such objects.
    """
    known = names(ADAPTERS)
    kinds = [kind.__module__.partition(".")[0] for kind in type(object).__mro__]
    adapter = next((kind for kind in kinds if kind in known), None)
    if adapter is None:
        what = f"{type(object).__module__}.{type(object).__qualname__}"
        remedy = f"Known are objects of {', '.join(known)}; for a loop of your own, use create_run."
        raise InvalidValue("object", "no adapter knows such objects", given=what, remedy=remedy)
    adapted = load(ADAPTERS, adapter)
    return adapted(object, log_of(log), project=present_project(project), experiment=experiment, name=name)
