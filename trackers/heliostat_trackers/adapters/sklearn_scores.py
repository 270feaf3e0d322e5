"""What one candidate scored over all splits, computed as scikit-learn computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heliostat.trial import Measurement

TIMES = ("fit_time", "score_time")


@dataclass(frozen=True)
class Scores:
    """A candidate's result.

    Args:
        values: Mean over the splits by metric, with its standard error; what is not finite is left out.
        times: ``mean_fit_time`` and such, in seconds.
        error: Traceback of the first fit that failed; a remark where only the score tells; empty if all went
            well.
    """

    values: Mapping[str, Measurement]
    times: Mapping[str, float]
    error: str = ""


def scores_of_split(result: Mapping[str, Any], single: str) -> dict[str, float]:
    """Scores of one fit by metric; those on training data are named ``train_…``."""
    found: dict[str, float] = {}
    for kind, prefix in (("test_scores", ""), ("train_scores", "train_")):
        scores = result.get(kind)
        if scores is not None:
            named = scores if isinstance(scores, Mapping) else {single: scores}
            found |= {f"{prefix}{name}": float(score) for name, score in named.items()}
    return found


def summed_up(results: Sequence[Mapping[str, Any]], single: str) -> Scores:
    """All splits of a candidate.

    Args:
        results: What the fits returned, by split.
        single: Name of the metric where there is one only.
    """
    splits = [scores_of_split(result, single) for result in results]
    errors = [str(result["fit_error"]) for result in results if result.get("fit_error")]
    names = dict.fromkeys(name for split in splits for name in split)
    columns = {name: [split.get(name, np.nan) for split in splits] for name in names}
    times = {time: [float(result[time]) for result in results] for time in TIMES}
    return _scores(
        {name: _mean_and_deviation(column) for name, column in columns.items()},
        {time: _mean_and_deviation(column) for time, column in times.items()},
        errors[0] if errors else "",
        len(results),
    )


def read_off(table: Mapping[str, Any], row: int, single: str) -> Scores:
    """A row of ``cv_results_``."""
    found: dict[str, tuple[float, float]] = {}
    for key in table:
        for kind, prefix in (("mean_test_", ""), ("mean_train_", "train_")):
            if key.startswith(kind):
                name = single if key == f"{kind}score" else key.removeprefix(kind)
                deviation = table[key.replace("mean_", "std_", 1)][row]
                found[f"{prefix}{name}"] = (float(table[key][row]), float(deviation))
    times = {time: (float(table[f"mean_{time}"][row]), float(table[f"std_{time}"][row])) for time in TIMES}
    splits = sum(key.startswith("split") and key.endswith(f"_test_{_first(table)}") for key in table)
    return _scores(found, times, "", splits)


def _first(table: Mapping[str, Any]) -> str:
    return next(key.removeprefix("mean_test_") for key in table if key.startswith("mean_test_"))


def _scores(
    found: Mapping[str, tuple[float, float]],
    times: Mapping[str, tuple[float, float]],
    error: str,
    splits: int,
) -> Scores:
    bad = [name for name, (mean, _) in found.items() if not np.isfinite(mean)]
    # scikit-learn gives the deviation of the splits over all k of them; k - 1 estimates that of the mean.
    share = (splits - 1) ** -0.5 if splits > 1 else None
    values = {
        name: Measurement(mean, None if share is None else deviation * share)
        for name, (mean, deviation) in found.items()
        if name not in bad
    }
    spent = {f"{what}_{time}": pair[place] for time, pair in times.items()
             for place, what in enumerate(("mean", "std"))}  # fmt: skip
    return Scores(values, spent, error or (f"{bad[0]} is {found[bad[0]][0]}" if bad else ""))


def _mean_and_deviation(column: Sequence[float]) -> tuple[float, float]:
    # The shape is part of it: NumPy adds rows and columns up in different orders.
    array = np.array([column], dtype=np.float64)
    mean = np.average(array, axis=1)
    deviation = np.sqrt(np.average((array - mean[:, np.newaxis]) ** 2, axis=1))
    return float(mean[0]), float(deviation[0])
