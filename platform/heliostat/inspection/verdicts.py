"""Judgements over facts: pure, one finding for each question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from heliostat.inspection.facts import ClusterFacts, Mark, NodeFacts, Question
from heliostat.registry import shown_url

OK, WARN, FAIL, SKIP = "ok", "warn", "FAIL", "skip"
OPEN = 200
"""HTTP status of a dashboard that asks nobody for a token."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Args:
        check: What was asked: ``nodes``, ``versions``, ``clocks``, ``gpus``, ``auth``, ``ports``, ``log``,
            ``storage``, ``service``.
        status: ``ok``, ``warn`` (works, and should be looked at), ``FAIL``, ``skip`` (nobody asked).
        detail: What was found.
        remedy: What to do about it; empty if nothing.
    """

    check: str
    status: str
    detail: str
    remedy: str = ""

    @property
    def failed(self) -> bool:
        """Whether sweeps would suffer."""
        return self.status == FAIL


def judged(facts: ClusterFacts, question: Question) -> tuple[Finding, ...]:
    """All findings about a cluster, in a fixed order."""
    answered = [node for node in facts.nodes if not node.error]
    return (
        nodes(facts, question),
        versions(answered),
        clocks(answered, question.max_skew),
        gpus(answered, question.gpus),
        auth(answered),
        ports(answered, facts),
        log(answered, question.log),
        storage(answered, question.storage),
        service(answered, question.service),
    )


def nodes(facts: ClusterFacts, question: Question) -> Finding:
    """Whether all nodes answered, and are as many as were asked for."""
    silent = [f"{node.node} did not answer ({node.error})" for node in facts.nodes if node.error]
    if silent:
        remedy = "Look at its logs in /tmp/ray/session_latest/logs; replace the node if it hangs."
        return Finding("nodes", FAIL, "; ".join(silent), remedy)
    if len(facts.nodes) < question.nodes:
        detail = f"{len(facts.nodes)} of {question.nodes} nodes are there"
        return Finding("nodes", FAIL, detail, "Start the others with ray start --address, or ask for fewer.")
    return Finding("nodes", OK, f"{len(facts.nodes)}: {', '.join(node.node for node in facts.nodes)}")


def versions(answered: Sequence[NodeFacts]) -> Finding:
    """Whether Python, Ray and Heliostat are the same everywhere."""
    names = sorted({name for node in answered for name in node.versions})
    common = {name: _most([node.versions.get(name, "") for node in answered]) for name in names}
    odd = [
        f"{node.node} has {name} {node.versions.get(name) or 'not installed'}, most have {common[name]}"
        if common[name]
        else f"{node.node} lacks {name}"
        for node in answered
        for name in names
        if node.versions.get(name, "") != common[name] or not common[name]
    ]
    if odd:
        remedy = "Install the same constraints.txt, or one container image, on all nodes."
        return Finding("versions", FAIL, "; ".join(odd), remedy)
    return Finding("versions", OK, ", ".join(f"{name} {common[name]}" for name in names))


def clocks(answered: Sequence[NodeFacts], most: float) -> Finding:
    """Whether the clocks agree, as far as the way to the node lets one say."""
    wrong = [
        f"{node.node} is {abs(node.skew):.3g} s {'ahead' if node.skew > 0 else 'behind'}"
        for node in answered
        if abs(node.skew) - node.uncertainty > most
    ]
    if wrong:
        remedy = "Run chrony or systemd-timesyncd there; leases and times of runs hang on the clock."
        return Finding("clocks", FAIL, f"{'; '.join(wrong)} (at most {most:g} s)", remedy)
    widest = max((abs(node.skew) for node in answered), default=0.0)
    return Finding("clocks", OK, f"within {widest:.2g} s of this one")


def gpus(answered: Sequence[NodeFacts], wanted: float) -> Finding:
    """Whether the GPUs that nodes declare are there, and are enough."""
    absent = [
        f"{node.node} declares {node.declared_gpus:g} and its driver shows {node.seen_gpus or 0}"
        for node in answered
        if node.declared_gpus > (node.seen_gpus or 0)
    ]
    if absent:
        remedy = "Run nvidia-smi there: mend the driver or the container's GPU limit, or lower --num-gpus."
        return Finding("gpus", FAIL, "; ".join(absent), remedy)
    total = sum(node.declared_gpus for node in answered)
    if total < wanted:
        remedy = "Add GPU nodes, or ask for fewer: the sweep would wait for ever."
        return Finding("gpus", FAIL, f"{total:g} of {wanted:g} GPUs are there", remedy)
    idle = [
        f"{node.node} shows {node.seen_gpus} and declares {node.declared_gpus:g}"
        for node in answered
        if (node.seen_gpus or 0) > node.declared_gpus
    ]
    if idle:
        return Finding("gpus", WARN, "; ".join(idle), "Start that node with a larger --num-gpus to use them.")
    return Finding("gpus", OK, f"{total:g}, all of them seen by the driver" if total else "none declared")


def auth(answered: Sequence[NodeFacts]) -> Finding:
    """Whether Ray asks for a token, and on all nodes alike."""
    modes = sorted({node.auth for node in answered})
    remedy = "Set RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN on every node before `ray start`."
    if len(modes) > 1:
        shown = ", ".join(f"{node.node} {node.auth}" for node in answered)
        return Finding("auth", FAIL, f"the modes of the nodes differ: {shown}", remedy)
    if modes == ["disabled"]:
        detail = "Ray asks for no token: whoever reaches a port runs code here"
        return Finding("auth", FAIL if _is_reachable(answered) else WARN, detail, remedy)
    return Finding("auth", OK, f"{modes[0] if modes else 'unknown'} on every node")


def ports(answered: Sequence[NodeFacts], facts: ClusterFacts) -> Finding:
    """Whether any port is open to other machines without a login."""
    exposed = [
        f"{listener.name} {listener.address}:{listener.port} of {node.node}"
        for node in answered
        for listener in node.listeners
        if not listener.is_local and listener.needs_token and node.auth == "disabled"
    ]
    is_open = facts.dashboard_status == OPEN and not facts.dashboard.startswith(("127.", "localhost"))
    if is_open and not any(text.startswith("dashboard ") for text in exposed):
        exposed.append(f"dashboard {facts.dashboard} answers without a token")
    if exposed:
        remedy = (
            "Bind the dashboard to 127.0.0.1 (--dashboard-host), set RAY_AUTH_MODE=token, or close the port "
            "with a firewall or cluster/kuberay/base/networkpolicy.yaml."
        )
        return Finding("ports", FAIL, f"open to others: {', '.join(exposed)}", remedy)
    loose = [
        f"{listener.name} {listener.address}:{listener.port} of {node.node}"
        for node in answered
        for listener in node.listeners
        if not listener.is_local and not listener.needs_token
    ]
    if loose:
        return Finding("ports", WARN, f"without a login: {', '.join(loose)}", "Close them to other networks.")
    return Finding("ports", OK, "none of Ray's known ports is open without a token")


def log(answered: Sequence[NodeFacts], url: str) -> Finding:
    """Whether every node can read and write the run log."""
    remedy = "Open the way and give the password on every node (PGPASSWORD); see docs/cluster-log.md."
    shown = shown_url(url)
    if url.startswith("sqlite:") and len({node.host for node in answered}) > 1:
        detail = f"{shown} is a file of one machine, and there are several"
        return Finding("log", FAIL, detail, "Use ray:///folder/heliostat.db or postgresql://…")
    return _from_everywhere("log", [(node, node.log) for node in answered], shown, remedy)


def storage(answered: Sequence[NodeFacts], place: str) -> Finding:
    """Whether every node can write to the storage, and sees what the others wrote."""
    remedy = "Mount the same volume on every node, or name a bucket (s3://…, gs://…)."
    found = _from_everywhere("storage", [(node, node.storage) for node in answered], place, remedy)
    unseen = [
        f"{node.node} does not see what {', '.join(node.storage.missing)} wrote"
        for node in answered
        if node.storage and node.storage.missing
    ]
    if unseen and not found.failed:
        return Finding("storage", FAIL, f"{place} is not shared: {'; '.join(unseen)}", remedy)
    return found


def service(answered: Sequence[NodeFacts], url: str) -> Finding:
    """Whether the service's route answers every node."""
    remedy = "Look at `serve status` on the head node, and open the port to the nodes."
    return _from_everywhere("service", [(node, node.service) for node in answered], url, remedy)


def _from_everywhere(
    check: str, marks: Iterable[tuple[NodeFacts, Mark | None]], where: str, remedy: str
) -> Finding:
    if not where:
        return Finding(check, SKIP, f"not asked; say --{check}")
    known = [(node.node, mark) for node, mark in marks if mark is not None]
    failing = [(node, mark.error) for node, mark in known if mark.error]
    if not failing:
        return Finding(check, OK, f"{where} from every node")
    reasons = Counter(reason for _, reason in failing)
    texts = [
        _group([node for node, why in failing if why == reason], len(known), reason) for reason in reasons
    ]
    return Finding(check, FAIL, f"{where} from {'; '.join(texts)}", remedy)


def _group(names: Sequence[str], of: int, reason: str) -> str:
    return f"{'every node' if len(names) == of else ', '.join(names)}: {reason}"


def _is_reachable(answered: Sequence[NodeFacts]) -> bool:
    return any(not listener.is_local for node in answered for listener in node.listeners)


def _most(values: Sequence[str]) -> str:
    counted = Counter(value for value in values if value)
    return max(sorted(counted), key=lambda value: counted[value], default="")
