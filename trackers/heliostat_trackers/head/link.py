"""The way from any process of a Ray cluster to the actor that holds a log's file."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from heliostat import cluster
from heliostat.errors import StorageError
from heliostat.writes import Reply
from heliostat_trackers.head.actor import BATCHES, GROUPS, Greeting, HeadLog
from heliostat_trackers.head.place import Place
from heliostat_trackers.head.wire import unpacked_answer, unpacked_outcomes

NAMESPACE = "heliostat"

_HEAD_NODE = "node:__internal_head__"
_PAUSE_SECONDS = 0.2


class Unreachable(Exception):
    """The actor could not be asked, or did not answer; the call may be repeated."""


class Link:
    """Calls to the actor of one log; starts it where there is none.

    Args:
        place: The file.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._actor: Any = None
        self._lock = threading.Lock()

    def post(self, client: str, number: int, first: int, writes: Sequence[bytes]) -> Future[bytes | None]:
        """Send a batch of writes; see :meth:`heliostat_trackers.head.actor.HeadLog.write`.

        Raises:
            Unreachable: It was not sent.
        """
        reference = self._called("write", client, number, first, list(writes))
        try:
            posted: Future[bytes | None] = reference.future()
        except Exception as error:
            raise Unreachable(str(error)) from error
        posted.add_done_callback(self._notice)
        return posted

    def ask(self, name: str, *args: Any, patience: float, **options: Any) -> Any:
        """Read from the log; repeated until there is an answer.

        Raises:
            StorageError: No answer in `patience` seconds, or a fault of the actor.
            HeliostatError: What the log raises.
        """
        return self._answer("read", (name, args, options), patience)

    def greet(self, patience: float) -> Greeting:
        """Wait until the actor has opened the file.

        Raises:
            StorageError: It cannot, or does not answer in `patience` seconds.
        """
        greeting: Greeting = self._answer("greet", (), patience)
        return greeting

    def forget(self) -> None:
        """Look the actor up anew with the next call."""
        with self._lock:
            self._actor = None

    def stop(self) -> None:
        """End the actor; it is not restarted until somebody looks for it."""
        check_connected()
        try:
            actor = ray.get_actor(self._place.actor, namespace=NAMESPACE)
        except ValueError:
            return
        ray.kill(actor)

    def _notice(self, posted: Future[bytes | None]) -> None:
        if isinstance(posted.exception(), RayError):
            self.forget()  # it may be dead for good, and another one be started

    def _answer(self, method: str, args: tuple[Any, ...], patience: float) -> Any:
        deadline = time.monotonic() + patience
        while True:
            check_connected()
            try:
                reference = self._called(method, *args)
                left = max(0.0, deadline - time.monotonic())
                return unpacked_answer(ray.get(reference, timeout=left))
            except RayTaskError as error:
                raise broken(error) from error
            except (RayError, Unreachable) as error:
                self.forget()
                if time.monotonic() + _PAUSE_SECONDS > deadline:
                    raise self._silent(patience, error) from error
            time.sleep(_PAUSE_SECONDS)

    def _silent(self, patience: float, error: Exception) -> StorageError:
        rule = f"the run log {self._place.url} did not answer within {patience:g} s"
        if not isinstance(error, GetTimeoutError):
            rule = f"{rule} ({str(error).strip().partition(chr(10))[0]})"
        remedy = "See `ray status`: the head node must be up and have memory for one more process."
        return StorageError(rule, remedy=remedy, code="HS-STORAGE-031")

    def _called(self, method: str, *args: Any) -> Any:
        # Ray would start a cluster of its own where none is connected.
        if not ray.is_initialized():
            raise Unreachable("this process is not connected to a Ray cluster")
        try:
            with self._lock:
                if self._actor is None:
                    self._actor = self._found()
                actor = self._actor
            return getattr(actor, method).remote(*args)
        except Exception as error:  # Ray raises bare Exceptions for actors of another cluster
            self.forget()
            raise Unreachable(str(error)) from error

    def _found(self) -> Any:
        """The actor of this log, started on the head node if there is none."""
        actor = ray.remote(concurrency_groups=GROUPS)(HeadLog)
        options = actor.options(
            name=self._place.actor,
            namespace=NAMESPACE,
            get_if_exists=True,
            lifetime="detached",
            max_restarts=-1,
            # Repeating a call is the client's business: it must keep its order and its deadline.
            max_task_retries=0,
            max_concurrency=BATCHES,
            num_cpus=0,
            # A resource and not a node's id: a head node that was started again has another one.
            resources={_HEAD_NODE: 0.001},
        )
        return options.remote(str(self._place.path))


_forked = threading.Event()
"""Set in a child of a connected process: what it has copied of Ray does not work."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _forked.set() if ray.is_initialized() else None)


def check_connected() -> None:
    """Join the cluster that ``RAY_ADDRESS`` names, if any; never start one.

    Raises:
        StorageError: This process belongs to no cluster, or was forked from one that does.
    """
    if _forked.is_set():
        rule = "a process forked from one that is connected to Ray cannot reach the cluster"
        remedy = "Log from the process that Ray started, or start children with the method 'spawn'."
        raise StorageError(rule, remedy=remedy, code="HS-STORAGE-010")
    if ray.is_initialized():
        return
    address = os.environ.get(cluster.ADDRESS)
    if not address or address == "local":
        rule = "a ray:// log is reached through a Ray cluster, and this process is not connected to one"
        remedy = (
            "Call heliostat.cluster.connect() or ray.init() first, or set RAY_ADDRESS; on the head node the "
            "file can be read without Ray by its path."
        )
        raise StorageError(rule, remedy=remedy, code="HS-STORAGE-030")
    try:
        cluster.connect()
    except (ConnectionError, RuntimeError) as error:
        rule = (
            f"a ray:// log is reached through a Ray cluster, and RAY_ADDRESS does not lead to one ({error})"
        )
        remedy = "See `ray status`; on the head node the file can be read without Ray by its path."
        raise StorageError(rule, remedy=remedy, code="HS-STORAGE-030") from error


def is_worker() -> bool:
    """Whether this process was started by Ray to run tasks or an actor."""
    worker = getattr(ray.get_runtime_context(), "worker", None)  # Ray Client's context has none
    return bool(getattr(worker, "mode", None) == ray.WORKER_MODE)


def outcomes_of(posted: Future[bytes | None], count: int) -> list[Reply | Exception] | None:
    """What an answered :meth:`Link.post` says of each write; ``None`` if it must be repeated."""
    error = posted.exception()
    if isinstance(error, RayTaskError):
        return [broken(error) for _ in range(count)]
    data = None if error is not None else posted.result()
    if data is None:
        return None
    try:
        return unpacked_outcomes(data)
    except Exception as unreadable:  # another Heliostat's
        return [broken(unreadable) for _ in range(count)]


def broken(error: BaseException) -> StorageError:
    """A fault of the actor's code, which no repetition mends."""
    cause = getattr(error, "cause", None) or error
    rule = f"the run log's actor failed ({type(cause).__name__}: {cause})"
    remedy = "Install the same Heliostat on all nodes; see the actor's log in Ray's session folder."
    return StorageError(rule, remedy=remedy, code="HS-STORAGE-034")
