"""Code that goes on with an experiment, ready to copy."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from heliostat.experiment import ExperimentSpec

TOKEN = "$HELIOSTAT_TOKEN"


@dataclass(frozen=True)
class Sample:
    """A piece of code.

    Args:
        key: Short name.
        title: What it is for.
        needs: What must be so.
        code: The code.
    """

    key: str
    title: str
    needs: str
    code: str


def samples(id: int, spec: ExperimentSpec, url: str) -> tuple[Sample, ...]:
    """Samples for Python, Ray Tune, curl and the command line.

    Args:
        id: The experiment.
        spec: Its declaration.
        url: Address of the service.
    """
    return (
        Sample(
            "python", "Python, through the service", "pip install 'heliostat[client]'", _remote(id, spec, url)
        ),
        Sample(
            "loop",
            "Python, beside the run log",
            "the log is ./heliostat.db or $HELIOSTAT_LOG",
            _local(id, spec),
        ),
        Sample("tune", "Ray Tune", "on the cluster, beside the run log", _tune(id, spec)),
        Sample("curl", "curl", "a token with the right to write in $HELIOSTAT_TOKEN", _curl(id, spec, url)),
        Sample("cli", "Command line", "beside the run log", _shell(id, spec)),
    )


def _reports(spec: ExperimentSpec, call: str, indent: str) -> str:
    return "\n".join(f"{indent}{call}({metric.name!r}, 0.5)" for metric in spec.metrics.all)


def _remote(id: int, spec: ExperimentSpec, url: str) -> str:
    return (
        "import os\n\nimport heliostat as hs\n\n"
        f"with hs.connect({url!r}, os.environ['HELIOSTAT_TOKEN']) as remote:\n"
        f"    experiment = remote.experiment({id})\n"
        "    for run in experiment.loop():\n"
        f"        ...  # train with {_uses(spec)}\n"
        f"{_reports(spec, 'run.log_metric', '        ')}\n"
    )


def _local(id: int, spec: ExperimentSpec) -> str:
    return (
        "import heliostat as hs\n\n"
        f"experiment = hs.Experiment.open({id})\n"
        "for run in experiment.loop():\n"
        f"    ...  # train with {_uses(spec)}\n"
        f"{_reports(spec, 'run.log_metric', '    ')}\n"
    )


def _tune(id: int, spec: ExperimentSpec) -> str:
    values = ", ".join(f"{metric.name!r}: 0.5" for metric in spec.metrics.all)
    first = next(iter(spec.space.dimensions)).name
    return (
        "from ray import tune\n\nimport heliostat as hs\n\n\n"
        "def train(config):\n"
        f"    ...  # train with config[{first!r}]\n"
        f"    tune.report({{{values}}})\n\n\n"
        f"hs.Experiment.open({id}).sweep(train, parallel={spec.parallel_bandwidth or 4})\n"
    )


def _curl(id: int, spec: ExperimentSpec, url: str) -> str:
    values = {metric.name: 0.5 for metric in spec.metrics.all}
    body = shlex.quote(json.dumps({"run": "RUN", "values": values}, ensure_ascii=False))
    at = f"{url}/v1/experiments/{id}"
    return (
        f"curl -s -u \"{TOKEN}:\" {at}/ask -d '{{}}'         # the next point, and the id of its run\n"
        f'curl -s -u "{TOKEN}:" {at}/tell -d {body}\n'
        f'curl -s -u "{TOKEN}:" {at}/best_assignments\n'
    )


def _shell(id: int, spec: ExperimentSpec) -> str:
    names = " ".join(f"{shlex.quote(item.name)}=…" for item in spec.space.dimensions[:3])
    return (
        f"heliostat show {id}\n"
        f"heliostat best {id} --json\n"
        f"heliostat queue {id} {names}\n"
        f"heliostat export {id} --html\n"
    )


def _uses(spec: ExperimentSpec) -> str:
    names = [item.name for item in spec.space.dimensions][:3]
    return ", ".join(f"run[{name!r}]" for name in names)
