"""A28 of the attack cases: whatever address a client names, the service calls nobody."""

import socket

import pytest

RUNS = "/v1/clients/1/projects/outward/training_runs"
MLFLOW = "/api/2.0/mlflow"


@pytest.fixture
def listener():
    """Somebody who notes every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server


def test_a28_addresses_in_what_a_client_sends_are_texts(writer, listener):
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/latest/meta-data"
    run = writer.ok("POST", RUNS, {"name": address})["id"]
    change = {
        "metadata": {"url": address},
        "model": {"type": address},
        "datasets": {address: {}},
        "source_code": {"content": address, "hash": "0"},
    }
    assert writer.ok("PUT", f"/v1/training_runs/{run}", change)["metadata"]["url"] == address
    writer.ok("POST", "/v1/clients/1/projects/outward/notes", {"contents": f"![picture]({address})"})
    uuid = writer.ok("POST", f"{MLFLOW}/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    dataset = {"name": "d", "digest": "1", "source_type": "http", "source": f'{{"url": "{address}"}}'}
    writer.ok("POST", f"{MLFLOW}/runs/log-inputs", {"run_id": uuid, "datasets": [{"dataset": dataset}]})
    for place in (address, f"file:///etc/passwd?{address}", "http://169.254.169.254/"):
        body = {"name": place, "artifact_location": place}
        assert writer.call("POST", f"{MLFLOW}/experiments/create", body).status == 400
    assert writer.call("GET", "/projects/outward").status in (200, 401)
    with pytest.raises(TimeoutError):
        listener.accept()
