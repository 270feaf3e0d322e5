"""What the core asks of searchers and of the run log, and nothing about how they do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from heliostat.experiment import ExperimentSpec
from heliostat.query import RunPage, RunQuery
from heliostat.space import Value
from heliostat.trial import History, Proposal, Run
from heliostat.writes import Reply, Write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CAPABILITIES = {
    "multimetric": "two or more optimized metrics",
    "guardrails": "constraint metrics beside optimized ones",
    "active_search": "constraint metrics only",
    "conditionals": "parameters with conditions",
    "linear_constraints": "linear constraints over parameters",
    "tasks": "cheaper proxies of the objective",
    "multisolution": "several good and different solutions",
    "transfer": "warm start from other experiments",
}
"""What a searcher may declare that it can do; an experiment that needs more is refused when it is created."""


@runtime_checkable
class Searcher(Protocol):
    """Decides what to try next.

    A searcher is a function in the shape of an object: what it returns depends on its arguments alone. It may
    keep costly intermediate results, which may vanish at any time and then change nothing but time.
    """

    capabilities: ClassVar[frozenset[str]]
    """Names from :data:`CAPABILITIES`."""

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` legal proposals, distinct from each other and from open runs.

        Args:
            spec: The declared experiment.
            history: Its runs so far; open ones are pending.
            count: How many are wanted, at least 1.
            rng: The only source of randomness.

        Returns:
            `count` proposals, or fewer if the search space is exhausted.
        """
        ...


@runtime_checkable
class Checker(Protocol):
    """What a searcher may be beside: one that cannot run every experiment that its capabilities allow."""

    def check(self, spec: ExperimentSpec) -> None:
        """Refuse, when an experiment is created or changed, what :meth:`Searcher.suggest` could not do.

        Raises:
            InvalidValue: Or ``Unsupported``, with what to declare instead.
        """
        ...


@runtime_checkable
class Recommender(Protocol):
    """What a searcher may be beside: one that says which point it believes to be the best.

    With noise that is not the one that happened to be measured best.
    """

    def recommend(self, spec: ExperimentSpec, history: History) -> Proposal | None:
        """The point to use, a measured one or not, with its predictions; ``None`` if it cannot tell."""
        ...


@dataclass(frozen=True, eq=False)
class Expected:
    """What a model expects of one metric at `b` points, in the metric's unit.

    Args:
        mean: Shape ``b``.
        stddev: Of the metric itself, without the noise of a measurement, shape ``b``.
    """

    mean: NDArray[np.float64]
    stddev: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Results of one metric, each beside what the model expects of it from all the others.

    Args:
        numbers: Of the `n` runs that the model learned from.
        observed: Their values, shape ``n``.
        expected: Of a measurement there, noise included.
    """

    numbers: tuple[int, ...]
    observed: NDArray[np.float64]
    expected: Expected


class Surrogate(Protocol):
    """A model of the steering metrics, fitted to an experiment's runs."""

    def at(self, points: Sequence[Mapping[str, Value]]) -> Mapping[str, Expected]:
        """What it expects of each steering metric at legal assignments, on the full task."""
        ...

    def left_out(self) -> Mapping[str, CrossValidation]:
        """Leave-one-out cross-validation of each steering metric."""
        ...


@runtime_checkable
class Modeller(Protocol):
    """What a searcher may be beside: one that shows the model it decides by."""

    def surrogate(self, spec: ExperimentSpec, history: History) -> Surrogate | None:
        """The model of these runs; ``None`` while they cannot be modelled."""
        ...


@dataclass(frozen=True)
class ExperimentRecord:
    """An experiment as the log knows it.

    Args:
        id: Identity in the log.
        spec: Its declaration.
        created: Seconds since the epoch.
        epoch: Number of sessions opened on it so far.
        counts: Number of runs by state.
        updated: Time of the last change of the declaration.
        archived: Hidden from lists.
    """

    id: int
    spec: ExperimentSpec
    created: float
    epoch: int
    counts: Mapping[str, int]
    updated: float = 0.0
    archived: bool = False


@dataclass(frozen=True)
class ProjectRecord:
    """A named folder of experiments and runs.

    Args:
        id: As experiments and runs name it.
        name: For people.
        created: Seconds since the epoch.
        updated: Time of its last change.
        metadata: Free facts.
        archived: Hidden from lists.
        experiments: How many there are.
        runs: How many there are.
    """

    id: str
    name: str
    created: float
    updated: float
    metadata: Mapping[str, Any]
    archived: bool
    experiments: int
    runs: int


@dataclass(frozen=True)
class FileRecord:
    """A file of a run, without its content; `md5` and `size` (bytes) are the content's."""

    id: int
    run: int
    name: str
    filename: str | None
    content_type: str
    size: int
    md5: str
    created: float


@dataclass(frozen=True)
class ReportRecord:
    """A frozen report, without its page; `md5` and `size` (bytes) are those of the compressed page.

    `place` is the last place in the log when it was frozen.
    """

    id: int
    experiment: int
    title: str
    comment: str
    kind: str
    user: str
    place: int
    size: int
    md5: str
    created: float


@dataclass(frozen=True)
class SuggestionRecord:
    """Assignments to try; `state` is one of :data:`heliostat.writes.SUGGESTION_STATES`."""

    id: int
    experiment: int
    assignments: Mapping[str, Any]
    state: str
    task: str | None
    origin: str
    why: str
    metadata: Mapping[str, Any]
    created: float
    run: int | None


@dataclass(frozen=True)
class Note:
    """One version of a project's notes."""

    id: int
    project: str
    text: str
    user: str
    created: float


@dataclass(frozen=True)
class Tag:
    """A declared tag; `color` is ``#RRGGBB``."""

    id: int
    name: str
    color: str


@dataclass(frozen=True)
class TokenRecord:
    """An admitted secret, by its SHA-256 `digest`; `permissions` is ``read`` or ``write``."""

    id: int
    digest: str
    name: str
    permissions: str
    user: str
    created: float
    expires: float | None
    revoked: bool


@dataclass(frozen=True)
class Event:
    """One applied write.

    Args:
        seq: Its place in the log.
        time: By the writer's clock.
        kind: Name of the write, such as ``FinishRun``.
        experiment: Its experiment, if any.
        run: Its run, if any.
        body: A few facts for readers (state, number, last step, …), not the whole write.
    """

    seq: int
    time: float
    kind: str
    experiment: int | None
    run: int | None
    body: Mapping[str, Any]


class RunLog(Protocol):
    """The durable record of every run.

    Safe for use by many threads. Reads see every write that was acknowledged before them.
    """

    url: str
    """Where it lies, for printing and storing: without secrets."""

    private_url: str
    """With the secrets that :attr:`url` leaves out: for the user's own processes, never for printing."""

    @property
    def identity(self) -> str:
        """A text that no other log has; copies made by back-up keep it."""
        ...

    def submit(self, write: Write) -> Future[Reply]:
        """Queue a write; the future is done once it is durable, or holds the error that refused it.

        Errors: ``NotFound`` (unknown run or experiment), ``Conflict``, ``StaleSession``, ``StorageError``.
        Writes of one thread are applied in the order of their submission. A closed log and a value without
        a JSON form are refused at once: ``StorageError``, ``InvalidValue``.
        """
        ...

    def apply(self, write: Write) -> Reply:
        """:meth:`submit` and wait."""
        ...

    def experiments(self, project: str | None = None) -> list[ExperimentRecord]:
        """All experiments (of a project), oldest first."""
        ...

    def experiment(self, id: int) -> ExperimentRecord:
        """One experiment; raises ``NotFound``."""
        ...

    def runs(
        self, experiment: int | None = None, *, project: str | None = None, curves: bool = False
    ) -> list[Run]:
        """Runs by creation order; with `curves`, the present attempt's curve of each."""
        ...

    def run(self, id: int) -> Run:
        """One run with its curve; raises ``NotFound``."""
        ...

    def query(self, query: RunQuery, *, project: str | None = None, experiment: int | None = None) -> RunPage:
        """The runs that a query asks for, without curves; as :func:`heliostat.query.answer` over all runs."""
        ...

    def texts(self, run: int) -> dict[str, str]:
        """The texts of the run's present attempt by stream (``stdout``, ``stderr``, ``source``, …)."""
        ...

    def files(self, run: int) -> list[FileRecord]:
        """A run's files, oldest first."""
        ...

    def file(self, id: int) -> tuple[FileRecord, bytes]:
        """One file and its content; raises ``NotFound``."""
        ...

    def reports(self, experiment: int) -> list[ReportRecord]:
        """An experiment's frozen reports, oldest first."""
        ...

    def report(self, id: int) -> tuple[ReportRecord, bytes]:
        """A frozen report and its page, HTML compressed by gzip; raises ``NotFound``."""
        ...

    def projects(self) -> list[ProjectRecord]:
        """All projects, oldest first."""
        ...

    def notes(self, project: str) -> list[Note]:
        """Versions of a project's notes, oldest first."""
        ...

    def tags(self) -> list[Tag]:
        """Declared tags, oldest first."""
        ...

    def suggestions(self, experiment: int) -> list[SuggestionRecord]:
        """An experiment's suggestions, oldest first; deleted ones are among them."""
        ...

    def tokens(self) -> list[TokenRecord]:
        """Admitted secrets, oldest first; revoked ones are among them."""
        ...

    def events(
        self,
        after: int = 0,
        limit: int = 1000,
        *,
        experiment: int | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[Event]:
        """Up to `limit` events with ``seq > after``, in order; of one experiment, of some kinds, if said."""
        ...

    def last_event(self, experiment: int | None = None) -> int:
        """The place of the last event (of an experiment); 0 if there is none."""
        ...

    def flush(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        ...

    def close(self) -> None:
        """Flush and release the store; further writes raise ``StorageError``. May be called twice."""
        ...
