"""The scale plan: formula and simulation agree, predictions bound what was measured, its moves help."""

import importlib.util
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "cluster" / "simulate.py"
SPEC = importlib.util.spec_from_file_location("simulate", SCRIPT)
simulate = importlib.util.module_from_spec(SPEC)
sys.modules["simulate"] = simulate
SPEC.loader.exec_module(simulate)
COSTS = simulate.read_costs()


def test_the_formula_agrees_with_the_discrete_simulation():
    for name, said, seen in simulate.checks():
        if name.startswith("wait"):
            assert said == pytest.approx(seen, rel=0.1), name


def test_the_real_service_stays_below_the_prediction_and_within_a_factor_of_two():
    for name, said, seen in simulate.checks():
        if "a second" in name:
            assert 1.0 <= said / seen <= 2.0, name


def test_the_costs_are_those_of_the_stored_measurements():
    head = json.loads((simulate.RESULTS / "ray_head.json").read_text())
    assert head["actor_cpu_ms"] / 1000 == COSTS.actor
    assert 1 / COSTS.commit == pytest.approx(414.36, rel=0.5)  # trials a second, eight processes, PostgreSQL


@pytest.mark.parametrize("nodes", [100, 1000, 10_000])
def test_moved_settings_bring_every_station_below_the_target(nodes):
    plan, moves = simulate.settled(simulate.Deployment(nodes=nodes, trials=5e6), COSTS)
    assert moves
    if not moves[-1].endswith("use several deployments"):
        assert all(station.utilization <= simulate.TARGET for station in simulate.stations(plan, COSTS))
    assert plan.clusters >= plan.least_clusters


def test_each_setting_moves_the_station_that_it_is_said_to_move():
    base = simulate.Deployment(nodes=1000, trials=1e6)

    def load(name, **changed):
        found = simulate.stations(replace(base, **changed), COSTS)
        return next(station.utilization for station in found if station.name == name)

    assert load("searchers", ahead=4) == pytest.approx(load("searchers") / 4)
    assert load("searchers", experiments=40) == pytest.approx(load("searchers") / 2)
    assert load("replicas", replicas=4) == pytest.approx(load("replicas") / 2)
    assert load("proxies", haproxy=True) < load("proxies") / 5
    assert load("run log", batch=50) < load("run log")
    assert load("Ray heads", clusters=4) == pytest.approx(load("Ray heads") / 4)


def test_a_station_that_falls_behind_is_said_to():
    assert math.isinf(simulate.Station("", rate=101, seconds=0.01, servers=1, remedy="").wait)


def test_the_command_prints_where_each_size_saturates_first():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines() if "nodes," in line] == [
        "100",
        "1000",
        "10000",
    ]
    assert done.stdout.count("first: ") == 3


def test_the_table_of_the_scale_plan_is_what_the_command_prints():
    text = SCRIPT.with_name("SCALING.md").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert done.stdout in text, "a result it reads was taken anew: python cluster/simulate.py --write"
