"""The log_* calls: what may be recorded about a run, whoever made it."""

from __future__ import annotations

import time as clocks
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.tracking import given
from heliostat.tracking.images import picture
from heliostat.tracking.params import RunParams
from heliostat.writes import AddFile, LogLateValues, LogText, Reply, UpdateRun, Write

VALIDATION = "validation"
"""The role of a run's own values."""

FAILED = "failed"
"""Key of ``sys_metadata`` under which any process of a run says that it has failed."""


class RunRecording(ABC):
    """What may be recorded about a run.

    Calls return at once; the log makes them durable in order, many to a commit. An error of the log is kept
    and comes out of :meth:`flush` and of the run's end.

    Attributes:
        id: The run's identity in the log.
        params: Its parameters, by key or by attribute.
    """

    id: int
    params: RunParams
    _attempt: int | None = None
    _epoch: int | None = None

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether the run has not ended, as far as this process knows."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until all that this process has recorded is durable; raises the first error of the log."""

    @abstractmethod
    def _write(self, write: Write) -> Future[Reply]:
        """Queue a write."""

    @abstractmethod
    def _report(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Take values of the validation role; with `step`, as a point of the training curve."""

    @abstractmethod
    def _next_step(self, step: int | None) -> int:
        """`step`, or one above the last one."""

    def log_metric(
        self,
        name: str,
        value: Any,
        stddev: float | None = None,
        *,
        role: str | None = None,
        time: float | None = None,
    ) -> None:
        """Record a metric; of the run's own values, the last one of each name counts.

        Args:
            name: Any text of up to 100 characters, such as ``training and validation time (s)``.
            value: A number; NaN and infinity are kept as such.
            stddev: Its standard error, if known.
            role: What the value tells of, if not of validation: ``production``, ``training``, … Such values
                may come at any time, also long after the run's end, and are never mixed with its own.
            time: When a value with a role held, in seconds since the epoch; by default now.

        Raises:
            InvalidValue: The value is no number, or the name is no name; nothing is recorded.
            Conflict: The run has ended, and no role was given.
        """
        measured = value if stddev is None else (value, stddev)
        if role is not None and role != VALIDATION:
            values = given.metrics({name: measured})
            now = self._now()
            at = now if time is None else schema.number(time, "time")
            self._write(
                LogLateValues(self.id, given.name(role, "role"), values, at=at, time=now, epoch=self._epoch)
            )
            return
        if time is not None:
            rule = "belongs to values with a role"
            raise InvalidValue("time", rule, given=time, remedy='Say role="production", or leave it out.')
        self._report({name: measured})

    def log_metrics(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Record several metrics at once: numbers, or ``(value, stddev)`` pairs."""
        self._report({**(values or {}), **more})

    def log_checkpoint(self, values: Mapping[str, Any], *, step: int | None = None) -> None:
        """Record a point of the training curve; steps count from 1 unless given.

        Args:
            values: Numbers by metric; ``None`` is left out.
            step: Growing within a run. The same metric at the same step again replaces.
        """
        known = schema.mapping(values, "checkpoint")
        number = None if step is None else schema.integer(step, "step")
        self._report(
            {name: value for name, value in known.items() if value is not None}, self._next_step(number)
        )

    def log_dataset(self, name: str, facts: Mapping[str, Any] | None = None) -> None:
        """Record a dataset by name, with free facts such as ``{"rows": 400}``."""
        self._update(datasets={given.name(name, "dataset name"): given.facts(facts or {}, "dataset")})

    def log_metadata(self, key: str, value: Any) -> None:
        """Record a fact for people: numbers as they are, all else as text; ``None`` removes it."""
        self._update(metadata=given.facts({key: value}, "metadata"))

    def log_dev_metadata(self, key: str, value: Any) -> None:
        """Record a fact that tables hide."""
        self._update(dev_metadata=given.facts({key: value}, "metadata"))

    def log_sys_metadata(self, key: str, value: Any, mode: str | None = None) -> None:
        """Record a fact that Heliostat itself reads, such as ``feature_importances`` (a mapping)."""
        if mode == "metadata":
            self.log_metadata(key, value)
        elif mode == "dev":
            self.log_dev_metadata(key, value)
        else:
            kept = dict(value) if isinstance(value, Mapping) else value
            self._update(sys_metadata={given.name(key, "metadata name"): kept})

    def log_model(self, type_: Any = None) -> None:
        """Record the type of the model: a name, or an object whose text is taken."""
        if type_ is not None:
            self._update(model=given.text(str(type_), "model"))

    def log_image(self, image: Any, name: str | None = None) -> None:
        """Keep a picture.

        Args:
            image: A path (apng, bmp, gif, ico, jpeg, png, svg, webp), a PIL image, a matplotlib figure, or an
                array of the shape ``height × width [× 1, 3 or 4]`` with values in 0…255.
            name: For people; by default the file's name.
        """
        found = picture(image)
        title = found.filename or "image" if name is None else given.name(name, "image name")
        self._write(
            AddFile(
                self.id,
                title,
                found.content,
                time=self._now(),
                content_type=found.content_type,
                filename=found.filename,
                epoch=self._epoch,
            )
        )

    def log_failure(self, message: str = "reported by the user") -> None:
        """Say that the run has failed, whatever else it reports; its end then is ``failed``."""
        self._update(sys_metadata={FAILED: given.text(str(message), "message")})

    def log_source_code(self, content: str | None = None, hash: str | None = None) -> None:
        """Record the run's source text, and its version, such as a git commit."""
        if content is not None:
            self.append_text("source", content, replace=True)
        if hash is not None:
            self._update(source_hash=given.text(str(hash), "hash"))

    def set_logs(self, logs: Mapping[str, str]) -> None:
        """Replace texts of the run by name (``stdout``, ``stderr``, any other); they are kept whole."""
        for stream, content in schema.mapping(logs, "logs").items():
            if not isinstance(content, str):
                raise InvalidValue(f"logs.{stream}", "must be a text", given=content, remedy="Decode it.")
            self.append_text(given.name(stream, "stream name"), content, replace=True)

    def set_parameter(self, name: str, value: Any) -> None:
        """Set a parameter, as ``run.params[name] = value`` does."""
        self.params.update({name: value})

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Set several parameters at once."""
        self.params.update(parameters)

    def set_parameter_source(self, name: str, source: str) -> None:
        """Say which group a parameter belongs to, such as ``XGBoost Defaults``."""
        self.set_parameters_source({name: None}, source)

    def set_parameters_source(self, parameters: Mapping[str, Any], source: str) -> None:
        """Say which group these parameters (the keys) belong to."""
        group = given.name(source, "source")
        self._update(parameter_sources={given.name(key, "params name"): group for key in parameters})

    def set_parameters_sources_meta(self, source_name: str, sort: int, default_show: bool) -> None:
        """Say how to show a group of parameters: its place, and whether it is open at first."""
        shown = {"sort": schema.integer(sort, "sort"), "default_show": bool(default_show)}
        self._update(sources={given.name(source_name, "source"): shown})

    def add_tags(self, *names: str) -> None:
        """Tag the run."""
        self._update(tags={given.name(item, "tag"): True for item in names})

    def remove_tags(self, *names: str) -> None:
        """Take tags off the run."""
        self._update(tags={given.name(item, "tag"): False for item in names})

    def set_name(self, name: str) -> None:
        """Rename the run."""
        self._update(name=given.name(name, "name"))

    def set_note(self, text: str) -> None:
        """Replace the run's note, in Markdown."""
        self._update(note=given.text(str(text), "note"))

    def set_favorite(self, is_favorite: bool = True) -> None:
        """Star the run, or not."""
        self._update(favorite=bool(is_favorite))

    def append_text(self, stream: str, content: str, *, replace: bool = False) -> Future[Reply]:
        """Append to one of the run's texts, or replace it; the future is done once it is durable."""
        now, attempt = self._now(), self._attempt
        return self._write(
            LogText(self.id, stream, content, time=now, replace=replace, attempt=attempt, epoch=self._epoch)
        )

    def record_facts(self, facts: Mapping[str, Any]) -> None:
        """Record facts of the machine as they are, lists and mappings included; tables hide them."""
        self._update(dev_metadata=dict(facts))

    def _update(self, **facts: Any) -> None:
        """Lay facts over the run's."""
        self._write(UpdateRun(self.id, time=self._now(), attempt=self._attempt, epoch=self._epoch, **facts))

    def _now(self) -> float:
        return clocks.time()
