"""Deploys the service anew while callers write to it; prints how many calls there were, and which failed."""

import json
import sys
import threading
from http.client import HTTPException

from ray import serve

from heliostat import cluster
from heliostat.service.laptop import wait_until_ready
from heliostat.service.serve import application
from heliostat.testing.service import Caller, make_token

log, port = sys.argv[1], int(sys.argv[2])
cluster.connect()
serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})


def deploy(version):
    serve.run(application({"log": log, "client_name": version}), name="heliostat", route_prefix="/")


deploy("old")
wait_until_ready("127.0.0.1", port)
caller = Caller(f"127.0.0.1:{port}", make_token(log))
stop, done, failed, names = threading.Event(), [], [], set()


def work(worker):
    for number in range(10_000):
        if stop.is_set():
            return
        try:
            answer = caller.call(
                "POST", "/v1/clients/1/projects/p/training_runs", {"name": f"{worker}-{number}"}
            )
            (done if answer.status == 200 else failed).append(answer.status)
            names.add(caller.ok("GET", "/v1/clients/1")["name"])
        except (OSError, HTTPException, AssertionError) as error:
            failed.append(repr(error))


threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
for thread in threads:
    thread.start()
deploy("new")
stop.wait(2)
stop.set()
for thread in threads:
    thread.join()
last = caller.ok("GET", "/v1/clients/1")["name"]
print(json.dumps({"done": len(done), "failed": failed, "names": sorted(names), "last": last}))
serve.shutdown()
