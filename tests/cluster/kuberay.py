"""What KubeRay 1.7 takes: closed schemas of the fields that our manifests use, and the operator's own rules.

The schemas are our own and narrower than KubeRay's: whoever uses another field adds it here, with its type.
Pod templates are judged as pods of Kubernetes, strictly. Rules are those of the operator's validator and of
its admission expressions, which no schema holds; each gives a text for each place that breaks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import yaml

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NATURAL = {"type": "integer", "minimum": 0}
FLAG = {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
POD = {"type": "object"}
"""Pod templates: :func:`pod_templates` takes them out."""


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def closed(required: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": required.split(),
        "additionalProperties": False,
    }


AMOUNT = {"type": ["string", "integer"]}
RESOURCES = closed(
    requests={"type": "object", "additionalProperties": AMOUNT},
    limits={"type": "object", "additionalProperties": AMOUNT},
)
SECRET_VALUE = closed(
    "valueFrom", valueFrom=closed("secretKeyRef", secretKeyRef=closed("name key", name=TEXT, key=TEXT))
)
CLUSTER = closed(
    "rayVersion headGroupSpec",
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=closed(
        version=one_of("v1", "v2"),
        upscalingMode=one_of("Default", "Aggressive", "Conservative"),
        idleTimeoutSeconds=NATURAL,
        resources=RESOURCES,
    ),
    authOptions=closed(mode=one_of("disabled", "token"), secretName=TEXT),
    gcsFaultToleranceOptions=closed(
        "backend",
        backend=one_of("redis", "rocksdb"),
        redisAddress=TEXT,
        redisPassword=SECRET_VALUE,
        externalStorageNamespace=TEXT,
        storage=closed(size=TEXT, storageClassName=TEXT, claimName=TEXT),
    ),
    headGroupSpec=closed("rayStartParams template", rayStartParams=TEXTS, labels=TEXTS, template=POD),
    workerGroupSpecs={
        "type": "array",
        "items": closed(
            "groupName template minReplicas maxReplicas",
            groupName=TEXT,
            replicas=NATURAL,
            minReplicas=NATURAL,
            maxReplicas=NATURAL,
            priority=WHOLE,
            idleTimeoutSeconds=NATURAL,
            labels=TEXTS,
            rayStartParams=TEXTS,
            template=POD,
        ),
    },
)
SPECS = {
    "RayCluster": CLUSTER,
    "RayJob": closed(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        submissionMode=one_of("K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"),
        runtimeEnvYAML=TEXT,
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=NATURAL,
        backoffLimit=NATURAL,
        activeDeadlineSeconds=NATURAL,
        preRunningDeadlineSeconds=NATURAL,
        suspend=FLAG,
        rayClusterSpec=CLUSTER,
    ),
    "RayService": closed(
        "serveConfigV2 rayClusterConfig",
        serveConfigV2=TEXT,
        serviceUnhealthySecondThreshold=NATURAL,
        deploymentUnhealthySecondThreshold=NATURAL,
        excludeHeadPodFromServeSvc=FLAG,
        upgradeStrategy=closed(type=one_of("NewCluster", "NewClusterWithIncrementalUpgrade", "None")),
        rayClusterConfig=CLUSTER,
    ),
}
METADATA = closed("name", name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
MONITOR = closed(
    "selector podMetricsEndpoints",
    selector=closed(matchLabels=TEXTS),
    podMetricsEndpoints={
        "type": "array",
        "minItems": 1,
        "items": closed(
            "port",
            port=TEXT,
            path=TEXT,
            interval={"type": "string", "pattern": r"^\d+(ms|s|m)$"},
            relabelings={
                "type": "array",
                "items": closed(
                    action=one_of("replace", "keep", "drop"),
                    sourceLabels={"type": "array", "items": {"type": "string", "pattern": r"^\w+$"}},
                    targetLabel=TEXT,
                ),
            },
        ),
    },
)
VERSIONS = {**dict.fromkeys(SPECS, "ray.io/v1"), "PodMonitor": "monitoring.coreos.com/v1"}
SCHEMAS = {
    kind: closed(
        "apiVersion kind metadata spec",
        apiVersion=one_of(version),
        kind=one_of(kind),
        metadata=METADATA,
        spec=SPECS.get(kind, MONITOR),
    )
    for kind, version in VERSIONS.items()
}
"""Kinds that Kubernetes itself does not know."""

LONGEST_NAME = {"RayCluster": 53, "RayJob": 47, "RayService": 47}
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
START_PARAMETERS = {
    "num-cpus",
    "num-gpus",
    "memory",
    "dashboard-host",
    "metrics-export-port",
    "resources",
    "block",
}


def schema_faults(document: Mapping[str, Any]) -> list[str]:
    """Places where one of these kinds breaks its schema."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[document["kind"]])
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def cluster_spec(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The Ray cluster that a document describes."""
    spec = document.get("spec", {})
    found = {
        "RayCluster": spec,
        "RayJob": spec.get("rayClusterSpec"),
        "RayService": spec.get("rayClusterConfig"),
    }
    return found.get(document.get("kind", ""))


def groups(cluster: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Head and worker groups with their names."""
    yield "head", cluster.get("headGroupSpec", {})
    for group in cluster.get("workerGroupSpecs", []):
        yield str(group.get("groupName")), group


def pods(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each pod that a Ray document makes, as a Pod of Kubernetes."""
    cluster = cluster_spec(document)
    for name, group in groups(cluster) if cluster is not None else ():
        template = group.get("template", {})
        metadata = {"name": name, **template.get("metadata", {})}
        yield name, {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}


def rule_faults(document: Mapping[str, Any]) -> list[str]:
    """What KubeRay's operator would refuse, or silently do wrong, though the schema holds."""
    return list(_rules(document))


def _rules(document: Mapping[str, Any]) -> Iterator[str]:
    kind, spec = document["kind"], document["spec"]
    name = document["metadata"]["name"]
    if len(name) > LONGEST_NAME[kind]:
        yield f"metadata.name is longer than {LONGEST_NAME[kind]}"
    if not DNS_1035.fullmatch(name):
        yield "metadata.name is no DNS-1035 label"
    cluster = cluster_spec(document)
    assert cluster is not None
    yield from _cluster_rules(cluster)
    for place, group in groups(cluster):
        yield from _group_rules(place, group)
    if kind == "RayJob":
        yield from _job_rules(spec)


def _cluster_rules(cluster: Mapping[str, Any]) -> Iterator[str]:
    auth = cluster.get("authOptions", {})
    if auth.get("mode") != "token" or not auth.get("secretName"):
        yield "authOptions: our clusters ask for a token from a Secret"
    if tuple(map(int, cluster["rayVersion"].split("."))) < (2, 56, 0):
        yield "rayVersion: tokens need 2.52, priorities of groups 2.56"
    store = cluster.get("gcsFaultToleranceOptions", {})
    if store.get("backend") == "redis" and not {"redisAddress", "redisPassword"} <= set(store):
        yield "gcsFaultToleranceOptions: redis needs its address and password"
    if store.get("backend") == "rocksdb" and {"redisAddress", "redisPassword"} & set(store):
        yield "gcsFaultToleranceOptions: fields of redis with rocksdb"
    names = [name for name, _ in groups(cluster)]
    if len(set(names)) < len(names):
        yield "workerGroupSpecs: two groups of one name"
    if cluster["headGroupSpec"]["rayStartParams"].get("num-cpus") != "0":
        yield "headGroupSpec.rayStartParams.num-cpus: no trial may land on the head"
    if cluster.get("autoscalerOptions", {}).get("version") == "v2":
        for place, group in groups(cluster):
            if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
                yield f"{place}: the v2 autoscaler needs restartPolicy Never"


def _group_rules(place: str, group: Mapping[str, Any]) -> Iterator[str]:
    parameters = group.get("rayStartParams", {})
    if "labels" in parameters:
        yield f"{place}: labels belong to the group, not to rayStartParams"
    for name in sorted(set(parameters) - START_PARAMETERS):
        yield f"{place}: rayStartParams.{name} is no option that we use of ray start"
    least, most = group.get("minReplicas", 0), group.get("maxReplicas", 2**31 - 1)
    if not least <= group.get("replicas", least) <= most:
        yield f"{place}: replicas between minReplicas and maxReplicas"
    pod = group["template"]["spec"]
    variables = {item["name"] for item in pod["containers"][0].get("env", [])}
    for name in sorted(variables & {"RAY_REDIS_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}):
        yield f"{place}: {name} is set by the operator"
    limits = pod["containers"][0].get("resources", {}).get("limits", {})
    if not {"cpu", "memory"} <= set(limits):
        yield f"{place}: the container needs limits of cpu and memory, which Ray takes as the node's size"
    tolerated = {item.get("key") for item in pod.get("tolerations", [])}
    if "nvidia.com/gpu" in limits and "nvidia.com/gpu" not in tolerated:
        yield f"{place}: pods with GPUs need the toleration nvidia.com/gpu"
    mounted = {mount["name"] for mount in pod["containers"][0].get("volumeMounts", [])}
    for name in sorted(mounted ^ {volume["name"] for volume in pod.get("volumes", [])}):
        yield f"{place}: the volume {name} is mounted and not declared, or the reverse"


def _job_rules(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("ttlSecondsAfterFinished") and not spec.get("shutdownAfterJobFinishes"):
        yield "ttlSecondsAfterFinished needs shutdownAfterJobFinishes"
    if spec.get("backoffLimit") and spec.get("submissionMode") == "InteractiveMode":
        yield "backoffLimit cannot be with InteractiveMode"
    if "runtimeEnvYAML" in spec and not isinstance(yaml.safe_load(spec["runtimeEnvYAML"]), Mapping):
        yield "runtimeEnvYAML is no mapping"
