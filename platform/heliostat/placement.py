"""Where trials can run: what each asks for, in bundles, against what the nodes of a cluster have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue

STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")

_DEVICES = ("gpu", "neuron_cores", "tpu", "npu", "hpu")
"""Resources that are devices: a part of one can be asked for, or several whole ones."""

Bundle = Mapping[str, float]


@dataclass(frozen=True)
class Request:
    """What one trial asks for.

    Args:
        bundles: Each on one node: resource in small letters → amount, ``memory`` in bytes. An empty first one
            means that the trial's own process needs nothing.
        strategy: One of :data:`STRATEGIES`.
    """

    bundles: tuple[Bundle, ...]
    strategy: str = "PACK"

    @property
    def total(self) -> dict[str, float]:
        """The sum over all bundles."""
        return _sum(self.bundles)

    @property
    def needs_gpu(self) -> bool:
        """Whether any bundle asks for a GPU, or a part of one."""
        return self.total.get("gpu", 0) > 0


def read_request(value: Any) -> Request:
    """A request from a mapping, ``{"cpu": 2, "gpu": 0.25}``, or from Ray Tune's ``PlacementGroupFactory``.

    Raises:
        InvalidValue: An amount is no number above 0, or a part of several devices.
    """
    if isinstance(value, Request):
        return value
    bundles = getattr(value, "bundles", None)
    if bundles is None:
        data = schema.mapping(value, "resources")
        return Request((_read_bundle({**data, **data.get("custom_resources", {})}, "resources"),))
    own = [_read_bundle(item, f"resources.bundles[{place}]") for place, item in enumerate(bundles)]
    head: list[Bundle] = [{}] if getattr(value, "head_bundle_is_empty", False) else []
    return Request((*head, *own), str(getattr(value, "strategy", "PACK")))


def refuse_unmeetable(request: Request, nodes: Iterable[Bundle]) -> None:
    """Refuse what no node, or not all nodes together, could ever hold: a sweep would wait for it silently.

    Whether bundles that fit one by one and in sum can be packed is left to Ray.

    Args:
        request: What a trial asks for.
        nodes: What each living node has in all, with any spelling of the names.

    Raises:
        InvalidValue: Names the resource, what was asked for, and the biggest node.
    """
    known = [{name.lower(): amount for name, amount in node.items()} for node in nodes]
    if request.strategy == "STRICT_PACK":
        _refuse_on_one_node(request.total, known, "on one node (STRICT_PACK)")
    for bundle in request.bundles:
        _refuse_on_one_node(bundle, known, "")
    if request.strategy == "STRICT_SPREAD":
        _refuse_without_a_node_each(request.bundles, known)
    have = _sum(known)
    for name, amount in request.total.items():
        if amount > have.get(name, 0.0):
            rule = f"the cluster's {len(known)} nodes have {have.get(name, 0.0):g} {name} together"
            raise _unmeetable(name, rule, amount)


def _read_bundle(bundle: Mapping[str, Any], field: str) -> Bundle:
    read = {}
    for key, value in bundle.items():
        name = str(key).lower()
        if name == "custom_resources":
            continue
        path = f"{field}.{name}"
        amount = schema.number(value, path)
        if amount < 0:
            raise InvalidValue(path, "must not be negative", given=value)
        if name in _DEVICES and amount > 1 and amount != int(amount):
            remedy = "Ask for a part of one, such as 0.25, or for whole ones."
            raise InvalidValue(path, "must be whole above 1", given=value, remedy=remedy)
        if amount > 0:
            read[name] = amount
    return read


def _refuse_on_one_node(bundle: Bundle, nodes: Sequence[Bundle], where: str) -> None:
    for name, amount in bundle.items():
        largest = max(nodes, key=lambda node: node.get(name, 0.0), default={})
        most = largest.get(name, 0.0)
        which = _address(largest) if most else ""
        if amount > most:
            rule = f"no node of the cluster has so much {name} (the biggest{which} has {most:g})"
            raise _unmeetable(name, f"{rule} {where}".rstrip(), amount)
    if bundle and not any(_holds(node, bundle) for node in nodes):
        shown = ", ".join(f"{amount:g} {name}" for name, amount in bundle.items())
        biggest = max(nodes, key=lambda node: sum(min(1.0, node.get(n, 0) / a) for n, a in bundle.items()))
        has = ", ".join(f"{biggest.get(name, 0.0):g} {name}" for name in bundle)
        nearest = f"the nearest{_address(biggest)} has {has}"
        rule = f"no node of the cluster has all of it at once ({nearest}) {where}".rstrip()
        raise _unmeetable("", rule, shown)


def _address(node: Bundle) -> str:
    """Which node it is, where Ray says so: each living one has a resource of its address's name."""
    names = [name.removeprefix("node:") for name in node if name.startswith("node:")]
    return next((f", {name}," for name in names if name != "__internal_head__"), "")


def _refuse_without_a_node_each(bundles: Sequence[Bundle], nodes: Sequence[Bundle]) -> None:
    """Find a node of its own for each bundle by augmenting paths (a maximum bipartite matching)."""
    taken: dict[int, int] = {}

    def place(bundle: int, seen: set[int]) -> bool:
        for node, has in enumerate(nodes):
            if node not in seen and _holds(has, bundles[bundle]):
                seen.add(node)
                if node not in taken or place(taken[node], seen):
                    taken[node] = bundle
                    return True
        return False

    placed = sum(place(bundle, set()) for bundle in range(len(bundles)) if bundles[bundle])
    wanted = sum(bool(bundle) for bundle in bundles)
    if placed < wanted:
        rule = f"only {placed} of the cluster's {len(nodes)} nodes can take a bundle each (STRICT_SPREAD)"
        raise _unmeetable("", rule, f"{wanted} bundles")


def _unmeetable(name: str, rule: str, given: Any) -> InvalidValue:
    remedy = "Ask for less per trial, or add a node; a sweep would wait for ever."
    return InvalidValue(f"resources.{name}" if name else "resources", rule, given=given, remedy=remedy)


def _holds(node: Bundle, bundle: Bundle) -> bool:
    return all(node.get(name, 0.0) >= amount for name, amount in bundle.items())


def _sum(bundles: Iterable[Bundle]) -> dict[str, float]:
    total: dict[str, float] = {}
    for bundle in bundles:
        for name, amount in bundle.items():
            total[name] = total.get(name, 0.0) + amount
    return total
