"""What was asked of a cluster and what its nodes answered."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_SKEW = 1.0
"""Seconds between clocks: leases last 30 s, and the order of events does not hang on clocks."""


@dataclass(frozen=True)
class Question:
    """What a user wants of the cluster.

    Args:
        log: URL of the run log, empty for none.
        storage: Folder or URL that all nodes shall share, such as a sweep's ``storage_path``; empty for none.
        service: Address of the service, such as ``http://head:8000``; empty for none.
        nodes: How many living nodes there must be.
        gpus: How many GPUs they must have together.
        max_skew: Seconds that a clock may differ from the one that asks.
        patience: Seconds that a node has for its answer.
    """

    log: str = ""
    storage: str = ""
    service: str = ""
    nodes: int = 1
    gpus: float = 0
    max_skew: float = MAX_SKEW
    patience: float = 60.0


@dataclass(frozen=True)
class Listener:
    """A TCP port that something listens on.

    Args:
        name: What is usually there: ``dashboard``, ``GCS``, ``Ray Client``, …
        address: Local address; ``0.0.0.0`` or ``::`` for all of them.
        port: Its number.
        needs_token: Whether Ray's token protects it.
    """

    name: str
    address: str
    port: int
    needs_token: bool = True

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.address.startswith("127.") or self.address == "::1"


@dataclass(frozen=True)
class Mark:
    """The outcome of one trial action on a node: empty texts mean that it went well.

    Args:
        error: Why it did not work.
        missing: Names of nodes whose file was not seen there (shared storage).
    """

    error: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeFacts:
    """The answer of one node.

    Args:
        node: What people call it: its address, and its host's name where that helps.
        host: Name of its machine.
        versions: Package → version; empty where a package is missing.
        skew: Seconds that its clock is ahead of the one that asked, negative if behind.
        uncertainty: Half the time that the answer took, in seconds.
        declared_gpus: What Ray was told.
        seen_gpus: What the driver shows; ``None`` if nothing asks for GPUs there.
        auth: ``token``, ``disabled``, …: Ray's mode in its workers.
        listeners: Known ports of Ray that something listens on.
        log: Whether the run log could be read and written.
        storage: Whether the storage could be written, and is shared.
        service: Whether the service answered that it is ready.
        error: Why the node did not answer at all.
    """

    node: str
    host: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    skew: float = 0.0
    uncertainty: float = 0.0
    declared_gpus: float = 0.0
    seen_gpus: int | None = None
    auth: str = ""
    listeners: tuple[Listener, ...] = ()
    log: Mark | None = None
    storage: Mark | None = None
    service: Mark | None = None
    error: str = ""


@dataclass(frozen=True)
class ClusterFacts:
    """The answers of all nodes that live, the head node first.

    Args:
        nodes: One for each.
        dashboard: Address of the dashboard; empty without one.
        dashboard_status: HTTP status of a call without a token; ``None`` if nothing answered.
    """

    nodes: tuple[NodeFacts, ...]
    dashboard: str = ""
    dashboard_status: int | None = None
