"""Every file of ``cluster/`` and what is wrong with it: a list of texts, empty where it is sound."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kuberay
import kubernetes_validate
import ray_files
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

ROOT = Path(__file__).parents[2] / "cluster"
KUBERNETES = "1.34"
CRDS = "HELIOSTAT_CRDS"
"""Environment variable: a folder with KubeRay's own schemas (raycluster.json, …), to judge by them too."""

LINT = YamlLintConfig(
    "extends: default\n"
    "rules: {line-length: {max: 120}, document-start: disable, comments: {min-spaces-from-content: 1},\n"
    "        braces: {max-spaces-inside: 1}}\n"
)
KUSTOMIZATION = kuberay.closed(
    "apiVersion kind resources",
    apiVersion=kuberay.one_of("kustomize.config.k8s.io/v1beta1"),
    kind=kuberay.one_of("Kustomization"),
    namespace=kuberay.TEXT,
    labels={"type": "array"},
    resources={"type": "array", "items": kuberay.TEXT},
    patches={"type": "array"},
    configMapGenerator={"type": "array"},
)
OPERATION = kuberay.closed(
    "op path",
    op=kuberay.one_of("add", "remove", "replace"),
    path={"type": "string", "pattern": "^/"},
    value={},
)
HEADERS = {".yaml": "#", ".sh": "#", ".sbatch": "#", ".cpu": "#", ".cuda": "#", ".py": '"""'}


def files() -> list[str]:
    """All files of the folder that a machine reads, by their path in it."""
    found = [path for path in ROOT.rglob("*") if path.is_file() and path.suffix not in (".md", ".pyc")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def faults(name: str, text: str) -> list[str]:
    """What is wrong with a file of this name and content."""
    return list(_faults(name, text))


def has_fault(name: str, text: str) -> bool:
    """Whether anything is wrong; stops at the first thing."""
    return any(True for _ in _faults(name, text))


def read(text: str) -> Iterator[Any]:
    """Documents of a YAML text."""
    return iter(yaml.load_all(text, Loader=yaml.CSafeLoader))


def one(text: str) -> Any:
    """The only document of a YAML text."""
    return next(read(text))


def _faults(name: str, text: str) -> Iterator[str]:
    path = Path(name)
    if path.suffix == ".yaml":
        yield from _lint(text)
        try:
            documents = list(read(text))
        except yaml.YAMLError as error:
            yield str(error)
            return
        yield from _yaml_faults(name, text, documents)
    elif path.suffix == ".json":
        yield from _dashboard_faults(json.loads(text))
    elif path.suffix in (".sh", ".sbatch"):
        yield from _tool(["shellcheck", "--severity=style", "--shell=bash", "-"], text)
        yield from _batch_faults(text) if path.suffix == ".sbatch" else ()
    elif path.name.startswith("Dockerfile"):
        yield from _tool(["hadolint", "--no-color", "-"], text)


def _yaml_faults(name: str, text: str, documents: list[Any]) -> Iterator[str]:
    place = Path(name).parts
    if place[0] == "launcher":
        yield from ray_files.launcher_faults(documents[0])
    elif name == "serve.yaml":
        yield from ray_files.serve_faults(documents[0])
    elif name == "job/runtime_env.yaml":
        yield from ray_files.runtime_env_faults(documents[0])
    elif place[0] == "kuberay":
        for document in documents:
            yield from document_faults(document)
        if place[1] in ("base", "overlays") and has_kustomize():
            yield from _rendered_faults(name, text)


def document_faults(document: Any) -> Iterator[str]:
    """What is wrong with one document of Kubernetes, of KubeRay, or of Kustomize."""
    if isinstance(document, list):  # a patch
        validator = jsonschema.Draft202012Validator(OPERATION)
        yield from (error.message for item in document for error in validator.iter_errors(item))
    elif document.get("kind") == "Kustomization":
        validator = jsonschema.Draft202012Validator(KUSTOMIZATION)
        yield from (error.message for error in validator.iter_errors(document))
    elif document.get("kind") in kuberay.SCHEMAS:
        found = kuberay.schema_faults(document)
        yield from found
        if not found and document["kind"] in kuberay.SPECS:
            yield from kuberay.rule_faults(document)
            yield from _inner_faults(document)
        yield from official_faults(document)
    else:
        yield from _core_faults(document)


def _inner_faults(document: Mapping[str, Any]) -> Iterator[str]:
    for name, pod in kuberay.pods(document):
        yield from (f"{name}: {fault}" for fault in _core_faults(pod))
    if "serveConfigV2" in document["spec"]:
        yield from ray_files.serve_faults(one(document["spec"]["serveConfigV2"]))
    if "runtimeEnvYAML" in document["spec"]:
        yield from ray_files.runtime_env_faults(one(document["spec"]["runtimeEnvYAML"]))


def _core_faults(document: Mapping[str, Any]) -> tuple[str, ...]:
    return _judged_by_kubernetes(json.dumps(document))


@cache
def _judged_by_kubernetes(text: str) -> tuple[str, ...]:
    document = json.loads(text)
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return (f"{document.get('kind')}: {error.message[:200]}",)
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        return (f"{document.get('kind')}: {error}",)
    return ()


def official_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """KubeRay's own schema, where its files are at hand."""
    folder = os.environ.get(CRDS)
    if folder and document["kind"] in kuberay.SPECS:
        validator = jsonschema.Draft202012Validator(_official(Path(folder), document["kind"]))
        yield from (f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document))


@cache
def _official(folder: Path, kind: str) -> dict[str, Any]:
    versions = json.loads((folder / f"{kind.lower()}.json").read_text(encoding="utf-8"))["versions"]
    found = versions["v1"] if isinstance(versions, dict) else next(v for v in versions if v["name"] == "v1")
    found = found.get("schema", found)
    return _closed(found.get("openAPIV3Schema", found))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI schema as Kubernetes means it: unknown fields are faults, defaults are filled in."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    found = {
        key: value
        for key, value in schema.items()
        if key in ("type", "enum", "minimum", "maximum", "pattern")
    }
    if "properties" in schema:
        found["properties"] = {name: _closed(inner) for name, inner in schema["properties"].items()}
        defaulted = {name for name, inner in schema["properties"].items() if "default" in inner}
        found["required"] = sorted(set(schema.get("required", [])) - defaulted)
        free = schema.get("x-kubernetes-preserve-unknown-fields", False)
        found["additionalProperties"] = free
        if {"apiVersion", "kind"} <= set(schema["properties"]):
            found["properties"]["metadata"] = {"type": "object"}
    if isinstance(schema.get("additionalProperties"), dict):
        found["additionalProperties"] = _closed(schema["additionalProperties"])
    if "items" in schema:
        found["items"] = _closed(schema["items"])
    return found


def _rendered_faults(name: str, text: str) -> Iterator[str]:
    """What is wrong with the overlays once this file is part of them."""
    for overlay in ("dev", "prod"):
        done = rendered(overlay, name, text)
        if done.returncode:
            yield f"{overlay}: {done.stderr[-300:]}"
            continue
        for document in read(done.stdout):
            yield from (f"{overlay}: {fault}" for fault in document_faults(document))
            if "namespace" not in document["metadata"]:
                yield f"{overlay}: {document['kind']} without a namespace"


def has_kustomize() -> bool:
    """Whether overlays can be rendered here."""
    return shutil.which("kubectl") is not None


def rendered(overlay: str, name: str = "", text: str = "") -> subprocess.CompletedProcess[str]:
    """An overlay as ``kubectl apply -k`` would send it, with the content of one file replaced."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "kuberay", Path(folder) / "kuberay")
        if name:
            (Path(folder) / name).write_text(text, encoding="utf-8")
        place = Path(folder) / "kuberay" / "overlays" / overlay
        return subprocess.run(
            ["kubectl", "kustomize", str(place)], capture_output=True, text=True, check=False
        )


@cache
def ray_metrics() -> str:
    """The queries of Ray's own dashboards: the names of what its nodes export."""
    import ray

    folder = Path(ray.__file__).parent / "dashboard" / "modules" / "metrics" / "dashboards"
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))


def _dashboard_faults(dashboard: Mapping[str, Any]) -> Iterator[str]:
    panels = dashboard.get("panels", [])
    if not dashboard.get("uid") or not panels:
        yield "a dashboard has a uid and panels"
    if len({panel["id"] for panel in panels}) < len(panels):
        yield "two panels of one id"
    for panel in panels:
        for target in panel["targets"]:
            for metric in re.findall(r"\b(?:ray|autoscaler)_\w+(?=\{)", target["expr"]):
                if metric not in ray_metrics():
                    yield f"{panel['title']}: Ray's dashboards know no {metric}"


DIRECTIVE = re.compile(
    r"#SBATCH --(job-name|nodes|ntasks-per-node|cpus-per-task|gpus-per-node|time|signal|open-mode)=\S+$"
    r"|#SBATCH --(requeue|exclusive)$"
)


def _batch_faults(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("#SBATCH") and not DIRECTIVE.match(line):
            yield f"no directive of sbatch: {line}"


def _lint(text: str) -> Iterator[str]:
    yield from (f"{problem.line}: {problem.message}" for problem in linter.run(text, LINT))


def _tool(command: list[str], text: str) -> Iterator[str]:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(program), *command[1:]], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        yield done.stdout + done.stderr
