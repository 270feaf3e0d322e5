"""Optuna's trials as runs: its storage tells of every step of every trial, so it is the storage that we wrap.

A callback of ``study.optimize`` hears of ends only, and not of all: neither of ``ask`` and ``tell`` nor of an
objective that raises.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage
from optuna.study import Study

from heliostat.ports import RunLog
from heliostat.schema import NAME_LENGTH
from heliostat_trackers.adapters.optuna_book import Book
from heliostat_trackers.adapters.optuna_storage import RecordedStorage
from heliostat_trackers.adapters.recorder import Recorder


def track(
    study: Study,
    log: RunLog,
    *,
    project: str | None = None,
    experiment: int | str | None = None,
    name: str | None = None,
) -> Study:
    """Record a study from now on, and the trials that it has finished already.

    Tracking a study again records what this process did not see, such as trials of other processes.

    Args:
        study: Changed in place: its storage is wrapped.
        log: Where to.
        project: The runs' project.
        experiment: An experiment that takes the runs which fit it.
        name: The study's name for people, by default its own.

    Returns:
        The same study.

    Raises:
        NotFound: The log has no such experiment.
    """
    storage = study._storage
    if isinstance(storage, RecordedStorage) and storage.book.is_about(log, project, experiment):
        storage.book.catch_up()
        return study
    address = address_of(storage)
    recorder = Recorder(
        log,
        origin="optuna",
        study=name or study.study_name.removeprefix("no-name-")[:NAME_LENGTH],
        identity=f"{address} {study.study_name}" if address else uuid.uuid4().hex,
        searcher=type(study.sampler).__name__,
        project=project,
        experiment=experiment,
        is_private=address is None,
    )
    book = Book(study, storage, recorder, (project, experiment))
    study._storage = RecordedStorage(storage, book)
    book.catch_up()
    return study


def address_of(storage: BaseStorage) -> str | None:
    """What all processes that share the storage call it; ``None`` for one that lives in memory."""
    backend = getattr(storage, "_backend", storage)
    if isinstance(storage, RecordedStorage):
        return address_of(backend)
    if isinstance(storage, JournalStorage):
        file = getattr(backend, "_file_path", None)
        place = str(Path(file).absolute()) if file is not None else getattr(backend, "_url", None)
        return f"journal {place}" if place else None
    url = getattr(backend, "url", None)  # RDBStorage
    if url is None and hasattr(backend, "_host"):  # GrpcStorageProxy
        return f"grpc {backend._host}:{backend._port}"
    if url is not None and str(url).startswith("sqlite:///"):
        file = str(url).removeprefix("sqlite:///")
        return None if file in ("", ":memory:") else f"sqlite {Path(file).absolute()}"
    return None if url is None else str(url)
