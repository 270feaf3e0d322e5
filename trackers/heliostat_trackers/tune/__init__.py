"""Ray Tune's trials into the run log, as they happen."""

from heliostat_trackers.tune.callback import RunLogCallback

__all__ = ["RunLogCallback"]
