"""The MLflow server: each method is one question or one request, nothing is retried here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from heliostat.errors import InvalidValue, Unsupported
from heliostat_trackers.mlflow import wording
from heliostat_trackers.mlflow.difference import Change, Seen, later
from heliostat_trackers.mlflow.faults import NameTaken, translated
from heliostat_trackers.mlflow.picture import LOG, NAME, REPORT, RUN, Picture, Point

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS_AT_ONCE, OTHERS_AT_ONCE = 800, 90
"""MLflow takes 1000 metrics, 100 params and 100 tags, 1000 in all, in one request."""

RUNS_AT_ONCE = 1000
_DATABASE = "sqlite:///"
_LARGEST_REQUEST = 700_000
"""Characters of params and tags; MLflow refuses requests above a megabyte."""


@dataclass
class Shelf:
    """An MLflow experiment of ours: where the runs of an experiment, or of a project without one, stand.

    Args:
        id: MLflow's.
        name: MLflow's.
        is_deleted: Whether somebody deleted it in MLflow.
        tags: By key.
        is_new: Made by this process, and therefore empty before.
    """

    id: str
    name: str
    is_deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    is_new: bool = False


class Server:
    """An MLflow tracking server.

    Args:
        uri: ``http(s)://…``, or ``sqlite:///path`` of a database that belongs to nobody else.

    Raises:
        InvalidValue: The address is another one.
        Unsupported: mlflow-skinny is not installed, or not all that a database needs.
        ServerRefused, ServerAway: As all methods do.
    """

    def __init__(self, uri: str) -> None:
        self.uri = checked_uri(uri)
        self._client = _client(self.uri)
        self._folders: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """The URI without a password, for people."""
        parts = urlsplit(self.uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")

    def is_up(self) -> bool:
        """Whether it answers a small question."""
        try:
            with translated("answer"):
                self._client.search_experiments(max_results=1)
        except (OSError, Unsupported):
            return False
        return True

    def shelves(self, identity: str) -> list[Shelf]:
        """All MLflow experiments that mirror a log, deleted ones among them."""
        from mlflow.entities import ViewType

        found: list[Shelf] = []
        token = None
        while True:
            with translated("list experiments"):
                page = self._client.search_experiments(
                    view_type=ViewType.ALL,
                    filter_string=f"tags.`{LOG}` = '{identity}'",
                    max_results=RUNS_AT_ONCE,
                    page_token=token,
                )
            found += [
                Shelf(item.experiment_id, item.name, item.lifecycle_stage == "deleted", dict(item.tags))
                for item in page
            ]
            token = page.token
            if not token:
                return found

    def create_shelf(self, name: str, tags: Mapping[str, str]) -> Shelf:
        """A new MLflow experiment.

        Raises:
            NameTaken: There is one of that name, perhaps a deleted one.
        """
        with translated(f"create the experiment {name!r}"):
            id = self._client.create_experiment(name, artifact_location=self._folder(name), tags=dict(tags))
        return Shelf(id, name, tags=dict(tags), is_new=True)

    def tag_shelf(self, shelf: Shelf, tags: Mapping[str, str]) -> None:
        """Set what differs."""
        for key, value in tags.items():
            if shelf.tags.get(key) != value:
                with translated("tag an experiment"):
                    self._client.set_experiment_tag(shelf.id, key, value)
                shelf.tags[key] = value

    def rename_shelf(self, shelf: Shelf, name: str) -> None:
        """Give another name, unless it is taken."""
        try:
            with translated("rename an experiment"):
                self._client.rename_experiment(shelf.id, name)
        except NameTaken:
            return
        shelf.name = name

    def runs_of(self, shelf: Shelf, key: str | None = None) -> Iterator[Seen]:
        """The mirrored runs on a shelf, deleted ones among them: all, or those of one of our runs."""
        from mlflow.entities import ViewType

        where = f"tags.`{RUN}` = '{key}'" if key else ""
        token = None
        while True:
            with translated("search runs"):
                page = self._client.search_runs(
                    [shelf.id],
                    filter_string=where,
                    run_view_type=ViewType.ALL,
                    max_results=RUNS_AT_ONCE if key is None else 10,
                    page_token=token,
                )
            yield from map(_seen, page)
            token = page.token
            if not token:
                return

    def run(self, id: str) -> Seen:
        """One run."""
        with translated("read a run"):
            return _seen(self._client.get_run(id))

    def create_run(self, shelf: Shelf, wanted: Picture, tags: Mapping[str, str]) -> Seen:
        """A new run; if this fails, it may be there all the same."""
        user = {"mlflow.user": wanted.user} if wanted.user else {}
        with translated("create a run"):
            run = self._client.create_run(
                shelf.id, start_time=wanted.start, tags={**tags, **user}, run_name=tags[NAME]
            )
        self._folders[run.info.run_id] = run.info.artifact_uri
        return Seen(run.info.run_id, tags=dict(tags))

    def report_of(self, shelf: Shelf, key: str, title: str) -> Seen:
        """The run that holds a report's files, under this title; made if it is not there."""
        with translated("search runs"):
            found = self._client.search_runs([shelf.id], filter_string=f"tags.`{REPORT}` = '{key}'")
        with translated("name a report"):
            if found:
                self._client.set_tag(found[0].info.run_id, NAME, title)
                return _seen(found[0])
            run = self._client.create_run(shelf.id, tags={REPORT: key, NAME: title}, run_name=title)
            self._client.set_terminated(run.info.run_id)
        return _seen(run)

    def write(self, seen: Seen, change: Change) -> None:
        """Write params, points, datasets and tags, the tags last; `seen` follows. It may be repeated."""
        from mlflow.entities import Metric, Param, RunTag

        self._log_datasets(seen, change)
        for params, points, tags in _batches(change):
            with translated("log a batch"):
                self._client.log_batch(
                    seen.id,
                    metrics=[Metric(point.key, point.value, point.time, point.step) for point in points],
                    params=[Param(key, value) for key, value in params.items()],
                    tags=[RunTag(key, value) for key, value in tags.items()],
                    synchronous=True,
                )
            seen.params |= params
            seen.latest = later(points, seen.latest)
            seen.points.update(points)
            seen.tags |= tags
        for key in change.dropped:
            with translated("remove a tag"):
                self._client.delete_tag(seen.id, key)
            del seen.tags[key]

    def settle(self, seen: Seen, change: Change) -> None:
        """Write how the run ended."""
        if change.ending is None:
            return
        status, end = change.ending
        with translated("end a run"):
            if end is None:
                self._client.update_run(seen.id, status=status)
            else:
                self._client.set_terminated(seen.id, status=status, end_time=end)
        seen.status, seen.end = status, end

    def delete(self, seen: Seen, tag: str) -> None:
        """Move a run to MLflow's deleted ones, with a tag that says why."""
        if not seen.is_deleted:
            with translated("delete a run"):
                self._client.set_tag(seen.id, tag, "true")
                self._client.delete_run(seen.id)
        seen.is_deleted, seen.tags[tag] = True, "true"

    def restore(self, seen: Seen, tag: str) -> None:
        """Undo :meth:`delete`."""
        with translated("restore a run"):
            self._client.restore_run(seen.id)
            self._client.delete_tag(seen.id, tag)
        seen.is_deleted = False
        seen.tags.pop(tag, None)

    def upload(self, seen: Seen, files: Mapping[str, bytes]) -> None:
        """Store files with a run; what was there under the same path is replaced.

        Raises:
            Exception: Whatever the artifact store raises, which may be any program's.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        place = self._folders.get(seen.id)
        if place is None:
            place = self._folders[seen.id] = self._client.get_run(seen.id).info.artifact_uri
        store = get_artifact_repository(place, tracking_uri=self.uri)
        with tempfile.TemporaryDirectory(prefix="heliostat-") as folder:
            for path, content in files.items():
                local = Path(folder, path)
                local.parent.mkdir(parents=True, exist_ok=True)
                local.write_bytes(content)
                store.log_artifact(str(local), path.rpartition("/")[0] or None)
                local.unlink()

    def forget(self, seen: Seen) -> None:
        """Keep nothing of a run that is done."""
        self._folders.pop(seen.id, None)

    def _folder(self, name: str) -> str | None:
        """Where the files of an experiment's runs go; a server knows, for a database it is beside it."""
        if not self.uri.startswith(_DATABASE):
            return None
        path = Path(self.uri.removeprefix(_DATABASE)).absolute()
        return path.with_name(f"{path.name}-files").joinpath(wording.fingerprint(name)).as_uri()

    def _log_datasets(self, seen: Seen, change: Change) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not change.datasets:
            return
        inputs = []
        for use in change.datasets:
            told = Dataset(use.name, use.digest, "heliostat", use.source, profile=use.profile or None)
            context = [InputTag("mlflow.data.context", use.context)] if use.context else []
            inputs.append(DatasetInput(told, context))
        with translated("log datasets"):
            self._client.log_inputs(seen.id, inputs)
        seen.datasets |= {(use.name, use.digest) for use in change.datasets}


def checked_uri(uri: str) -> str:
    """The address of a server that may be written to.

    Raises:
        InvalidValue: It is of another kind: a database that a server works on must not be opened beside it,
            for a newer client migrates it unasked.
    """
    if uri.startswith(("http://", "https://", _DATABASE)):
        return uri
    rule = "must be an MLflow server's address, http://… or https://…"
    remedy = (
        "Start one with: mlflow server. A database of our own may be named as --uri sqlite:///private.db."
    )
    raise InvalidValue("uri", rule, given=urlsplit(uri).scheme or uri, remedy=remedy, code="HS-MLFLOW-003")


def _client(uri: str) -> MlflowClient:
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        rule = f"mirroring into MLflow needs the package mlflow-skinny ({error})"
        remedy = "Install it with: pip install 'heliostat[mlflow]'"
        raise Unsupported(rule, remedy=remedy, code="HS-MLFLOW-004") from error
    with translated("be reached"):
        client = MlflowClient(uri)
    return client


def _batches(change: Change) -> Iterator[tuple[dict[str, str], list[Point], dict[str, str]]]:
    """Requests of a size that MLflow takes; tags come last, for they say what has been written."""
    params, points = _parts(change.params), list(change.points)
    tags = _parts(change.tags)
    if len(params) <= 1 and len(tags) <= 1 and len(points) <= METRICS_AT_ONCE:
        if params or points or tags:
            yield (params or [{}])[0], points, (tags or [{}])[0]
        return
    metrics = [points[at : at + METRICS_AT_ONCE] for at in range(0, len(points), METRICS_AT_ONCE)]
    for some_params, some_points in zip_longest(params, metrics):
        yield some_params or {}, some_points or [], {}
    for some_tags in tags:
        yield {}, [], some_tags


def _parts(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    parts: list[dict[str, str]] = []
    size = 0
    for key, value in pairs.items():
        # In JSON a character may take six.
        length = len(key) + (len(value) if value.isascii() else 6 * len(value))
        if not parts or len(parts[-1]) >= OTHERS_AT_ONCE or size + length > _LARGEST_REQUEST // 2:
            parts.append({})
            size = 0
        parts[-1][key] = value
        size += length
    return parts


def _seen(run: Any) -> Seen:
    data, info = run.data, run.info
    return Seen(
        id=info.run_id,
        status=info.status,
        end=info.end_time,
        is_deleted=info.lifecycle_stage == "deleted",
        params=dict(data.params),
        tags=dict(data.tags),
        latest=_latest(data),
        datasets={
            (item.dataset.name, item.dataset.digest)
            for item in (run.inputs.dataset_inputs if run.inputs else ())
        },
    )


def _latest(data: Any) -> dict[str, Point]:
    points: Iterable[Any] = data.to_proto().metrics  # the entity's own accessor leaves out times and steps
    return {item.key: Point(item.key, item.value, item.timestamp, item.step) for item in points}
