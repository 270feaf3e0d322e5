"""The log_* calls without a run: they mean the one entered by ``with run:``, or else the process's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from heliostat.tracking import creation, current, farewell
from heliostat.tracking.global_run import process_run, process_run_if_any
from heliostat.tracking.params import RunParams
from heliostat.tracking.recording import RunRecording


def run_in_use() -> RunRecording:
    """The run that calls without a run mean; the first one outside any run opens the process's own."""
    farewell.go_on()
    return current.entered() or process_run()


def get_run_id() -> int | None:
    """Id of the run that calls without a run mean; ``None`` if there is none yet."""
    run = current.entered() or process_run_if_any()
    return None if run is None else run.id


def log_metric(
    name: str,
    value: Any,
    stddev: float | None = None,
    *,
    role: str | None = None,
    time: float | None = None,
) -> None:
    """Record a metric; see :meth:`RunRecording.log_metric`."""
    run_in_use().log_metric(name, value, stddev, role=role, time=time)


def log_metrics(values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
    """Record several metrics at once."""
    run_in_use().log_metrics(values, **more)


def log_checkpoint(values: Mapping[str, Any], *, step: int | None = None) -> None:
    """Record a point of the training curve."""
    run_in_use().log_checkpoint(values, step=step)


def log_dataset(name: str, facts: Mapping[str, Any] | None = None) -> None:
    """Record a dataset by name."""
    run_in_use().log_dataset(name, facts)


def log_metadata(key: str, value: Any) -> None:
    """Record a fact for people."""
    run_in_use().log_metadata(key, value)


def log_dev_metadata(key: str, value: Any) -> None:
    """Record a fact that tables hide."""
    run_in_use().log_dev_metadata(key, value)


def log_sys_metadata(key: str, value: Any, mode: str | None = None) -> None:
    """Record a fact that Heliostat itself reads."""
    run_in_use().log_sys_metadata(key, value, mode)


def log_model(type_: Any = None) -> None:
    """Record the type of the model."""
    run_in_use().log_model(type_)


def log_image(image: Any, name: str | None = None) -> None:
    """Keep a picture."""
    run_in_use().log_image(image, name)


def log_failure(message: str = "reported by the user") -> None:
    """Say that the run has failed."""
    run_in_use().log_failure(message)


def log_source_code(content: str | None = None, hash: str | None = None) -> None:
    """Record the run's source text and its version."""
    run_in_use().log_source_code(content, hash)


def set_logs(logs: Mapping[str, str]) -> None:
    """Replace texts of the run by name."""
    run_in_use().set_logs(logs)


def set_parameter(name: str, value: Any) -> None:
    """Set a parameter."""
    params[name] = value


def set_parameters(parameters: Mapping[str, Any]) -> None:
    """Set several parameters at once."""
    params.update(parameters)


def set_parameter_source(name: str, source: str) -> None:
    """Say which group a parameter belongs to."""
    run_in_use().set_parameter_source(name, source)


def set_parameters_source(parameters: Mapping[str, Any], source: str) -> None:
    """Say which group these parameters belong to."""
    run_in_use().set_parameters_source(parameters, source)


def set_parameters_sources_meta(source_name: str, sort: int, default_show: bool) -> None:
    """Say how to show a group of parameters."""
    run_in_use().set_parameters_sources_meta(source_name, sort, default_show)


class CurrentParams(MutableMapping[str, Any]):
    """Parameters of the run that calls without a run mean.

    Reading opens no run. What is set on the process's own run is also what new runs begin with.
    """

    def __getitem__(self, name: str) -> Any:
        return _seen()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        del _seen()[name]
        creation.default_params.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(_seen())

    def __len__(self) -> int:
        return len(_seen())

    def __getattr__(self, name: str) -> Any:
        return getattr(_seen(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(f"no parameter {name!r}")
        del self[name]

    def update(self, *values: Any, **more: Any) -> None:
        """Set several at once: all of them, or none if one is refused."""
        changes = dict(*values, **more)
        run = run_in_use()
        run.params.update(changes)
        if run is process_run_if_any():
            creation.default_params.update({name: run.params[name] for name in changes if name in run.params})

    def setdefaults(self, *values: Any, **more: Any) -> CurrentParams:
        """Set those that the run does not have yet."""
        wanted = dict(*values, **more)
        self.update({name: value for name, value in wanted.items() if name not in self})
        return self

    def __repr__(self) -> str:
        return repr(_seen())


def _seen() -> RunParams:
    run = current.entered() or process_run_if_any()
    return RunParams() if run is None else run.params


params = CurrentParams()
