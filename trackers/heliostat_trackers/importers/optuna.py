"""Optuna's studies, from any of its storages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.errors import InvalidValue, NotFound
from heliostat.imports import ImportedRun, Skipped
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat_trackers.importers.sources import SQLITE, existing, sqlite_file, unreadable

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

_MAGIC = b"SQLite format 3\0"


def read(
    source: str, *, study: str | None = None, metrics: Sequence[str] = ()
) -> Iterator[ImportedRun | Skipped]:
    """The trials of a storage.

    Intermediate values become the curve of the metric, user attributes metadata, pruned trials early-stopped
    runs. Trials that wait in a queue have not begun and are skipped.

    Args:
        source: URL of a database (``sqlite:///study.db``), or path of a journal or SQLite file.
        study: Only this one.
        metrics: Names of a trial's values; by default those that the study names, else ``value``, or
            ``value_0``, ``value_1``, … of several.

    Raises:
        NotFound: There is no such storage or study.
        InvalidValue: It is no storage, or `metrics` are too few or many.
    """
    import optuna

    with _storage(source) as storage:
        known = sorted(optuna.get_all_study_names(storage))
        if study is not None and study not in known:
            shown = ", ".join(known) or "none"
            raise NotFound(f"the storage has no study {study!r}", remedy=f"It has: {shown}.")
        for name in known if study is None else [study]:
            yield from _trials(optuna.load_study(study_name=name, storage=storage), metrics)


@contextmanager
def _storage(source: str) -> Iterator[Any]:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if "://" not in source:
        path = existing(source, "Optuna storage")
        if not _is_sqlite(path):
            _refuse_others(path)
            try:
                storage = JournalStorage(JournalFileBackend(str(path)))
            except Exception as error:  # whatever stands in a file that is no journal
                raise unreadable(source, "an Optuna journal", error) from None
            yield storage
            return
        source = f"{SQLITE}{path}"
    sqlite_file(source, "Optuna storage", ("studies", "trials", "version_info"))
    try:
        database = RDBStorage(source, skip_table_creation=True)
    except Exception as error:  # SQLAlchemy's, the driver's and Optuna's own
        raise unreadable(source, "an Optuna database", error) from None
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _refuse_others(path: Path) -> None:
    """Each line of a journal says what it does; Optuna takes a file of one other line for an empty one."""
    try:
        with path.open("rb") as file:
            is_journal = "op_code" in json.loads(file.readline())
    except (OSError, TypeError, ValueError) as error:
        raise unreadable(path, "an Optuna journal", error) from None
    if not is_journal:
        raise InvalidValue("source", "is not an Optuna journal", given=str(path), code="HS-VALUE-010")


def _trials(study: Study, given: Sequence[str]) -> Iterator[ImportedRun | Skipped]:
    names = _names(study, given)
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name == "WAITING":
            yield Skipped(f"{study.study_name} {trial.number}", "waits in the study's queue")
        else:
            yield _run(study, trial, names)


def _names(study: Study, given: Sequence[str]) -> list[str]:
    count = len(study.directions)
    names = list(
        given or study.metric_names or (["value"] if count == 1 else [f"value_{i}" for i in range(count)])
    )
    if len(names) != count:
        rule = f"must name the {count} values of study {study.study_name!r}"
        raise InvalidValue("metrics", rule, given=names, remedy="Give one name for each direction.")
    return names


def _run(study: Study, trial: FrozenTrial, names: list[str]) -> ImportedRun:
    state, reason = _END[trial.state.name]
    began = _seconds(trial.datetime_start)
    failure = None
    if state is State.FAILED:
        told = trial.system_attrs.get("fail_reason")
        failure = Failure("user_error", str(told or "the objective failed; Optuna keeps no reason"))
    return ImportedRun(
        key=f"{study.study_name} {trial.number} {_mark(trial.datetime_start)}",
        params=trial.params,
        values={
            name: Measurement(float(value)) for name, value in zip(names, trial.values or (), strict=False)
        },
        curve=[
            Checkpoint(step, {names[0]: value}) for step, value in sorted(trial.intermediate_values.items())
        ],
        state=state,
        reason=failure.message if failure is not None else reason,
        failure=failure,
        created=began,
        started=began,
        ended=_seconds(trial.datetime_complete),
        name=f"{study.study_name} {trial.number}",
        origin="optuna",
        metadata={"study": study.study_name, "trial": trial.number, **trial.user_attrs},
    )


_END = {
    "RUNNING": (State.ACTIVE, ""),
    "COMPLETE": (State.COMPLETED, "finished"),
    "PRUNED": (State.EARLY_STOPPED, "pruned by Optuna"),
    "FAIL": (State.FAILED, ""),
}


def _mark(began: datetime | None) -> str:
    """What tells trials of studies with one name apart: part of the start.

    Optuna keeps local times, so that hours and minutes depend on who reads them; seconds do not.
    """
    return "" if began is None else f"{began:%S.%f}"


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
