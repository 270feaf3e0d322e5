"""Runs and their curves as pandas data frames, built column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.frames.kinds import INTEGER, NOTHING, REAL, TEXT, TRUTH, kind_of_column
from heliostat.garbage import collected_later
from heliostat.ports import RunLog
from heliostat.query import TIMES, Condition, RunQuery, columns, read_where
from heliostat.registry import shared_log
from heliostat.trial import Run

if TYPE_CHECKING:
    import pandas as pd

FEW = 50
"""Up to so many runs, their curves are read one by one instead of all that there are."""

_SETTLED = dict.fromkeys(("experiment", "number"), INTEGER) | {"seconds": REAL}
_SETTLED |= dict.fromkeys(("task", "user", "searcher", "name", "failure", "model", "source_hash"), TEXT)
_SETTLED |= dict.fromkeys(("project", "state", "origin", "end_reason"), TEXT)
"""Facts whose type does not depend on what is there."""

LATEST = 1e11
"""Seconds since the epoch beyond which (year 5138) a time is a mistake and shown as missing."""


def runs(
    where: str | Condition | None = None,
    *,
    project: str | None = None,
    experiment: int | None = None,
    sort: str | None = None,
    ascending: bool = True,
    archived: bool = False,
    log: RunLog | str | Path | None = None,
) -> pd.DataFrame:
    """Runs as a data frame, one row a run, with the same columns for runs of every origin.

    Facts (``id``, ``state``, ``seconds``, …, ``tags``), then ``params.X``, ``metrics.X``,
    ``metrics.X.stddev`` if any run has one, ``metadata.X``. Columns have the type that their values share:
    ``int64`` (``Int64`` with gaps), ``float64``, ``bool`` (``boolean``), ``str``, times in UTC; else
    ``object``. In ``float64`` a missing value and a reported NaN look the same; the files of
    :func:`heliostat.frames.to_parquet` keep them apart.

    Args:
        where: A condition, such as ``"state = completed and metrics.accuracy > 0.9"``.
        project: Only of this project.
        experiment: Only of this experiment.
        sort: A field, such as ``metrics.loss``; by creation if left out.
        ascending: The direction.
        archived: Whether archived runs are among them.
        log: An open run log, its path or URL; by default this process's.

    Raises:
        InvalidValue: The condition cannot be read.
    """
    with collected_later():
        found = selected(_settled(_log(log)), where, project, experiment, sort, ascending, archived)
        return frame_of(columns(found))


def curves(
    where: str | Condition | None = None,
    *,
    project: str | None = None,
    experiment: int | None = None,
    archived: bool = False,
    log: RunLog | str | Path | None = None,
) -> pd.DataFrame:
    """Training curves as a long data frame: one row for each ``run``, ``step`` and ``metric``.

    Columns: ``run`` (its id), ``step``, ``time`` (UTC), ``metric``, ``value``. The arguments are those of
    :func:`runs`.

    Raises:
        InvalidValue: The condition cannot be read.
    """
    source = _settled(_log(log))
    drawn = drawn_runs(source, where, project, experiment, archived)
    points = [
        (run.id, point.step, point.time, name, value)
        for run in drawn
        for point in run.curve
        for name, value in point.values.items()
    ]
    names = ("run", "step", "time", "metric", "value")
    lists = [list(column) for column in zip(*points, strict=True)] or [[] for _ in names]
    frame = frame_of(dict(zip(names, lists, strict=True)), times=("time",))
    return frame.astype({"run": "int64", "step": "int64", "value": "float64"})


def _settled(log: RunLog) -> RunLog:
    # What this process has recorded shall be in its own tables. Adapters send what follows a run's creation
    # when that is answered, which the first flush waits for.
    log.flush()
    log.flush()
    return log


def selected(
    log: RunLog,
    where: str | Condition | None,
    project: str | None,
    experiment: int | None,
    sort: str | None = None,
    ascending: bool = True,
    archived: bool = False,
) -> Sequence[Run]:
    """The runs that match, without their curves."""
    condition = read_where(where) if isinstance(where, str) else where
    if condition is None and sort is None and ascending:
        everything = log.runs(experiment, project=project)
        return everything if archived else [run for run in everything if not run.archived]
    query = RunQuery(condition, sort=sort or "id", ascending=ascending, archived=archived)
    return log.query(query, project=project, experiment=experiment).runs


def drawn_runs(
    log: RunLog,
    where: str | Condition | None,
    project: str | None,
    experiment: int | None,
    archived: bool = False,
) -> list[Run]:
    """The runs that match, with their curves, by creation."""
    condition = read_where(where) if isinstance(where, str) else where
    query = RunQuery(condition, archived=archived)
    if condition is not None:
        few = log.query(
            RunQuery(condition, archived=archived, limit=FEW), project=project, experiment=experiment
        )
        if few.after is None:
            return [log.run(run.id) for run in few.runs]
    matches = query.matcher()
    return [run for run in log.runs(experiment, project=project, curves=True) if matches(run)]


def frame_of(found: Mapping[str, Sequence[Any]], times: Sequence[str] = TIMES) -> pd.DataFrame:
    """A data frame of columns as :func:`heliostat.query.columns` makes them.

    Args:
        found: Name → values; ``None`` where there is none.
        times: The columns that hold seconds since the epoch.
    """
    import pandas as pd

    arrays = {
        name: _moments(of) if name in times else _array(of, _SETTLED.get(name)) for name, of in found.items()
    }
    return pd.DataFrame(arrays)


def _array(values: Sequence[Any], settled: str | None) -> Any:
    import numpy as np
    import pandas as pd

    kind, has_gaps = kind_of_column(values)
    kind = settled if settled and kind == NOTHING else kind
    has_gaps = has_gaps or (settled == INTEGER and kind == INTEGER)
    if kind == REAL:
        return np.array(values, dtype=np.float64)
    if kind == INTEGER:
        return pd.array(values, dtype="Int64") if has_gaps else np.array(values, dtype=np.int64)
    if kind == TRUTH:
        return pd.array(values, dtype="boolean") if has_gaps else np.array(values, dtype=np.bool_)
    whole = np.empty(len(values), dtype=object)
    whole[:] = values
    if kind == TEXT:
        try:
            return pd.Series(whole, dtype=_text_type())
        except UnicodeEncodeError:  # a lone surrogate, which no typed column takes
            return whole
    return whole


def _text_type() -> str:
    import pandas as pd

    return "str" if int(pd.__version__.partition(".")[0]) >= 3 else "object"


def _moments(values: Sequence[float | None]) -> Any:
    import numpy as np
    import pandas as pd

    seconds = np.array(values, dtype=np.float64)
    is_known = np.abs(seconds) < LATEST
    micros = np.full(len(seconds), np.iinfo(np.int64).min)  # numpy's mark of a missing time
    micros[is_known] = np.round(seconds[is_known] * 1e6).astype(np.int64)
    return pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")


def _log(log: RunLog | str | Path | None) -> RunLog:
    return shared_log(log) if log is None or isinstance(log, (str, Path)) else log
