"""Curves, sizes and reading back: what is measured one store at a time."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import runlog_stores as stores
from runlog_crews import in_worker
from runlog_rounds import MLFLOW_WAL, POSTGRES, SQLITE

POINTS = 1000
READ_PARAMS, READ_METRICS = 20, 3
REPEATS = 3


@contextmanager
def measured(into: list[tuple[float, float]]) -> Iterator[None]:
    """Append wall and CPU seconds of what is done inside."""
    wall, cpu = time.monotonic(), time.process_time()
    yield
    into.append((time.monotonic() - wall, time.process_time() - cpu))


def curves(folder: Path, server: Any, runs: int) -> list[dict[str, Any]]:
    """Curves of 1,000 points in one call each."""
    rows = [{"store": SQLITE, **_sqlite_curves(folder, runs)}]
    if server is not None:
        rows.append({"store": POSTGRES, **_postgres_curves(server, runs)})
    rows.append({"store": MLFLOW_WAL, **_mlflow_curves(folder, max(3, runs // 10))})
    return rows


def _sqlite_curves(folder: Path, runs: int) -> dict[str, Any]:
    path = folder / "curves.db"
    place = f"sqlite:///{path}"
    in_worker(stores.Heliostat.prepare, place)
    made = in_worker(_new_runs, place, runs)
    before = path.stat().st_size
    taken = in_worker(_logged_curves, place, made)
    assert not path.with_name("curves.db-wal").exists(), "the size would not count what is not folded in"
    return {**taken, "bytes": (path.stat().st_size - before) / (runs * POINTS)}


def _postgres_curves(server: Any, runs: int) -> dict[str, Any]:
    place = server.new_database()
    in_worker(stores.Heliostat.prepare, place)
    taken = in_worker(_logged_curves, place, in_worker(_new_runs, place, runs))
    name = place.split("?")[0].rsplit("/", 1)[1]
    size = int(server.execute("SELECT pg_total_relation_size('checkpoints')", name))
    return {**taken, "bytes": size / (runs * POINTS)}


def _mlflow_curves(folder: Path, runs: int) -> dict[str, Any]:
    path = folder / "mlflow-curves.db"
    in_worker(stores.MlflowWal.prepare, str(path))
    before = _folded_size(path)
    taken = in_worker(_logged_mlflow_curves, str(path), runs)
    return {**taken, "bytes": (_folded_size(path) - before) / (runs * POINTS)}


def _folded_size(path: Path) -> int:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def _new_runs(place: str, count: int) -> list[int]:
    from heliostat.registry import open_log
    from heliostat.writes import CreateRun

    log = open_log(place)
    experiment = log.experiments()[0].id
    futures = [log.submit(CreateRun(experiment, {}, time=time.time())) for _ in range(count)]
    made = [future.result().run or 0 for future in futures]
    log.close()
    return made


def _logged_curves(place: str, runs: list[int]) -> dict[str, float]:
    from heliostat.registry import open_log
    from heliostat.trial import Checkpoint
    from heliostat.writes import LogCheckpoints

    log, random, spent = open_log(place), Random(1), []
    log.runs()
    for run in runs:
        now = time.time()
        points = [Checkpoint(step, {"loss": random.random()}, now + step) for step in range(1, POINTS + 1)]
        with measured(spent):
            log.apply(LogCheckpoints(run, tuple(points)))
    log.close()
    return _curve_row(spent)


def _logged_mlflow_curves(place: str, runs: int) -> dict[str, float]:
    from mlflow.entities import Metric

    client, random, spent = stores.mlflow_client(place), Random(1), []
    experiment = client.get_experiment_by_name("benchmark").experiment_id
    for _ in range(runs):
        run, now = client.create_run(experiment).info.run_id, int(time.time() * 1000)
        points = [Metric("loss", random.random(), now + step, step) for step in range(1, POINTS + 1)]
        with measured(spent):
            client.log_batch(run, metrics=points)
    return _curve_row(spent)


def _curve_row(spent: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
    return {"calls": len(spent), "points_per_second": POINTS / wall, "cpu_ms": 1000 * cpu}


def reads(folder: Path, server: Any, runs: int, mlflow_runs: int) -> list[dict[str, Any]]:
    """CPU seconds of reading many trials into a history of the engine and into a table."""
    rows = []
    places = {SQLITE: f"sqlite:///{folder / 'reads.db'}"}
    if server is not None:
        places[POSTGRES] = server.new_database()
    for name, place in places.items():
        in_worker(_filled, place, runs)
        for form in (_history, _frame):
            spent = in_worker(_read, form, place, runs)
            rows.append({"store": name, "form": form.__name__.removeprefix("_"), "runs": runs, "cpu": spent})
    path = folder / "mlflow-reads.db"
    in_worker(stores.MlflowWal.prepare, str(path))
    in_worker(_filled_mlflow, str(path), mlflow_runs)
    for form in (_mlflow_history, _mlflow_frame):
        spent = in_worker(_read, form, str(path), mlflow_runs)
        row = {"store": MLFLOW_WAL, "form": form.__name__.removeprefix("_mlflow_")}
        rows.append({**row, "runs": mlflow_runs, "cpu": spent})
    return rows


def _filled(place: str, count: int) -> None:
    from heliostat.registry import open_log
    from heliostat.trial import Measurement, State
    from heliostat.writes import CreateExperiment, CreateRun, FinishRun

    log, random = open_log(place), Random(2)
    spec = stores.experiment_spec(READ_PARAMS, READ_METRICS)
    experiment = log.apply(CreateExperiment(spec, time=time.time())).experiment
    futures = []
    for _ in range(count):
        given = {f"param_{number}": random.random() for number in range(READ_PARAMS)}
        futures.append(log.submit(CreateRun(experiment, given, metadata=stores.TAGS, time=time.time())))
    for future in futures:
        found = {f"metric_{number}": Measurement(random.random()) for number in range(READ_METRICS)}
        run = future.result().run or 0
        log.submit(FinishRun(run, State.COMPLETED, "done", values=found, time=time.time()))
    log.close()


def _filled_mlflow(place: str, count: int) -> None:
    from mlflow.entities import Metric, Param

    client, random = stores.mlflow_client(place), Random(2)
    experiment = client.get_experiment_by_name("benchmark").experiment_id
    for _ in range(count):
        run, now = client.create_run(experiment, tags=stores.TAGS).info.run_id, int(time.time() * 1000)
        params = [Param(f"param_{number}", repr(random.random())) for number in range(READ_PARAMS)]
        metrics = [Metric(f"metric_{number}", random.random(), now, 0) for number in range(READ_METRICS)]
        client.log_batch(run, params=params, metrics=metrics)
        client.set_terminated(run)


def _read(form: Callable[[str], Callable[[], int]], place: str, count: int) -> float:
    """Median CPU seconds of one reading, the connection being open."""
    read, spent = form(place), []
    for _ in range(REPEATS):
        with measured(spent):
            found = read()
        assert found == count, f"{found} of {count} trials came back"
    return statistics.median(cpu for _, cpu in spent)


def _history(place: str) -> Callable[[], int]:
    from heliostat.registry import open_log
    from heliostat.trial import History

    log = open_log(place)
    (experiment,) = log.experiments()
    return lambda: len(History(tuple(log.runs(experiment.id, curves=True))))


def _frame(place: str) -> Callable[[], int]:
    from heliostat import frames
    from heliostat.registry import open_log

    log = open_log(place)
    (experiment,) = log.experiments()
    return lambda: len(frames.runs(experiment=experiment.id, log=log))


def _mlflow_history(place: str) -> Callable[[], int]:
    client = stores.mlflow_client(place)
    experiment = client.get_experiment_by_name("benchmark").experiment_id

    def read() -> int:
        found, page = 0, None
        while page is None or page.token:
            token = page.token if page is not None else None
            page = client.search_runs([experiment], max_results=stores.MLFLOW_PAGE, page_token=token)
            found += len(page)
        return found

    return read


def _mlflow_frame(place: str) -> Callable[[], int]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{place}")
    return lambda: len(mlflow.search_runs(experiment_names=["benchmark"], max_results=50_000))
