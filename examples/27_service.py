"""Code written for SigOpt's HTTP interface with the standard library alone: only the address is new."""

import base64
import json
import urllib.request

from heliostat.service import ServiceSettings
from heliostat.testing.service import make_token, serving

# The service on a free port of this machine; elsewhere `heliostat serve` prints an address and a token.
log = "sqlite:///heliostat.db"
with serving(ServiceSettings(log=log)) as host:
    token = base64.b64encode(f"{make_token(log)}:".encode()).decode()

    def call(method, path, body=None):
        request = urllib.request.Request(
            f"http://{host}/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    runs = "/clients/1/projects/bowls/training_runs"
    for x in (-1.0, 0.5, 2.0):
        run = call("POST", runs, {"name": f"x = {x}", "assignments": {"x": x}})
        for epoch in range(3):
            loss = (x - 0.5) ** 2 + 1 / (epoch + 1)
            point = {"values": [{"name": "loss", "value": loss}]}
            call("POST", f"/training_runs/{run['id']}/checkpoints", point)
        end = {"values": {"loss": {"value": loss}}, "state": "completed"}
        call("MERGE", f"/training_runs/{run['id']}", end)

    page = call("GET", f"{runs}?sort=values.loss.value&ascending=true&limit=1")
    best = page["data"][0]
    print(f"{page['count']} runs; the best has x = {best['assignments']['x']}")
