"""MLflow's ids for what our log numbers: computed, never stored, and different for every log.

MLflow's clients expect runs under 32 hexadecimal digits. Ours are small integers, so each is hidden in such
a text together with a check that is keyed by the log's identity: the way back needs no table, no two runs
share a text, and the id of another log's run is refused instead of found. Copies of a log keep its identity
and with it all ids.

Experiments are our projects. A project's id is the experiment's id wherever MLflow allows it; others, and
those that look like ours, get a digest. The project ``default`` is MLflow's experiment ``0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

from heliostat.errors import NotFound

DEFAULT_PROJECT = "default"
DEFAULT_EXPERIMENT = "0"
"""Where MLflow's clients write if no experiment was chosen."""

LONGEST_PROJECT = 100

_RUN = re.compile(r"[0-9a-f]{32}")
_MODEL = re.compile(r"m-([0-9a-f]{16})([0-9a-f]{16})")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}")
_DIGEST = re.compile(r"x-[0-9a-f]{40}")
_NOT_PROJECT = re.compile(r"[^A-Za-z0-9\-_.]+")


def run_uuid(identity: str, run: int) -> str:
    """MLflow's id of a run."""
    check = _keyed(identity, "run", run.to_bytes(8, "big"))
    return check.hex() + _xor(run.to_bytes(8, "big"), _keyed(identity, "mask", check)).hex()


def run_of(identity: str, uuid: str) -> int:
    """The run behind an id of MLflow's.

    Raises:
        NotFound: It is no id of this log's.
    """
    if _RUN.fullmatch(uuid):
        check, hidden = bytes.fromhex(uuid[:16]), bytes.fromhex(uuid[16:])
        run = _xor(hidden, _keyed(identity, "mask", check))
        if _keyed(identity, "run", run) == check:
            return int.from_bytes(run, "big")
    raise NotFound(f"Run with id={uuid[:256]} not found", remedy="Take it from runs/search.")


def model_id(identity: str, run: int, mark: bytes) -> str:
    """The id of a logged model of a run; `mark` (8 bytes) tells the run's models apart."""
    hidden = _xor(run.to_bytes(8, "big"), _keyed(identity, "model", mark))
    return f"m-{mark.hex()}{hidden.hex()}"


def model_run(identity: str, model: str) -> int:
    """The run that a logged model belongs to, if there is such a model: the run must know of it.

    Raises:
        NotFound: It is no id of a model.
    """
    found = _MODEL.fullmatch(model)
    if found is None:
        raise no_model(model)
    mark, hidden = bytes.fromhex(found[1]), bytes.fromhex(found[2])
    return int.from_bytes(_xor(hidden, _keyed(identity, "model", mark)), "big")


def no_model(model: str) -> NotFound:
    """The error about an unknown model."""
    return NotFound(
        f"Logged model with ID '{model[:256]}' not found", remedy="Take it from the run's outputs."
    )


def experiment_of(project: str) -> str:
    """MLflow's id of the experiment that a project is."""
    if project == DEFAULT_PROJECT:
        return DEFAULT_EXPERIMENT
    if _SAFE.fullmatch(project) and project != DEFAULT_EXPERIMENT and not _DIGEST.fullmatch(project):
        return project
    return f"x-{blake2b(project.encode(), digest_size=20).hexdigest()}"


def project_of(experiment: str, projects: Iterable[str]) -> str | None:
    """The project behind an experiment's id; ``None`` if there is none among `projects`."""
    if experiment == DEFAULT_EXPERIMENT:
        return DEFAULT_PROJECT
    return next((project for project in projects if experiment_of(project) == experiment), None)


def new_project(name: str, taken: Iterable[str]) -> str:
    """The id of the project that an experiment of this name becomes: the name itself if it may be one."""
    used = set(taken) | {DEFAULT_PROJECT}
    plain = _NOT_PROJECT.sub("-", name).strip("-.")
    if plain == name and _SAFE.fullmatch(name) and name not in used:
        return name
    for count in range(len(used) + 2):
        digest = blake2b(f"{count} {name}".encode(), digest_size=4).hexdigest()
        project = f"{plain[: LONGEST_PROJECT - 9].lower() or 'experiment'}-{digest}"
        if project not in used:
            return project
    raise AssertionError("more names than there are projects were taken")


def _keyed(identity: str, purpose: str, content: bytes) -> bytes:
    key = blake2b(identity.encode(), digest_size=32).digest()
    return blake2b(content, digest_size=8, key=key, person=purpose.encode()).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))
