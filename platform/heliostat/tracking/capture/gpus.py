"""NVIDIA's GPUs, as the driver's own program ``nvidia-smi`` tells of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.tracking.capture.programs import answer_of

_QUERY = "--query-gpu=name,memory.total,memory.used,utilization.gpu"
_PATIENCE = 10.0


@dataclass(frozen=True)
class Gpu:
    """One device at one moment; what the driver does not tell (parts of a MIG device) is ``None``.

    Args:
        name: Product.
        memory_mb: In all, in MiB.
        used_mb: In use by all processes, in MiB.
        utilization: Percent of the last moments in which any kernel ran.
    """

    name: str
    memory_mb: float | None = None
    used_mb: float | None = None
    utilization: float | None = None


def seen(devices: Sequence[str] = ()) -> tuple[Gpu, ...]:
    """The GPUs of this machine, or those among them that are named; empty without NVIDIA's driver.

    Args:
        devices: Numbers or identities, as ``CUDA_VISIBLE_DEVICES`` holds them.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    chosen = [f"--id={','.join(devices)}"] if devices else []
    question = [program, *chosen, _QUERY, "--format=csv,noheader,nounits"]
    return read(answer_of(question, seconds=_PATIENCE) or "")


def read(text: str) -> tuple[Gpu, ...]:
    """GPUs from the program's lines."""
    rows = [[cell.strip() for cell in line.rsplit(",", 3)] for line in text.splitlines()]
    return tuple(Gpu(row[0], *map(_number, row[1:])) for row in rows if len(row) == 4)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:  # [N/A], [Not Supported], [Insufficient Permissions]
        return None
