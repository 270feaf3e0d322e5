"""Every error that Heliostat raises on purpose.

::

    HeliostatError                 has .code, .rule, .given, .remedy
    ├── InvalidValue (ValueError)  a declared or reported value breaks a rule; has .field
    ├── Unsupported (ValueError)   two declared things cannot work together, or a searcher lacks a capability
    ├── NotFound (LookupError)     no object with that id, name or key
    ├── Conflict                   the same key was used for another write, or the object moved on
    │   └── StaleSession           a newer process owns the experiment; this one must stop writing
    ├── StorageError (OSError)     the run log could not write or read (disk full, corrupt file, closed)
    └── NoFeasiblePoint            no assignment meets all constraints

Each text has the fixed form *rule, given, remedy*; each class of rule has a stable code for searching.
"""

from __future__ import annotations

from typing import Any

_MISSING = object()


OVERTAKEN = "HS-CONFLICT-003"
"""Code of the conflict that another run was made meanwhile: propose anew."""


class HeliostatError(Exception):
    """Root of the tree.

    Args:
        rule: What must hold, in one clause.
        given: The value that broke the rule; left out of the text when not passed.
        remedy: What to do about it, in one sentence.
        code: Stable identifier, such as ``HS-SPACE-001``.
    """

    default_code = "HS-000"

    def __init__(self, rule: str, *, given: Any = _MISSING, remedy: str = "", code: str = "") -> None:
        self.rule = rule
        self.given = None if given is _MISSING else given
        self.remedy = remedy
        self.code = code or self.default_code
        text = rule if given is _MISSING else f"{rule}, got {_shown(given)}"
        text = f"{text.rstrip('.')}."
        super().__init__(f"{text} {remedy} [{self.code}]" if remedy else f"{text} [{self.code}]")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class InvalidValue(HeliostatError, ValueError):
    """A declared or reported value breaks a rule.

    Args:
        field: Path of the value, such as ``parameters[2].bounds.min``.
        rule: What must hold.
        given: The value received.
        remedy: What to write instead.
        code: Stable identifier.
    """

    default_code = "HS-VALUE-001"

    def __init__(
        self, field: str, rule: str, *, given: Any = _MISSING, remedy: str = "", code: str = ""
    ) -> None:
        self.field = field
        super().__init__(f"{field}: {rule}", given=given, remedy=remedy, code=code)


class Unsupported(HeliostatError, ValueError):
    """Two declared things cannot work together, or a searcher lacks a capability."""

    default_code = "HS-UNSUPPORTED-001"


class NotFound(HeliostatError, LookupError):
    """No object with that id, name or key."""

    default_code = "HS-NOTFOUND-001"


class Conflict(HeliostatError):
    """The same key was used for another write, or the object is no longer in the state the write needs."""

    default_code = "HS-CONFLICT-001"


class StaleSession(Conflict):
    """A newer process owns the experiment (epoch fencing); this one must stop writing."""

    default_code = "HS-CONFLICT-002"


class StorageError(HeliostatError, OSError):
    """The run log could not write or read: disk full, damaged file, closed store."""

    default_code = "HS-STORAGE-001"


class NoFeasiblePoint(HeliostatError):
    """No assignment was found that meets all constraints of the space."""

    default_code = "HS-SPACE-900"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:160]}… ({len(text)} characters)"


def _rebuild(kind: type[HeliostatError], args: tuple[Any, ...], state: dict[str, Any]) -> HeliostatError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def no_experiment(id: int) -> NotFound:
    """The error for an unknown experiment."""
    remedy = "List the known ones with log.experiments() or: heliostat ls"
    return NotFound("no experiment has this id", given=id, remedy=remedy, code="HS-NOTFOUND-002")


def no_run(id: int) -> NotFound:
    """The error for an unknown run."""
    remedy = "List the known ones with log.runs()."
    return NotFound("no run has this id", given=id, remedy=remedy, code="HS-NOTFOUND-003")


def no_report(id: int) -> NotFound:
    """The error for an unknown frozen report."""
    remedy = "List an experiment's with log.reports(experiment)."
    return NotFound("no report has this id", given=id, remedy=remedy, code="HS-NOTFOUND-006")
