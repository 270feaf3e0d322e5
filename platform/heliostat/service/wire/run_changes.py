"""What a call wants of a run, read from its body and laid over the run; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.service.wire.fields import evaluations, named, nested, scalars, text
from heliostat.service.wire.run_objects import HIDDEN, SOURCE
from heliostat.tracking import given
from heliostat.trial import Run
from heliostat.writes import LogText, UpdateRun, Write

FIELDS = (
    "assignments", "assignments_meta", "assignments_sources", "datasets", "deleted", "dev_metadata",
    "favorite", "logs", "metadata", "model", "name", "note", "source_code", "state", "sys_metadata", "tags",
    "values",
)  # fmt: skip
STATES = ("active", "completed", "failed")
LONGEST_LOG = 4 * 2**20
"""Characters of one text of a run in one call; SigOpt kept about 1 KB."""

_MAPS = (
    "assignments", "parameter_sources", "sources", "datasets", "metadata", "dev_metadata", "sys_metadata",
    "values",
)  # fmt: skip
_KEYS = {
    "parameter_sources": "assignments_meta",
    "sources": "assignments_sources",
}


@dataclass(frozen=True)
class RunChange:
    """What is to become of a run; a missing fact stays as it is.

    Args:
        maps: By attribute of a run: the keys to lay over it; ``None`` removes a key.
        facts: Texts and flags by field of :class:`UpdateRun`.
        texts: By stream.
        state: The state on the wire that it shall have.
        given: The keys of the body.
    """

    maps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    state: str | None = None
    given: frozenset[str] = frozenset()

    @property
    def is_nested(self) -> bool:
        """Whether something lies so deep that the present run must be known to lay it over."""
        deep = ("sources", "datasets", "sys_metadata")
        return any(isinstance(item, Mapping) for name in deep for item in self.maps.get(name, {}).values())

    def laid_over(self, run: Run) -> RunChange:
        """The same change with objects merged into those of the run, deeply; null removes."""
        maps = {
            name: {
                key: _merged(getattr(run, name).get(key), item) if isinstance(item, Mapping) else item
                for key, item in found.items()
            }
            for name, found in self.maps.items()
        }
        return replace(self, maps=maps)

    def instead_of(self, run: Run) -> RunChange:
        """The change after which the mappings that are given are all there is."""
        maps = dict(self.maps)
        for name in _MAPS:
            if _KEYS.get(name, name) in self.given:
                kept = {HIDDEN} if name == "sys_metadata" else set()
                gone = {key: None for key in getattr(run, name) if key not in kept}
                maps[name] = {**gone, **{k: v for k, v in self.maps.get(name, {}).items() if v is not None}}
        if "tags" in self.given:
            maps["tags"] = {**dict.fromkeys(run.tags, False), **self.maps.get("tags", {})}
        return replace(self, maps=maps)

    def update(self, run: int, time: float, key: str) -> UpdateRun | None:
        """The write that makes it so, but for texts and the state; ``None`` if nothing else is changed."""
        if not self.facts and not any(self.maps.values()):
            return None
        fields: dict[str, Any] = {**self.maps, **self.facts}
        return UpdateRun(run, time=time, key=key, **fields)

    def writes(self, run: int, time: float, key: str) -> Iterator[Write]:
        """All writes but the end."""
        update = self.update(run, time, key)
        if update is not None:
            yield update
        for place, (stream, content) in enumerate(self.texts.items()):
            yield LogText(run, stream, content, time=time, replace=True, key=f"{key[:28]}t{place}")


def read_change(body: Mapping[str, Any], where: str = "") -> RunChange:
    """The change that a body asks for.

    Args:
        body: As it came.
        where: Path of the body in a larger one, with a dot at its end.

    Raises:
        InvalidValue: A field is unknown or breaks a rule; the error names it.
    """
    schema.only_keys(body, where.rstrip(".") or "the run", FIELDS)
    for key in ("state", "name"):
        if key in body and body[key] is None:
            raise InvalidValue(f"{where}{key}", "must not be null", remedy="Leave it out.")
    maps: dict[str, Mapping[str, Any]] = {
        "assignments": scalars(body.get("assignments"), f"{where}assignments"),
        "parameter_sources": _sources_of_parameters(body.get("assignments_meta"), f"{where}assignments_meta"),
        "sources": nested(body.get("assignments_sources"), f"{where}assignments_sources"),
        "datasets": nested(body.get("datasets"), f"{where}datasets"),
        "metadata": scalars(body.get("metadata"), f"{where}metadata"),
        "dev_metadata": scalars(body.get("dev_metadata"), f"{where}dev_metadata"),
        "sys_metadata": named(body.get("sys_metadata"), f"{where}sys_metadata"),
        "values": evaluations(body.get("values"), f"{where}values"),
        "tags": _tags(body.get("tags"), f"{where}tags"),
    }
    if HIDDEN in maps["sys_metadata"]:
        raise InvalidValue(f"{where}sys_metadata.{HIDDEN}", "is kept by the service itself")
    state = body.get("state")
    return RunChange(
        {name: found for name, found in maps.items() if found},
        _facts(body, where),
        _texts(body, where),
        None if state is None else schema.choice(state, f"{where}state", STATES),
        frozenset(body),
    )


def _facts(body: Mapping[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "name" in body:
        found["name"] = given.name(body["name"], f"{where}name")
    if "note" in body:
        found["note"] = text(body["note"] or "", f"{where}note")
    for key, attribute in (("favorite", "favorite"), ("deleted", "archived")):
        if body.get(key) is not None:
            found[attribute] = schema.flag(body[key], f"{where}{key}")
    if "model" in body:
        model = schema.mapping(body["model"] or {}, f"{where}model")
        schema.only_keys(model, f"{where}model", ("object", "type"))
        kind = model.get("type")
        found["model"] = "" if kind is None else given.name(kind, f"{where}model.type")
    code = schema.mapping(body.get("source_code") or {}, f"{where}source_code")
    schema.only_keys(code, f"{where}source_code", ("object", "content", "hash"))
    if "hash" in code:
        found["source_hash"] = "" if code["hash"] is None else text(code["hash"], f"{where}source_code.hash")
    return found


def _texts(body: Mapping[str, Any], where: str) -> dict[str, str]:
    found = {
        stream: "" if log is None else _content(log, f"{where}logs.{stream}")
        for stream, log in named(body.get("logs"), f"{where}logs").items()
    }
    code = body.get("source_code") or {}
    if "content" in code:
        found[SOURCE] = text(code["content"] or "", f"{where}source_code.content", longest=LONGEST_LOG)
    return found


def _content(log: Any, where: str) -> str:
    if not isinstance(log, Mapping):
        return text(log, where, longest=LONGEST_LOG)
    schema.only_keys(log, where, ("object", "content"))
    return text(log.get("content") or "", f"{where}.content", longest=LONGEST_LOG)


def _sources_of_parameters(value: Any, where: str) -> dict[str, str | None]:
    found = {}
    for key, item in nested(value, where).items():
        if item is not None:
            schema.only_keys(item, f"{where}.{key}", ("source",))
        source = None if item is None else item.get("source")
        found[key] = None if source is None else given.name(source, f"{where}.{key}.source")
    return found


def _tags(value: Any, where: str) -> dict[str, bool]:
    """Tags by name: a list of those that are on, or names with true and false."""
    if isinstance(value, Mapping):
        return {given.name(key, where): schema.flag(item, f"{where}.{key}") for key, item in value.items()}
    return {given.name(item, where): True for item in schema.items(value or (), where)}


def _merged(before: Any, change: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(before) if isinstance(before, Mapping) else {}
    for key, item in change.items():
        if item is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), item) if isinstance(item, Mapping) else item
    return found
