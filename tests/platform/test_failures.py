"""Kinds of failure: a table of what libraries raise and what it means."""

import pytest
import ray
import torch
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayTaskError
from ray.train import WorkerGroupError

from heliostat.failures import KINDS, Consequence, TimedOut, kind_of, root_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*", "ignore::FutureWarning:ray.*")

TEXTS = [
    ("gpu_oom", "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.77 GiB"),
    ("gpu_oom", "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    ("gpu_oom", "HIP out of memory. Tried to allocate 2.00 GiB"),
    ("gpu_oom", "MPS backend out of memory (MPS allocated: 17.92 GB, other allocations: 40.00 KB)"),
    ("gpu_oom", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ("gpu_oom", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ("gpu_oom", "NCCL Error 1: unhandled cuda error\nCuda failure 'out of memory'"),
    (
        "gpu_oom",
        "Memory allocation error on worker 0: std::bad_alloc: cudaErrorMemoryAllocation: out of memory",
    ),
    ("gpu_oom", "OOM when allocating tensor with shape[4096] and type float on /device:GPU:0 by allocator"),
    ("gpu_oom", "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes"),
    ("host_oom", "OOM when allocating tensor with shape[4096] and type float on /device:CPU:0 by allocator"),
    ("host_oom", "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
    ("host_oom", "DataLoader worker (pid 4711) is killed by signal: Killed. "),
    ("host_oom", "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that"),
    ("nan", "Function 'MulBackward0' returned nan values in its 0th output."),
    ("nan", "Input X contains NaN."),
    ("lost", "NCCL error: remote process exited or there was a network error, NCCL version 2.18.5"),
    ("lost", "[/pytorch/gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.7]:21533"),
    ("lost", "CUDA error: uncorrectable ECC error encountered"),
    ("user_error", "CUDA error: an illegal memory access was encountered"),
    ("user_error", "CUDA error: device-side assert triggered"),
    ("user_error", "NCCL error: invalid usage, NCCL version 2.17.1"),
    ("user_error", "mat1 and mat2 shapes cannot be multiplied"),
]


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


def raised(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def chained(outer, inner):
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_texts_of_libraries_tell_the_kind(kind, text):
    assert kind_of(RuntimeError(text)) == kind


def dead(text, **facts):
    error = ActorDiedError()
    error.error_msg = text
    error._preempted = facts.get("preempted", False)
    return error


KILLED = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit "
    "detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes "
    "include: (1) the process was killed by the OOM killer due to high memory usage, (2) ray stop --force "
    "was called. Consider --enable-resource-isolation to prevent node deaths by resource contention."
)

ERRORS = [
    ("gpu_oom", torch.cuda.OutOfMemoryError("allocation failed")),
    ("gpu_oom", chained(RuntimeError("training failed"), torch.cuda.OutOfMemoryError("no"))),
    ("host_oom", MemoryError()),
    ("host_oom", raised(lambda: torch.empty(2**58))),
    ("host_oom", OutOfMemoryError("Memory on the node was 61.5GB / 64GB")),
    ("nan", FloatingPointError("overflow encountered in exp")),
    ("nan", raised(lambda: torch.distributions.Normal(torch.tensor(float("nan")), 1.0))),
    ("timeout", TimedOut("longer than 60 s")),
    ("user_error", TimeoutError("the server did not answer")),
    ("user_error", SystemExit(3)),
    ("user_error", Unprintable()),
    ("user_error", chained(ValueError("no such layer"), KeyError("layer"))),
    ("worker_died", dead(KILLED)),
    ("lost", dead("The actor died because its node has died. Node Id: 5f1c")),
    ("preempted", dead("The actor died because its node has died.", preempted=True)),
    ("host_oom", dead("Task was killed due to the node running low on memory.")),
]


@pytest.mark.parametrize(("kind", "error"), ERRORS, ids=lambda item: str(type(item).__name__))
def test_classes_tell_the_kind(kind, error):
    assert kind_of(error) == kind


def test_what_ray_wraps_around_an_error_changes_nothing():
    inner = torch.cuda.OutOfMemoryError("no")
    wrapped = RayTaskError("train", "Traceback: CUDA out of memory", inner, "ray::train", 1, "127.0.0.1")
    for error in (wrapped, wrapped.as_instanceof_cause()):
        assert kind_of(error) == "gpu_oom"
        assert root_of(error) is inner
    text_of_the_code = RayTaskError(
        "train", "  raise ValueError('CUDA out of memory')", KeyError("x"), "ray::train", 1, "127.0.0.1"
    )
    assert kind_of(text_of_the_code) == "user_error"
    assert isinstance(wrapped, ray.exceptions.RayError)


def test_of_several_workers_the_one_that_tells_the_cause_counts():
    peer = RuntimeError("Connection closed by peer [127.0.0.1]:4711")
    cause = ValueError("no such layer")
    group = WorkerGroupError("rank 0: Connection closed by peer [127.0.0.1]:4711", {0: peer, 1: cause})
    assert kind_of(group) == "user_error"
    assert root_of(group) is cause
    assert kind_of(WorkerGroupError("", {0: peer, 1: MemoryError()})) == "host_oom"
    assert kind_of(WorkerGroupError("", {0: peer, 1: dead(KILLED)})) == "worker_died"
    assert kind_of(WorkerGroupError("", {0: cause, 1: dead("", preempted=True)})) == "preempted"


def test_only_what_is_nobodys_fault_is_not_learned():
    unlearned = {name for name, kind in KINDS.items() if kind.consequence is Consequence.RETRIED}
    assert unlearned == {"preempted", "lost"}
