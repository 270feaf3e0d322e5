"""Every file of ``cluster/`` is sound, and a slip of the pen in any of them is found."""

import os
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from files import HEADERS, ROOT, faults, files, has_fault, has_kustomize, official_faults

TYPOS = [
    ("serve.yaml", "request_timeout_s", "request_timeout"),
    ("serve.yaml", "route_prefix", "route_prefx"),
    ("serve.yaml", "replicas: 4", "replica: 4"),
    ("kuberay/base/raycluster.yaml", 'num-cpus: "0"', "num-cpus: 0"),
    ("kuberay/base/raycluster.yaml", "maxReplicas: 20", "maxReplica: 20"),
    ("kuberay/base/raycluster.yaml", "mountPath: /storage", "mountpath: /storage"),
    ("kuberay/base/raycluster.yaml", "redisAddress:", "redisAddres:"),
    ("kuberay/base/raycluster.yaml", "  - name: shm", "  - name: shn"),
    ("kuberay/base/raycluster.yaml", "rayStartParams:\n", "rayStartParams:\n      labels: tier=spot\n"),
    ("kuberay/base/raycluster.yaml", "groupName: cpu-spot", "groupName: cpu"),
    ("kuberay/base/raycluster.yaml", "name: heliostat\n", "name: Heliostat\n"),
    ("kuberay/base/storage.yaml", "accessModes", "accessMode"),
    ("kuberay/base/redis.yaml", "containerPort: 6379", 'containerPort: "6379"'),
    ("kuberay/base/postgres.yaml", "startupProbe", "startUpProbe"),
    ("kuberay/base/mlflow.yaml", "claimName", "claim"),
    ("kuberay/base/networkpolicy.yaml", "podSelector", "podselector"),
    ("kuberay/base/monitoring.yaml", "podMetricsEndpoints", "podMetricEndpoints"),
    ("kuberay/base/grafana-dashboard.json", "ray_node_mem_used{", "ray_node_memory_used{"),
    ("kuberay/base/kustomization.yaml", "resources:", "resource:"),
    ("kuberay/secret.example.yaml", "stringData", "stringdata"),
    ("kuberay/rayjob-sweep.yaml", "ttlSecondsAfterFinished", "ttlSecondAfterFinished"),
    ("kuberay/rayjob-sweep.yaml", "env_vars", "env_var"),
    ("kuberay/rayjob-sweep.yaml", "shutdownAfterJobFinishes: true", "shutdownAfterJobFinishes: false"),
    ("kuberay/rayservice.yaml", "import_path", "importpath"),
    ("kuberay/rayservice.yaml", "proxy_location", "proxy_locaton"),
    ("kuberay/rayservice.yaml", "type: NewCluster", "type: Newcluster"),
    ("kuberay/overlays/dev/kustomization.yaml", "- path: storage.yaml", "- path: storages.yaml"),
    ("kuberay/overlays/dev/raycluster.yaml", "/spec/workerGroupSpecs/3", "/spec/workerGroupSpec/3"),
    ("kuberay/overlays/dev/storage.yaml", "op: replace", "op: replce"),
    ("kuberay/overlays/prod/kustomization.yaml", "disruption.yaml", "disruptions.yaml"),
    ("kuberay/overlays/prod/raycluster.yaml", "0/maxReplicas", "0/maxReplica"),
    ("kuberay/overlays/prod/disruption.yaml", "maxUnavailable", "maxUnavailble"),
    ("launcher/aws.yaml", "max_workers", "max_worker"),
    ("launcher/aws.yaml", "InstanceType", "InstanceTyp"),
    ("launcher/aws.yaml", "RAY_AUTH_MODE=token ray start", "ray start"),
    ("launcher/gcp.yaml", "head_node_type: head", "head_node_type: haed"),
    ("launcher/gcp.yaml", "machineType", "machine_type"),
    ("launcher/onprem.yaml", "worker_ips", "worker_ip"),
    ("slurm/sweep.sbatch", "#SBATCH --gpus-per-node", "#SBATCH --gpu-per-nodes"),
    ("slurm/sweep.sbatch", '"$temporary"', "$temporary"),
    ("docker/Dockerfile.cpu", "USER 1000", "USER root"),
    ("docker/Dockerfile.cuda", "USER 1000", "USER root"),
    ("job/runtime_env.yaml", "env_vars", "env_var"),
    ("job/runtime_env.yaml", "excludes", "exclude"),
    ("job/submit.sh", '"$here"', "$here"),
]
"""File, what it says, and what somebody might write instead."""

rendering = pytest.mark.skipif(
    not has_kustomize(), reason="overlays are rendered by kubectl, which is not here"
)


def marked(name):
    return [rendering] if "overlays" in name or name.endswith("kustomization.yaml") else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=marked(name)) for name in files()])
def test_each_file_is_sound_and_says_when_to_use_it(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert faults(name, text) == []
    mark = HEADERS.get(Path(name).suffix)
    head = "\n".join(text.splitlines()[:12])
    assert mark is None or (mark in head and "hecked by" in head)


@pytest.mark.parametrize(
    ("name", "right", "wrong"), [pytest.param(*typo, marks=marked(typo[0])) for typo in TYPOS]
)
def test_a_typo_is_found(name, right, wrong):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert right in text
    assert has_fault(name, text.replace(right, wrong, 1))


def test_a_typo_is_tried_in_every_file_that_a_tool_judges():
    judged = {name for name in files() if not name.endswith(".py")}
    assert judged == {name for name, _, _ in TYPOS}


@pytest.mark.skipif(
    not os.environ.get("HELIOSTAT_CRDS"), reason="HELIOSTAT_CRDS names no folder with schemas"
)
def test_kuberays_own_schemas_find_a_typo_too():
    text = (ROOT / "kuberay/base/raycluster.yaml").read_text(encoding="utf-8")
    assert not list(official_faults(yaml.safe_load(text)))
    assert list(official_faults(yaml.safe_load(text.replace("groupName: gpu\n", "groupNme: gpu\n"))))


def test_a38_nobody_reaches_haproxys_statistics_and_sockets():
    """They know no token: no file turns HAProxy's mode on, and no policy lets anybody in where it listens."""
    policies = yaml.safe_load_all((ROOT / "kuberay/base/networkpolicy.yaml").read_text(encoding="utf-8"))
    admitted = [
        (rule, {port["port"] for port in rule.get("ports", ())})
        for policy in policies
        for rule in policy["spec"].get("ingress", ())
    ]
    nodes = {"podSelector": {"matchLabels": {"ray.io/is-ray-node": "yes"}}}
    assert all(ports or rule["from"] == [nodes] for rule, ports in admitted)
    assert not {8404, 9101} & set().union(*(ports for _, ports in admitted))
    for name in set(files()) - {"simulate.py"}:  # which advises it, and names its price
        assert "HA_PROXY" not in (ROOT / name).read_text(encoding="utf-8"), name
