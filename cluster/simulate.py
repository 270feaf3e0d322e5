"""Where a deployment saturates first: each part's load against what it was measured to do.

For whoever plans a cluster. A day's trials are calls on stations: the searcher's process of each experiment,
the run log, the service's replicas and proxies, the head node of each Ray cluster. Each has its service time
and its number of servers. A station's utilization is arrival rate × service time ÷ servers [1]; the wait in
front of it is that of M/M/c (Erlang C) [2]. A discrete simulation of a station (Poisson arrivals, exponential
service, first come first served) checks the formula. Service times are read from
tests/benchmarks/results/*.json; what is assumed beyond them stands in SCALING.md. Checked by
tests/cluster/test_simulate.py::

    python cluster/simulate.py                          100 to 10,000 nodes, a million trials a day
    python cluster/simulate.py --nodes 1000 --trials 1e5 --experiments 20 --replicas 8
    python cluster/simulate.py --check                  the formula against the simulation and measurements

[1] Denning, Buzen: The operational analysis of queueing network models (ACM Computing Surveys, 1978).
[2] Kleinrock: Queueing Systems, volume 1 (1975), section 3.5.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "tests" / "benchmarks" / "results"
DAY = 86_400.0
NODES_TESTED = 250
GROUPS_TESTED = 1000
"""Nodes of a cluster, and placement groups at a time (a trial of Ray Tune is one), in Ray's release tests."""

PEAK = 3.0
"""The busiest minutes of a day bring so many times its mean."""
SIZES = [100, 1000, 10_000]
"""Nodes of the deployments whose table SCALING.md shows."""
TARGET = 0.7
"""Utilization above which waits grow fast; a setting is moved until all stations are below."""


@dataclass(frozen=True)
class Costs:
    """Seconds that one call keeps a server of its station busy, as measured.

    Args:
        suggestion: The searcher's, by the number of runs that it knows (500 and more: the largest measured).
        commit: The run log's writer for one trial (its suggestion, its start, its end).
        point: The same for one point of a curve.
        page: A replica for a page of a list.
        replica: A replica for one trial's calls (one suggestion, one report).
        proxy: Serve's proxy for the same.
        proxy_fast: The same in HAProxy mode.
        actor: The head node's GCS for an actor that comes and goes; a trial is one.
        node: CPU seconds a second of the same for a node that is there.
    """

    suggestion: Mapping[int, float]
    commit: float
    commit_sqlite: float
    point: float
    page: float
    replica: float
    proxy: float
    proxy_fast: float
    actor: float
    node: float


@dataclass(frozen=True)
class Deployment:
    """What runs and what it has to carry.

    Args:
        nodes: Machines; each runs `slots` trials at a time.
        trials: In a day, over all experiments.
        slots: Trials that run at the same time on one node.
        points: Of a trial's curve.
        batch: Points that reach the log in one write.
        experiments: That are active at a time; each has a searcher of its own.
        history: Runs that an experiment's searcher knows.
        ahead: Suggestions that a searcher makes from one fit of its model.
        database: ``postgresql`` or ``ray`` (the head node's writer, on SQLite).
        through_service: Part of the trials that come over HTTP; the others are Ray Tune's.
        replicas: Of the service.
        pages: Pages that people look at in a second.
        haproxy: Whether Serve's proxy is HAProxy.
        clusters: Ray clusters that share the nodes, and one run log.
    """

    nodes: int = 100
    trials: float = 1e6
    slots: int = 4
    points: int = 50
    batch: int = 10
    experiments: int = 20
    history: int = 500
    ahead: int = 1
    database: str = "postgresql"
    through_service: float = 0.5
    replicas: int = 2
    pages: float = 1.0
    haproxy: bool = False
    clusters: int = 1

    @property
    def least_clusters(self) -> int:
        """Ray clusters that this needs, by what Ray's own release tests show that one holds."""
        return math.ceil(max(self.nodes / NODES_TESTED, self.nodes * self.slots / GROUPS_TESTED))


@dataclass(frozen=True)
class Station:
    """One kind of server.

    Args:
        name: What it is.
        rate: Calls a second in the busiest minutes.
        seconds: That a call takes of one server.
        servers: How many there are.
        remedy: What moves its limit.
        is_shared: Whether its servers share one queue; else each has a queue of its own.
    """

    name: str
    rate: float
    seconds: float
    servers: int
    remedy: str
    is_shared: bool = True

    @property
    def utilization(self) -> float:
        """Part of the time that a server is busy; at 1 and above it falls behind."""
        return self.rate * self.seconds / self.servers

    @property
    def wait(self) -> float:
        """Mean seconds in its queue (Erlang C); infinite if it falls behind."""
        load = self.rate * self.seconds
        if load >= self.servers:
            return math.inf
        if not self.is_shared:
            return self.utilization * self.seconds / (1 - self.utilization)  # M/M/1
        blocked = 1.0  # Erlang B by its recursion, then C from it
        for count in range(1, self.servers + 1):
            blocked = load * blocked / (count + load * blocked)
        waits = blocked / (1 - load / self.servers * (1 - blocked))
        return waits * self.seconds / (self.servers - load)


def stations(plan: Deployment, costs: Costs) -> list[Station]:
    """The stations of a deployment with their load, the most loaded one first."""
    rate = plan.trials / DAY * PEAK
    known = max((n for n in costs.suggestion if n <= plan.history), default=min(costs.suggestion))
    commit = costs.commit if plan.database == "postgresql" else costs.commit_sqlite
    writes = commit + plan.points * costs.point + math.ceil(plan.points / plan.batch) * commit / 3
    http = rate * plan.through_service
    proxy = costs.proxy_fast if plan.haproxy else costs.proxy
    found = [
        Station("searchers", rate / plan.ahead, costs.suggestion[known], plan.experiments,
                "more experiments at a time, larger look-ahead, or searcher sobol/random", False),
        Station("run log", rate, writes, 1,
                "PostgreSQL instead of ray://, larger batches of points, one log for each team"),
        Station("replicas", http, costs.replica + plan.pages * costs.page / max(http, 1e-9), plan.replicas,
                "replicas in serve.yaml"),
        Station("proxies", http, proxy, max(2, plan.replicas // 2),
                "RAY_SERVE_ENABLE_HA_PROXY=1, or replicas on more nodes (one proxy each)"),
    ]  # fmt: skip
    found.append(
        Station("Ray heads", rate, costs.actor + plan.nodes * costs.node / rate, plan.clusters,
                "more Ray clusters on the one log, or longer trials", False)
    )  # fmt: skip
    return sorted(found, key=lambda station: -station.utilization)


def settled(plan: Deployment, costs: Costs) -> tuple[Deployment, list[str]]:
    """The deployment with settings moved until no station is above the target, and what was moved."""
    moves: list[str] = []
    if plan.clusters < plan.least_clusters:
        moves.append(
            f"clusters {plan.clusters} → {plan.least_clusters} (beyond what Ray's tests show of one)"
        )
        plan = replace(plan, clusters=plan.least_clusters)
    while (worst := stations(plan, costs)[0]).utilization > TARGET and len(moves) < 40:
        moved = _moved(plan, worst.name)
        if moved is None:
            moves.append(f"{worst.name}: nothing left to move; use several deployments")
            break
        changed = [name for name in vars(plan) if getattr(plan, name) != getattr(moved, name)]
        moves.append(
            f"{changed[0]} {getattr(plan, changed[0])} → {getattr(moved, changed[0])} ({worst.name})"
        )
        plan = moved
    return plan, moves


def _moved(plan: Deployment, name: str) -> Deployment | None:
    if name == "searchers":
        more = {"ahead": plan.ahead * 2} if plan.ahead < 4 else {"experiments": plan.experiments * 2}
        return replace(plan, **more)
    if name == "Ray heads":
        return replace(plan, clusters=plan.clusters * 2)
    if name == "run log":
        if plan.database != "postgresql":
            return replace(plan, database="postgresql")
        return replace(plan, batch=min(plan.points, plan.batch * 2)) if plan.batch < plan.points else None
    if name == "proxies" and not plan.haproxy:
        return replace(plan, haproxy=True)
    return replace(plan, replicas=plan.replicas * 2)


def simulated_wait(station: Station, calls: int = 20_000, seed: int = 1) -> float:
    """Mean wait of a first-come-first-served station by a discrete simulation, in seconds."""
    rng = random.Random(seed)
    free = [0.0] * station.servers
    heapq.heapify(free)
    now, waited = 0.0, 0.0
    for _ in range(calls):
        now += rng.expovariate(station.rate)
        begun = max(now, heapq.heappop(free))
        waited += begun - now
        heapq.heappush(free, begun + rng.expovariate(1 / station.seconds))
    return waited / calls


def read_costs(folder: Path = RESULTS) -> Costs:
    """The measured costs; the same machine, two cores, for all."""
    names = ("runlog", "service", "latency", "ray_head")
    runlog, service, latency, head = (_read(folder / f"{name}.json") for name in names)
    ours = [cell for cell in latency["cells"] if cell["who"] == "heliostat" and cell["d"] == 10]
    plain = [cell for cell in ours if cell["m"] == 1 and not cell["pending"]]
    thought = {cell["n"]: statistics.median(cell["warm"]) for cell in plain}
    replica = (
        _call(service, "default", "suggestion")["replica"] + _call(service, "default", "report")["replica"]
    )
    proxies = {mode: _call(service, mode, "suggestion")["proxy"] + _call(service, mode, "report")["proxy"]
               for mode in ("default", "haproxy")}  # fmt: skip
    return Costs(
        suggestion=thought,
        commit=1 / _row(runlog, "heliostat PostgreSQL", "8 processes")["trials_per_second"],
        commit_sqlite=1 / _row(runlog, "heliostat SQLite", "8 processes")["trials_per_second"],
        point=1
        / next(row for row in runlog["curves"] if row["store"] == "heliostat PostgreSQL")[
            "points_per_second"
        ],
        page=_call(service, "default", "list")["replica"] / 1000,
        replica=replica / 1000,
        proxy=proxies["default"] / 1000,
        proxy_fast=proxies["haproxy"] / 1000,
        actor=head["actor_cpu_ms"] / 1000,
        node=head["node_cpu"],
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _row(results: Any, store: str, writers: str) -> Any:
    return next(row for row in results["rows"] if (row["store"], row["writers"]) == (store, writers))


def _call(results: Any, proxy: str, call: str, clients: int = 8) -> Any:
    """CPU in milliseconds of the parts of a call."""
    rows = results["rows"]
    return next(row for row in rows if (row["proxy"], row["call"], row["clients"]) == (proxy, call, clients))[
        "parts"
    ]


def predicted_calls(results: Any, proxy: str, call: str, cores: int) -> float:
    """Calls a second that so many cores can answer, by the CPU that all parts of a call take."""
    return cores / (sum(_call(results, proxy, call, 32).values()) / 1000)


def checks(folder: Path = RESULTS) -> list[tuple[str, float, float]]:
    """What the model says beside what was seen: name, predicted, seen.

    Waits of stations at 50 and 90 % by the simulation (seconds), and calls a second of the real service with
    32 clients on the machine where its parts were measured. The model leaves out waits for the disk and for
    the other process, so it may promise up to twice of what is seen there, never less.
    """
    found = []
    for load, servers in ((0.5, 1), (0.9, 1), (0.9, 8)):
        station = Station("", load * servers / 0.01, 0.01, servers, "")
        found.append(
            (f"wait at {load:.0%}, {servers} servers", station.wait, simulated_wait(station, 200_000))
        )
    service = _read(folder / "service.json")
    for proxy, call in (("default", "suggestion"), ("default", "report"), ("haproxy", "report")):
        row = next(row for row in service["rows"]
                   if (row["proxy"], row["call"], row["clients"]) == (proxy, call, 32))  # fmt: skip
        seen = 32 / (row["p50"] / 1000)
        found.append(
            (f"{call}s a second, {proxy}", predicted_calls(service, proxy, call, service["cores"]), seen)
        )
    return found


def report(plans: Sequence[Deployment], costs: Costs) -> str:
    """For each deployment: the stations, what gives way first, what has to be moved."""
    lines = []
    for plan in plans:
        trial = plan.nodes * plan.slots * DAY / plan.trials
        load = f"{plan.trials:,.0f} trials a day of {trial:,.0f} s"
        lines.append(f"{plan.nodes} nodes, {load}, peak {PEAK:g} times the mean")
        for station in stations(plan, costs):
            wait = "falls behind" if math.isinf(station.wait) else f"wait {station.wait * 1000:.1f} ms"
            lines.append(f"  {station.name:<10} {station.utilization:7.1%} of {station.servers}  {wait}")
        worst = stations(plan, costs)[0]
        most = plan.trials / worst.utilization
        lines.append(f"  first: {worst.name}, at {most:,.0f} trials a day; moves it: {worst.remedy}")
        _, moves = settled(plan, costs)
        lines.append(f"  to stay below {TARGET:.0%}: {'; '.join(moves) or 'nothing'}")
    return "\n".join(lines)


def written(text: str, table: str) -> str:
    """A text whose block of plain output, its first, is this table."""
    before, _, rest = text.partition("```text\n")
    _, _, after = rest.partition("```\n")
    return f"{before}```text\n{table}\n```\n{after}"


def main() -> int:
    """The table, or the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    plan = Deployment()
    for name, value in vars(plan).items():
        kind = (lambda text: text == "yes") if isinstance(value, bool) else type(value)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=None, help=f"default {value}")
    parser.add_argument("--check", action="store_true", help="the model against what was seen")
    parser.add_argument("--write", action="store_true", help="the table into SCALING.md: measured anew?")
    given = parser.parse_args()
    if given.check:
        for name, said, seen in checks():
            print(f"{name:<32} model {said:9.4g}  seen {seen:9.4g}  ratio {said / seen:.2f}")
        return 0
    if given.write:
        page = Path(__file__).with_name("SCALING.md")
        table = report([replace(plan, nodes=nodes) for nodes in SIZES], read_costs())
        page.write_text(written(page.read_text(encoding="utf-8"), table), encoding="utf-8")
        return 0
    own = {name: getattr(given, name) for name in vars(plan) if getattr(given, name) is not None}
    sizes = [own.pop("nodes")] if "nodes" in own else SIZES
    print(report([replace(plan, nodes=nodes, **own) for nodes in sizes], read_costs()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
