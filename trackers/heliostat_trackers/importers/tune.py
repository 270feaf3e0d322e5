"""Ray Tune's experiment folders and result grids.

Only texts are read (``experiment_state-*.json``, ``params.json``, ``result.json``, ``progress.csv``,
``error.txt``). The pickles beside them run code when they are loaded, and the folder may be a stranger's.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.imports import ImportedRun, ImportResult, Skipped, import_runs
from heliostat.outcome import sift
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.tune_results import metrics_of
from heliostat_trackers.importers.cells import guess
from heliostat_trackers.importers.sources import existing

Result = Mapping[str, Any]

_END = {
    "TERMINATED": (State.COMPLETED, "finished, or stopped by a scheduler: Ray Tune does not tell which"),
    "ERROR": (State.FAILED, ""),
    "RUNNING": (State.ACTIVE, ""),
    "PAUSED": (State.ACTIVE, ""),
    "PENDING": (State.ACTIVE, ""),
}
_PICKLED = "(an object that Ray Tune pickled)"
_LOST = re.compile(r"ray\.exceptions\.(ActorDied|NodeDied|RayActor)Error\b|The actor (died|is dead)")


def read(source: Any) -> Iterator[ImportedRun | Skipped]:
    """The trials of an experiment.

    Args:
        source: An experiment's folder, or a ``ResultGrid``.

    Raises:
        NotFound: There is no such folder.
        InvalidValue: It holds no trials of Ray Tune.
    """
    if isinstance(source, (str, Path)):
        yield from _folder(existing(source, "folder of Ray Tune"))
    else:
        yield from _grid(source)


def import_results(grid: Any, **where: Any) -> ImportResult:
    """Record the trials of a ``ResultGrid``, as :func:`heliostat.imports.import_runs` does."""
    return import_runs("tune", grid, **where)


def _folder(folder: Path) -> Iterator[ImportedRun | Skipped]:
    states = _states(folder)
    trials = {path.parent for name in ("params.json", "result.json") for path in folder.glob(f"*/{name}")}
    if not trials and not states:
        rule = "must be the folder of one experiment of Ray Tune"
        remedy = "It holds experiment_state-*.json and a folder with result.json for each trial."
        raise InvalidValue("source", rule, given=str(folder), remedy=remedy, code="HS-VALUE-010")
    seen = set()
    for trial in sorted(trials):
        results = _results(trial)
        id = _trial_id(trial, results, states)
        seen.add(id)
        yield _run(folder.name, id, trial, results, states.get(id, {}))
    for id, facts in states.items():
        if id not in seen and (facts.get("last_result") or facts.get("status") in ("ERROR", "TERMINATED")):
            yield _run(folder.name, id, None, [], facts)  # it ran without Ray Tune's loggers
        elif id not in seen:
            yield Skipped(f"{folder.name} {id}", "never began")


def _states(folder: Path) -> dict[str, dict[str, Any]]:
    """What the newest snapshot says of each trial, by its id: the facts of both of its parts."""
    snapshots = sorted(folder.glob("experiment_state-*.json"))
    if not snapshots:
        return {}
    try:
        data = json.loads(snapshots[-1].read_text(encoding="utf-8"))
        listed = data.get("trial_data") or data.get("checkpoints") or ()
        trials = [_parts([item] if isinstance(item, str) else item) for item in listed]
        return {str(trial["trial_id"]): trial for trial in trials}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(snapshots[-1], error) from None


def _parts(texts: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        found |= json.loads(text)
    return found


def _trial_id(trial: Path, results: list[Result], states: Mapping[str, Any]) -> str:
    told = next((str(result["trial_id"]) for result in results if result.get("trial_id")), None)
    named = (id for id in states if id in trial.name)
    pattern = re.search(r"_([0-9a-f]{5,8}_\d{5})_", trial.name)
    return told or next(named, None) or (pattern.group(1) if pattern else trial.name)


def _results(trial: Path) -> list[Result]:
    lines, table = trial / "result.json", trial / "progress.csv"
    try:
        if lines.exists() and lines.stat().st_size:
            with lines.open(encoding="utf-8") as file:
                return list(_whole(file))
        if table.exists():
            with table.open(encoding="utf-8", newline="") as file:
                return [
                    {key: guess(cell) for key, cell in row.items() if key and cell}
                    for row in csv.DictReader(file)
                ]
    except (ValueError, csv.Error) as error:
        raise _unreadable(trial, error) from None
    return []


def _whole(lines: Iterable[str]) -> Iterator[Result]:
    """The results of the whole lines; a driver that was killed leaves a part of one at the end."""
    waiting: Exception | None = None
    for line in lines:
        if waiting is not None:
            raise waiting
        try:
            if line.strip():
                yield json.loads(line)
        except json.JSONDecodeError as error:
            waiting = error


def _run(
    experiment: str, id: str, trial: Path | None, results: list[Result], facts: Mapping[str, Any]
) -> ImportedRun:
    error = None if trial is None else trial / "error.txt"
    text = error.read_text(encoding="utf-8", errors="replace") if error is not None and error.exists() else ""
    results = results or ([facts["last_result"]] if facts.get("last_result") else [])
    status = str(facts.get("status") or ("ERROR" if text and not _is_done(results) else ""))
    state, reason = _END.get(status) or _END["TERMINATED" if _is_done(results) else "RUNNING"]
    return _imported(
        experiment,
        id,
        config=_config(trial, results, facts),
        results=results,
        state=state,
        reason=reason,
        failure=failure_of(text) if state is State.FAILED else None,
        started=facts.get("start_time"),
        ended=facts.get("last_result_time"),
    )


def _imported(
    experiment: str,
    id: str,
    *,
    config: Mapping[str, Any],
    results: list[Result],
    state: State,
    reason: str,
    failure: Failure | None,
    started: float | None = None,
    ended: float | None = None,
) -> ImportedRun:
    curve = {point.step: point for point in _curve(results)}  # a restored trial may repeat steps
    last = results[-1] if results else {}
    begun = started or _begun(results)
    over = ended or last.get("timestamp")  # in whole seconds, which may seem to lie before the start
    numbers: dict[str, Measurement] = {}
    for result in results:
        numbers |= sift(metrics_of(result))[0]
    return ImportedRun(
        key=f"{experiment} {id}",
        params=dict(_flat(config)),
        values=numbers,
        curve=list(curve.values()) if len(curve) > 1 else (),
        state=State.LOST if failure is not None and failure.kind == "lost" else state,
        reason=failure.message if failure is not None else reason,
        failure=failure,
        created=begun,
        started=begun,
        ended=None if state.is_open or not over else max(float(over), begun or 0.0),
        name=f"{experiment} {id}",
        origin="tune",
        metadata={"study": experiment, "trial": id},
        dev_metadata={key: last[key] for key in ("hostname", "node_ip", "time_total_s") if key in last},
    )


def failure_of(text: str) -> Failure:
    """What an ``error.txt`` tells: the last error's own line, and whether the worker died of itself."""
    last = re.split(r"^Failure # \d+ .*$", text, flags=re.MULTILINE)[-1]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", last).strip()
    if _LOST.match(plain):
        return Failure("lost", f"the worker died: {plain.splitlines()[0]}"[:500], plain)
    errors = re.findall(
        r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b.*$",
        plain,
        re.MULTILINE,
    )
    lines = plain.splitlines()
    message = errors[-1] if errors else lines[-1] if lines else "failed; Ray Tune kept no error"
    return Failure("user_error", message[:500], plain)


def _curve(results: Iterable[Result]) -> Iterator[Checkpoint]:
    for place, result in enumerate(results, start=1):
        numbers, _ = sift(metrics_of(result))
        if numbers:
            step = result.get("training_iteration", place)
            values = {name: item.value for name, item in numbers.items()}
            yield Checkpoint(int(step), values, float(result.get("timestamp") or 0))


def _config(trial: Path | None, results: list[Result], facts: Mapping[str, Any]) -> Mapping[str, Any]:
    path = None if trial is None else trial / "params.json"
    if path is not None and path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _unreadable(path, error) from None
    else:
        found = facts.get("config") or next(
            (result["config"] for result in results if "config" in result), {}
        )
    return found if isinstance(found, Mapping) else {}


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A nested configuration as ``a/b`` names, as Ray Tune shows it."""
    for key, value in config.items():
        if isinstance(value, Mapping) and "CLOUDPICKLE_FALLBACK" in value.values():
            yield f"{prefix}{key}", _PICKLED
        elif isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _is_done(results: list[Result]) -> bool:
    return bool(results) and results[-1].get("done") is True


def _begun(results: list[Result]) -> float | None:
    if not results or results[0].get("timestamp") is None:
        return None
    spent = results[0].get("time_total_s")
    return float(results[0]["timestamp"]) - float(spent if spent is not None and math.isfinite(spent) else 0)


def _unreadable(path: Path, error: Exception) -> InvalidValue:
    rule = f"cannot be read ({type(error).__name__}: {error})"
    return InvalidValue(str(path), rule, remedy="Mend it or take it away.", code="HS-VALUE-010")


def _grid(grid: Any) -> Iterator[ImportedRun | Skipped]:
    """The trials of a grid: from its folder, or if that is in a cloud from what the grid holds itself."""
    folder = Path(str(grid.experiment_path))
    if folder.is_dir():
        yield from _folder(folder)
        return
    for place, result in enumerate(grid):
        metrics = dict(result.metrics or {})
        failure = None if result.error is None else failure_of_error(result.error)
        yield _imported(
            folder.name,
            str(metrics.get("trial_id") or Path(str(result.path or place)).name),
            config=result.config or {},
            results=[*_rows(result.metrics_dataframe), metrics] if metrics else [],
            state=State.COMPLETED if failure is None else State.FAILED,
            reason=_END["TERMINATED"][1],
            failure=failure,
        )


def _rows(frame: Any) -> list[Result]:
    """A frame's results; what a row does not have is NaN there, and missing here."""
    if frame is None:
        return []
    return [
        {str(key): value for key, value in row.items() if value == value}  # noqa: PLR0124
        for row in frame.to_dict("records")
    ]


def failure_of_error(error: BaseException) -> Failure:
    """The failure behind the exception of a result."""
    cause = getattr(error, "cause", None) or error
    found = failure_of(str(error))
    if found.kind == "lost":
        return found
    message = f"{type(cause).__name__}: {cause}".splitlines()[0][:500]
    return Failure("user_error", message, found.traceback)
