"""A run's parameters, by key or by attribute."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.tracking import given

Record = Callable[[Mapping[str, Any]], None]


def read_only(changes: Mapping[str, Any]) -> None:
    """The recorder of parameters that belong to no open run."""
    field = f"params.{next(iter(changes), '')}"
    raise InvalidValue(field, "belongs to no open run", remedy="Set it on the run itself.")


class RunParams(dict[str, Any]):
    """Parameters of a run: what is set here is recorded.

    Reading gives what was set; the log keeps numbers and texts as they are, and the text of anything else.

    Args:
        values: What the run has already; not recorded again.
        fixed: Names that an experiment assigned; they cannot be set or deleted.
        record: Takes changes by name; ``None`` removes.
    """

    __slots__ = ("_fixed", "_record")

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        fixed: Collection[str] = (),
        record: Record = read_only,
    ) -> None:
        super().__init__(values or {})
        object.__setattr__(self, "_fixed", frozenset(fixed))
        object.__setattr__(self, "_record", record)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "none yet"
            raise AttributeError(f"no parameter {name!r}; this run has {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(f"no parameter {name!r}")
        del self[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        self._refuse_fixed((name,))
        super().__delitem__(name)
        self._record({name: None})

    def __ior__(self, other: Any) -> RunParams:  # type: ignore[override, misc]
        self.update(other)
        return self

    def update(self, *values: Any, **more: Any) -> None:
        """Set several at once: all of them, or none if one is refused."""
        changes = dict(*values, **more)
        kept = given.facts(changes, "params")
        self._refuse_fixed(kept)
        super().update(zip(kept, changes.values(), strict=True))
        if kept:
            self._record(kept)

    def setdefaults(self, *values: Any, **more: Any) -> RunParams:
        """Set those that the run does not have yet."""
        wanted = dict(*values, **more)
        self.update({name: value for name, value in wanted.items() if name not in self})
        return self

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of `name`, which is set to `default` if the run does not have it."""
        self.setdefaults({name: default})
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a parameter and give its value."""
        if name not in self and default:
            return default[0]
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the parameter that was set last."""
        if not self:
            raise KeyError("this run has no parameters")
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        """Remove all parameters."""
        self._refuse_fixed(self)
        names = list(self)
        super().clear()
        if names:
            self._record(dict.fromkeys(names))

    def __reduce__(self) -> tuple[Any, ...]:
        return RunParams, (dict(self),)

    def _refuse_fixed(self, names: Collection[str]) -> None:
        for name in names:
            if name in self._fixed:
                rule = "was assigned by the experiment and cannot be changed"
                remedy = "Use another name for a value of your own."
                raise InvalidValue(f"params.{name}", rule, remedy=remedy)
