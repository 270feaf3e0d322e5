"""What ``heliostat cluster check`` says of the facts that nodes tell."""

from dataclasses import replace

import pytest

from heliostat.inspection import ClusterFacts, Listener, Mark, NodeFacts, Question, judged

VERSIONS = {"python": "3.11.2", "ray": "2.60.0", "heliostat": "0.1.0"}
PORTS = (Listener("GCS", "10.0.0.1", 6379), Listener("dashboard", "127.0.0.1", 8265))


def node(number, **facts):
    known = {"host": f"host{number}", "versions": VERSIONS, "auth": "token", "seen_gpus": 0, **facts}
    return NodeFacts(f"10.0.0.{number}", **known)


HEAD, WORKER, OTHER = node(1, listeners=PORTS), node(2), node(3)


def verdict(check, *nodes, dashboard=("", None), **question):
    findings = judged(ClusterFacts(nodes, *dashboard), Question(**question))
    return next(finding for finding in findings if finding.check == check)


def test_a_sound_cluster_fails_nothing_and_each_question_has_one_line():
    findings = judged(ClusterFacts((HEAD, WORKER, OTHER)), Question())
    assert [finding.check for finding in findings] == [
        "nodes", "versions", "clocks", "gpus", "auth", "ports", "log", "storage", "service",
    ]  # fmt: skip
    assert {finding.status for finding in findings} == {"ok", "skip"}


def planted():
    """A fault, where it is found, and what the line must name."""
    silent = NodeFacts("10.0.0.2", error="not within 5 s")
    marked = {"log": Mark("StorageError: refused"), "storage": Mark(), "service": Mark("HTTP 503 at /readyz")}
    lost = replace(WORKER, **marked)
    asked = {"log": "postgresql://db/x", "storage": "/shared", "service": "http://head:8000"}
    well = replace(HEAD, log=Mark(), storage=Mark(), service=Mark())
    skewed = node(2, skew=-3600.0, uncertainty=0.01)
    other = node(2, versions={**VERSIONS, "heliostat": "9.9.9"})
    bare = node(2, versions={**VERSIONS, "heliostat": ""})
    gpu = node(2, declared_gpus=2.0, seen_gpus=1)
    mode = node(2, auth="disabled")
    open_ = node(1, auth="disabled", listeners=(Listener("dashboard", "0.0.0.0", 8265),))
    apart = replace(lost, storage=Mark(missing=("10.0.0.1",)))
    return [
        ("nodes", "10.0.0.2 did not answer (not within 5 s)", (HEAD, silent), {}),
        ("nodes", "2 of 4 nodes", (HEAD, WORKER), {"nodes": 4}),
        ("versions", "10.0.0.2 has heliostat 9.9.9, most have 0.1.0", (HEAD, other, OTHER), {}),
        ("versions", "10.0.0.2 has heliostat not installed", (HEAD, bare, OTHER), {}),
        ("clocks", "10.0.0.2 is 3.6e+03 s behind (at most 1 s)", (HEAD, skewed), {}),
        ("gpus", "10.0.0.2 declares 2 and its driver shows 1", (HEAD, gpu), {}),
        ("gpus", "0 of 4 GPUs", (HEAD, WORKER), {"gpus": 4}),
        ("auth", "10.0.0.1 token, 10.0.0.2 disabled", (HEAD, mode), {}),
        ("auth", "asks for no token", (open_,), {}),
        ("ports", "dashboard 0.0.0.0:8265 of 10.0.0.1", (open_,), {}),
        ("log", "postgresql://db/x from 10.0.0.2: StorageError: refused", (well, lost), asked),
        ("log", "a file of one machine", (HEAD, WORKER), {"log": "sqlite:////tmp/runs.db"}),
        ("storage", "10.0.0.2 does not see what 10.0.0.1 wrote", (well, apart), asked),
        ("service", "from 10.0.0.2: HTTP 503", (well, lost), asked),
    ]  # fmt: skip


@pytest.mark.parametrize(("check", "text", "nodes", "question"), planted())
def test_each_fault_is_found_with_its_place_and_a_remedy(check, text, nodes, question):
    found = verdict(check, *nodes, **question)
    assert found.failed
    assert text in found.detail
    assert found.remedy


def test_a_dashboard_that_answers_strangers_is_found_even_where_no_listener_could_be_read():
    found = verdict("ports", node(1), dashboard=("10.0.0.1:8265", 200))
    assert (found.failed, "answers without a token" in found.detail) == (True, True)
    assert not verdict("ports", node(1), dashboard=("10.0.0.1:8265", 401)).failed
    assert not verdict("ports", node(1), dashboard=("127.0.0.1:8265", 200)).failed


def test_a_laptop_without_a_token_is_warned_and_not_failed():
    local = (Listener("GCS", "127.0.0.1", 6379), Listener("dashboard", "::1", 8265))
    laptop = node(1, auth="disabled", listeners=local)
    assert (verdict("auth", laptop).status, verdict("ports", laptop).status) == ("warn", "ok")


def test_what_works_and_should_be_looked_at_is_a_warning():
    proxy = node(1, listeners=(Listener("HAProxy statistics", "0.0.0.0", 8404, needs_token=False),))
    assert verdict("ports", proxy).status == "warn"
    assert verdict("gpus", node(1, seen_gpus=2, declared_gpus=1.0)).status == "warn"


def test_a_slow_answer_is_no_skewed_clock():
    slow = node(2, skew=4.0, uncertainty=3.5)
    assert not verdict("clocks", HEAD, slow).failed
    assert verdict("clocks", HEAD, slow, max_skew=0.1).failed


def test_what_all_nodes_say_is_said_once():
    lost = [replace(one, log=Mark("refused")) for one in (HEAD, WORKER, OTHER)]
    assert (
        verdict("log", *lost, log="postgresql://db/x").detail == "postgresql://db/x from every node: refused"
    )
