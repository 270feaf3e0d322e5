"""What a lost trial leaves to the next attempt of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.trial import Checkpoint


@dataclass(frozen=True)
class Resumption:
    """The last checkpoint in Ray Tune's storage, with the part of the curve that led to it.

    Args:
        result: Ray Tune's value: the checkpoint, and the result that came with it.
        curve: Points up to the checkpoint, each with the metrics that were numbers.
    """

    result: Any
    curve: tuple[Checkpoint, ...]

    @property
    def step(self) -> int:
        """Iteration of the checkpoint; 0 if it does not tell."""
        return int(self.result.metrics.get("training_iteration", 0))

    def hand_to(self, trial: Any) -> None:
        """Have a trial that is about to start begin at the checkpoint, by the door of ``restore_path``."""
        trial._restore_checkpoint_result = self.result


def left_by(trial: Any, curve: Sequence[Checkpoint]) -> Resumption | None:
    """What a trial leaves; ``None`` without a checkpoint, or if that went with its machine."""
    result = trial.latest_checkpoint_result
    if result is None or not _exists(result.checkpoint):
        return None
    whole = Resumption(result, tuple(curve))
    return Resumption(result, tuple(point for point in curve if point.step <= whole.step))


def _exists(checkpoint: Any) -> bool:
    from pyarrow.fs import FileType

    return bool(checkpoint.filesystem.get_file_info(checkpoint.path).type != FileType.NotFound)
