"""What the service's benchmark measures: our service and a bare "hello" on one Ray Serve, or on uvicorn.

Run as a script it serves until its input ends::

    python tests/benchmarks/service_host.py serve|uvicorn PORT LOG
"""

import sys

from fastapi import FastAPI, Request

BARE = "/bare"
"""Where the bare application is, beside ours."""


def hello() -> FastAPI:
    """The least that an application can do: read a body, answer a few numbers."""
    app = FastAPI()
    answer = {"object": "run", "id": "1", "assignments": {"x": 0.5, "y": 0.25, "z": 1, "kind": "a"}}

    @app.get("/hello")
    async def read() -> dict[str, object]:
        return answer

    @app.post("/hello")
    async def write(request: Request) -> dict[str, object]:
        await request.json()
        return answer

    return app


class Bare:
    """A replica of the bare application."""


def serve(port: int, log: str) -> None:
    from heliostat.service.running import ServeProcess
    from heliostat.service.settings import ServiceSettings

    ServeProcess(ServiceSettings(log=log, auth=False, replicas=2), "127.0.0.1", port)
    from ray import serve as ray_serve

    deployment = ray_serve.deployment(
        ray_serve.ingress(hello())(Bare),
        name="bare",
        num_replicas=2,
        max_ongoing_requests=64,
        ray_actor_options={"num_cpus": 0.1},
        logging_config={"enable_access_log": False},
    )
    ray_serve.run(deployment.bind(), name="bare", route_prefix=BARE)


def uvicorn(port: int, log: str) -> None:
    import threading

    import uvicorn as server

    config = server.Config(hello(), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    threading.Thread(target=server.Server(config).run, daemon=True).start()


if __name__ == "__main__":
    kind, number, url = sys.argv[1:]
    {"serve": serve, "uvicorn": uvicorn}[kind](int(number), url)
    print("serving", flush=True)
    sys.stdin.read()
