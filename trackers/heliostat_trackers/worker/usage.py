"""What a trial uses: memory of the process and of its GPUs, sampled at little cost."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heliostat.tracking.capture.gpus import Gpu, seen

MEASURED = ("peak_memory_mb", "gpu_peak_memory_mb", "gpu_utilization")
"""What can be a metric: an experiment that declares the name has it filled in."""

EVERY = 5.0
"""Seconds between looks at the GPUs."""

SHARE = 0.02
"""Most of a thread's time that looking may take."""

_MEBIBYTE = 2**20
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Usage:
    """Watches this process from the beginning of a trial to its end.

    Args:
        devices: The trial's GPUs, as ``CUDA_VISIBLE_DEVICES`` names them; none is looked at without.
        is_shared: Whether other trials may use the same GPUs.
    """

    def __init__(self, devices: Sequence[str], *, is_shared: bool) -> None:
        self._devices, self._is_shared = tuple(devices), is_shared
        self._samples = _Samples()
        self._over = threading.Event()
        _forget_peaks()
        if devices:
            threading.Thread(target=self._look, name="heliostat-gpus", daemon=True).start()

    def facts(self) -> dict[str, Any]:
        """What is known so far; names without a value are left out."""
        found = self._samples.facts(is_shared=self._is_shared)
        of_torch = _torch_peak_mb() if self._devices else None
        if of_torch is not None:
            found["gpu_peak_memory_mb"] = of_torch
        return {"peak_memory_mb": _peak_mb(), **found} if _STATUS.exists() else found

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _look(self) -> None:
        wait = 0.0
        while not self._over.wait(wait):
            began = time.monotonic()
            self._samples.add(seen(self._devices))
            wait = max(EVERY, (time.monotonic() - began) / SHARE)


class _Samples:
    """Sums over what was seen; the memory of one sample only."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._memory: float | None = None
        self._peak: float | None = None
        self._utilizations: tuple[float, int] = (0.0, 0)

    def add(self, gpus: Sequence[Gpu]) -> None:
        """Take one look into account."""
        if not gpus:
            return
        self._names = [gpu.name for gpu in gpus]
        self._memory = _most([gpu.memory_mb for gpu in gpus])
        self._peak = _most([self._peak, *(gpu.used_mb for gpu in gpus)])
        known = [gpu.utilization for gpu in gpus if gpu.utilization is not None]
        total, count = self._utilizations
        self._utilizations = total + sum(known), count + len(known)

    def facts(self, *, is_shared: bool) -> dict[str, Any]:
        """Names, memory in all and at its peak (of the fullest GPU, if only this trial uses it), mean use."""
        total, count = self._utilizations
        found = {
            "gpus": self._names or None,
            "gpu_memory_mb": self._memory,
            "gpu_peak_memory_mb": None if is_shared else self._peak,
            "gpu_utilization": round(total / count, 1) if count else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def _most(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _peak_mb() -> float:
    """Most memory of the host that the process has held since :func:`_forget_peaks`, in MiB."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def _torch_peak_mb() -> float | None:
    """Most that torch has reserved of one GPU, in MiB; ``None`` unless the process uses one with it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    peaks = [torch.cuda.max_memory_reserved(number) for number in range(torch.cuda.device_count())]
    return round(float(max(peaks)) / _MEBIBYTE, 1)


def _forget_peaks() -> None:
    """Begin anew: a process may run one trial after the other."""
    if _RESET.exists():
        try:
            _RESET.write_text("5")  # of proc(5): resets the peak resident set size
        except OSError:  # forbidden in some containers: then the peak is the process's
            return
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        for number in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(number)
