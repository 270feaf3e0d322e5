"""The MLflow experiments that mirror a log: one for each experiment, one for each project's other runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.trial import Run
from heliostat_trackers.mlflow import views, wording
from heliostat_trackers.mlflow.faults import NameTaken, ServerRefused
from heliostat_trackers.mlflow.picture import LOG
from heliostat_trackers.mlflow.server import Server, Shelf
from heliostat_trackers.mlflow.views import Columns

SHELF = "heliostat.shelf"
DECLARATION = "heliostat.declaration"

_NO_WAY_BACK = "Mirrored from Heliostat's run log: what is changed here does not change it there."
_ALIKE = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow's word for "no language model"; its pages of 3.17 go by the address (see `views.address`)."""


class Shelves:
    """Finds, makes and keeps the MLflow experiments of one log.

    Args:
        server: Where they are.
        log: Whose they are.
    """

    def __init__(self, server: Server, log: RunLog) -> None:
        self._server = server
        self._log = log
        self._identity = log.identity
        self._records: dict[int, ExperimentRecord] = {}
        self._columns: dict[str, Columns] = {}
        self._found: dict[str, Shelf] = {}
        self.reload()

    def reload(self) -> None:
        """Look again what is there."""
        found = sorted(self._server.shelves(self._identity), key=lambda shelf: int(shelf.id))
        news = {key for key, shelf in self._found.items() if shelf.is_new}
        self._found = {}
        for shelf in found:
            key = shelf.tags.get(SHELF, "")
            shelf.is_new = key in news
            self._found.setdefault(key, shelf)

    def __iter__(self) -> Iterator[Shelf]:
        return iter(self._found.values())

    def record(self, id: int) -> ExperimentRecord:
        """An experiment as the log knew it when it last changed."""
        if id not in self._records:
            self._records[id] = self._log.experiment(id)
        return self._records[id]

    def shelf_of(self, run: Run) -> Shelf:
        """Where a run stands; made if it is not there."""
        if run.experiment is not None:
            return self.shelf_of_experiment(self.record(run.experiment))
        shelf = self._settled(f"project/{run.project}", run.project, lambda: self._project_tags(run.project))
        self._show_columns(shelf, run)
        return shelf

    def refresh(self, experiment: int) -> None:
        """Bring an experiment's name, note and declaration up to date."""
        self._records.pop(experiment, None)
        record = self.record(experiment)
        shelf = self.shelf_of_experiment(record)
        if shelf.is_deleted:
            return
        self._server.tag_shelf(shelf, self._experiment_tags(record))
        if not shelf.name.startswith(_title(record)):
            self._server.rename_shelf(shelf, _title(record))

    def address(self, shelf: Shelf) -> str:
        """Where people look at it."""
        return views.address(self._server.address, shelf.id)

    def shelf_of_experiment(self, record: ExperimentRecord) -> Shelf:
        """Where an experiment's runs stand; made if it is not there."""
        return self._settled(f"experiment/{record.id}", _title(record), lambda: self._experiment_tags(record))

    def _settled(self, kind: str, title: str, tags: Callable[[], dict[str, str]]) -> Shelf:
        key = f"{self._identity}/{kind}"
        if key not in self._found:
            # Other logs, and experiments deleted in MLflow, may have the name.
            titles = [title, f"{title} [{self._identity[:6]}]", f"{title} [{self._identity[:12]}]"]
            self._found[key] = self._created(key, titles, {**tags(), SHELF: key})
        return self._found[key]

    def _created(self, key: str, titles: list[str], tags: Mapping[str, str]) -> Shelf:
        for title in titles:
            try:
                return self._server.create_shelf(wording.cut(title, wording.LONGEST_TITLE, "cut"), tags)
            except NameTaken as error:
                taken = error
                self.reload()  # an earlier creation whose answer was lost took it
                if key in self._found:
                    return self._found[key]
        raise ServerRefused(taken.rule, remedy="Rename or remove MLflow's experiments of these names.")

    def _experiment_tags(self, record: ExperimentRecord) -> dict[str, str]:
        spec = record.spec
        tags = {
            LOG: self._identity,
            "heliostat.project": spec.project,
            "heliostat.experiment": str(record.id),
            "heliostat.archived": str(record.archived).lower(),
            DECLARATION: wording.cut(declaration(record), wording.LONGEST_EXPERIMENT_TAG),
            "mlflow.note.content": wording.cut(_note(record), wording.LONGEST_EXPERIMENT_TAG, "cut"),
            views.TAG: views.view_tag(_columns(spec), wording.milliseconds(record.created)),
            **_ALIKE,
        }
        if spec.metrics.objectives:
            first = spec.metrics.objectives[0]
            tags["mlflow.experiment.primaryMetric.name"] = wording.plain_name(first.name)
            tags["mlflow.experiment.primaryMetric.greaterIsBetter"] = str(first.sign > 0).lower()
        return {name: wording.text(value) for name, value in tags.items()}

    def _project_tags(self, project: str) -> dict[str, str]:
        note = f"Runs of project {project} that belong to no experiment. {_NO_WAY_BACK}"
        tags = {LOG: self._identity, "heliostat.project": project, "mlflow.note.content": note, **_ALIKE}
        return {name: wording.text(value) for name, value in tags.items()}

    def _show_columns(self, shelf: Shelf, run: Run) -> None:
        if shelf.is_deleted:
            return
        before = self._columns.get(shelf.id) or views.columns_of(shelf.tags.get(views.TAG, ""))
        columns = before.joined(run.values, run.assignments)
        if columns != before or views.TAG not in shelf.tags:
            self._columns[shelf.id] = columns
            self._server.tag_shelf(shelf, {views.TAG: views.view_tag(columns, 0)})


def declaration(record: ExperimentRecord) -> str:
    """The declared experiment, as its file would read."""
    return json.dumps(record.spec.to_dict(), ensure_ascii=False, indent=1)


def long_declaration(record: ExperimentRecord) -> str:
    """The same if it has no room in a tag, else nothing."""
    told = declaration(record)
    return told if len(told) > wording.LONGEST_EXPERIMENT_TAG else ""


def _title(record: ExperimentRecord) -> str:
    return f"{record.spec.project} / {record.spec.name} ({record.id})"


def _columns(spec: ExperimentSpec) -> Columns:
    objectives = [metric.name for metric in spec.metrics.objectives]
    metrics = dict.fromkeys([*objectives, *(metric.name for metric in spec.metrics.all)])
    is_ascending = spec.metrics.objectives[0].sign < 0 if objectives else None
    return Columns(tuple(metrics), tuple(item.name for item in spec.space.dimensions), is_ascending)


def _note(record: ExperimentRecord) -> str:
    spec = record.spec
    lines = [f"Experiment {record.id} of project {spec.project}, searcher {spec.searcher}."]
    if spec.budget is not None:
        lines[0] += f" Budget: {spec.budget} runs."
    for metric in spec.metrics.all:
        side = "" if metric.threshold is None else f" {'at most' if metric.sign < 0 else 'at least'} "
        limit = "" if metric.threshold is None else f"{metric.threshold:g}"
        role = {"optimize": metric.objective, "constraint": "guardrail", "store": "store"}[metric.strategy]
        lines.append(f"- {role} **{metric.name}**{side}{limit}")
    return "\n".join([*lines, "", _NO_WAY_BACK])
