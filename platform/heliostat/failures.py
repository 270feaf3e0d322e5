"""Kinds of failure: what an exception says of why a run broke off, and what follows from it.

Nothing is imported to find out: classes are known by their names, and texts by what the libraries write. So
every door (a loop, a sweep's worker, a callback on the driver) judges alike, with or without Ray and torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Consequence(str, Enum):
    """What a failure means for the search."""

    LEARNED = "learned"
    """The run has failed: the searcher avoids where it was."""

    RETRIED = "retried"
    """Nobody's fault: the run is tried again and teaches nothing."""

    SUSPECTED = "suspected"
    """Not known: the run is tried again, and learned once it has broken off each time."""


@dataclass(frozen=True)
class Kind:
    """A class of causes.

    Args:
        name: As :attr:`heliostat.trial.Failure.kind` has it.
        meaning: One line for people.
        consequence: What follows.
    """

    name: str
    meaning: str
    consequence: Consequence


_LEARNED, _RETRIED, _SUSPECTED = Consequence

KINDS = {
    kind.name: kind
    for kind in (
        Kind("gpu_oom", "the GPU's memory was not enough", _LEARNED),
        Kind("host_oom", "the machine's memory was not enough", _LEARNED),
        Kind("nan", "a steering metric, or a number on the way to it, was not finite", _LEARNED),
        Kind("missing_metric", "a steering metric was never reported", _LEARNED),
        Kind("bad_value", "a steering metric was reported as something that is no number", _LEARNED),
        Kind("timeout", "the run took longer than its limit", _LEARNED),
        Kind("preempted", "the machine was taken back, as had been announced", _RETRIED),
        Kind("user_error", "the code raised", _LEARNED),
        Kind("worker_died", "the worker process died on a machine that lives on", _SUSPECTED),
        Kind("lost", "the machine, its GPU or the way to it went away", _RETRIED),
    )
}
"""Every kind, the most telling first: of several causes the first counts."""

_CLASSES = {
    "torch.OutOfMemoryError": "gpu_oom",
    "torch.cuda.OutOfMemoryError": "gpu_oom",
    "cupy.cuda.memory.OutOfMemoryError": "gpu_oom",
    "ray.exceptions.OutOfMemoryError": "host_oom",
    "builtins.MemoryError": "host_oom",
    "builtins.FloatingPointError": "nan",
    "heliostat.failures.TimedOut": "timeout",
    "ray.train.v2.api.exceptions.PreemptionError": "preempted",
    "ray.exceptions.NodeDiedError": "lost",
    "ray.exceptions.LocalRayletDiedError": "lost",
    "ray.exceptions.ObjectLostError": "lost",
    "ray.exceptions.ActorUnavailableError": "lost",
    "ray.exceptions.RaySystemError": "lost",
    "ray.exceptions.RayActorError": "worker_died",
    "ray.exceptions.WorkerCrashedError": "worker_died",
}

_TEXTS = [
    # What a failed allocation on a device says: CUDA, HIP, XPU and MPS of torch, XLA, TensorFlow, XGBoost.
    ("gpu_oom", r"(CUDA|HIP|XPU|MPS backend)( error:)? out of memory"),
    ("gpu_oom", r"cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory"),
    ("gpu_oom", r"(CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT|HIPBLAS)_(STATUS_)?(\w+_)?ALLOC(ATION)?_FAILED"),
    ("gpu_oom", r"Cuda failure( \d+)? 'out of memory'|Failed to CUDA calloc"),
    ("gpu_oom", r"OOM when allocating tensor[^\n]*[Gg][Pp][Uu]"),
    ("gpu_oom", r"RESOURCE_EXHAUSTED: (XLA:TPU|Out of memory (while trying to allocate|allocating))"),
    # The memory of the host.
    ("host_oom", r"DefaultCPUAllocator: (can't|not enough memory)|std::bad_alloc|Cannot allocate memory"),
    ("host_oom", r"OOM when allocating tensor"),
    ("host_oom", r"due to the node running low on memory|NODE_OUT_OF_MEMORY"),
    ("host_oom", r"DataLoader worker \(pid[^)]*\) is killed by signal: (Killed|Bus error)"),
    # Numbers that are none, found by torch's anomaly detection, its distributions, its scaler.
    ("nan", r"returned nan values in its \d+th output|contains NaN|[Ll]oss( returned[^\n]*)? is (nan|NaN)"),
    ("nan", r"but found invalid values:\s*(tensor\()?\[*\s*-?nan"),
    # A peer or the device is gone; what took it is said elsewhere, if anywhere.
    ("lost", r"ncclRemoteError|remote process exited or there was a network error"),
    ("lost", r"Connection (closed by|reset by) peer \[|Connection closed by remote peer"),
    ("lost", r"uncorrectable ECC error|GPU is lost|fallen off the bus|cudaErrorDevicesUnavailable"),
]
_PATTERNS = [(kind, re.compile(pattern)) for kind, pattern in _TEXTS]

_NODE_GONE = re.compile(r"node (has )?(died|is dead)|because its node|node was terminated")
_TRANSPARENT = ("StartTraceback", "RayTaskError", "WorkerGroupError", "ControllerError")
"""Names, up to what follows them, of Ray's exceptions that say nothing but what they hold."""


class TimedOut(Exception):
    """A run took longer than its limit."""


def kind_of(error: BaseException) -> str:
    """Name of the kind of an exception: of it, of what it was raised from, and of what it gathers."""
    found = {_own_kind(item) for item in _causes(error)}
    return next((name for name in KINDS if name in found), "user_error")


def kind_of_text(text: str) -> str | None:
    """Name of the kind that a text of a library tells; ``None`` if it tells nothing."""
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), None)


def root_of(error: BaseException) -> BaseException:
    """The user's exception inside what Ray wraps around it: of several, one that tells the kind."""
    kind = kind_of(error)
    inner = [item for item in _causes(error) if not _is_transparent(item)]
    telling = [item for item in inner if _own_kind(item) == kind]
    return next(iter(telling or inner), error)


def text_of(error: BaseException) -> str:
    """What an exception says; empty if its own code fails to say it."""
    try:
        return str(error)
    except Exception:  # the user's class, whose fault is not the run's
        return ""


def line_of(error: BaseException) -> str:
    """One line for people: class, and the first line of what it says."""
    first = next(iter(text_of(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}"[:500]


def _own_kind(error: BaseException) -> str | None:
    """What it says by itself; ``None`` if what it comes from has to say it."""
    inner = list(_inner(error))
    if inner and _is_transparent(error):
        return None
    if getattr(error, "preempted", False) is True:
        return "preempted"
    known = next((_CLASSES[name] for name in map(_name, type(error).__mro__) if name in _CLASSES), None)
    if known not in (None, "worker_died", "lost"):
        return known
    text = text_of(error)
    told = kind_of_text(text)
    if known == "worker_died" and told is None and _NODE_GONE.search(text):
        return "lost"
    return told or known or (None if inner else "user_error")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, then all that it comes from, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        item = waiting.pop(0)
        if id(item) not in seen:
            seen.add(id(item))
            yield item
            waiting += _inner(item)


def _inner(error: BaseException) -> Iterator[BaseException]:
    """What an exception was raised from or holds, in Python's way, Ray's, and Ray Train's (by rank)."""
    failures = getattr(error, "worker_failures", None)
    held = [
        error.__cause__,
        getattr(error, "cause", None),
        *getattr(error, "exceptions", ()),
        *(failures.values() if isinstance(failures, dict) else ()),
        getattr(error, "controller_failure", None),
    ]
    yield from (item for item in held if isinstance(item, BaseException))


def _is_transparent(error: BaseException) -> bool:
    kind = type(error)
    return kind.__module__.startswith("ray.") and kind.__qualname__.partition("(")[0] in _TRANSPARENT


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
