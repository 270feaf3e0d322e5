"""The demo as a newcomer runs it: start, interruption, kill, resumption, report."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import heliostat as hs
from heliostat.demo.digits import MOST_WEIGHTS
from heliostat.testing.browser import watched_page
from heliostat.trial import State

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

HELIOSTAT = [sys.executable, "-m", "heliostat.cli"]


def demo(folder, *words):
    return subprocess.Popen(
        [*HELIOSTAT, "demo", *words],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(folder):
    path = folder / "heliostat.db"
    if not path.exists():
        return []
    log = hs.open_log(path)
    runs = log.runs() if log.experiments() else []
    log.close()
    return [run for run in runs if not run.state.is_open and run.state.uses_budget]


def wait_for(folder, driver, count):
    deadline = time.monotonic() + 300
    while len(ended(folder)) < count:
        assert time.monotonic() < deadline
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.2)  # polling another process: there is nothing to wait on


def check_page(browser, path):
    with watched_page(browser, path.as_uri()) as (page, watch):
        titles = page.locator("h2").all_inner_texts()
        assert any("Best so far" in title for title in titles)
        assert any("Trade-off" in title for title in titles)
        assert any("Parameter importance" in title for title in titles)
        watch.check()


@pytest.mark.slow
@pytest.mark.browser
def test_a_small_demo_ends_with_a_report_that_opens_offline(chromium, tmp_path):
    driver = demo(tmp_path, "--trials", "8", "--searcher", "sobol")
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    assert "Pareto front: " in out
    assert "8 runs: " in out
    check_page(chromium, tmp_path / "heliostat-1.html")


@pytest.mark.slow
@pytest.mark.browser
def test_the_full_demo_finds_a_front_within_the_guardrail(chromium, tmp_path):
    driver = demo(tmp_path)
    _, err = driver.communicate(timeout=800)
    assert driver.returncode == 0, err
    best = subprocess.run(
        [*HELIOSTAT, "best", "1", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    front = json.loads(best.stdout)["data"]
    assert len(front) >= 2
    assert all(run["values"]["weights_millions"]["value"] <= MOST_WEIGHTS for run in front)
    assert max(run["values"]["accuracy"]["value"] for run in front) > 0.96
    assert len(ended(tmp_path)) == 60
    check_page(chromium, tmp_path / "heliostat-1.html")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_an_interrupted_demo_resumes_to_its_full_budget(tmp_path, how):
    first = demo(tmp_path, "--trials", "30")
    wait_for(tmp_path, first, 9)
    if how == "ctrl-c":
        os.killpg(first.pid, signal.SIGINT)
        out, err = first.communicate(timeout=120)
        assert first.returncode == 130, err
        assert "heliostat demo --resume" in out
    else:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate(timeout=120)
    before = {run.id: run for run in ended(tmp_path)}
    assert len(before) >= 9

    listed = subprocess.run(
        [*HELIOSTAT, "ls", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    counts = json.loads(listed.stdout)["data"][0]["runs"]
    assert sum(count for state, count in counts.items() if state not in ("active", "cancelled")) == len(
        before
    )

    second = demo(tmp_path, "--resume")
    _, err = second.communicate(timeout=600)
    assert second.returncode == 0, err
    after = ended(tmp_path)
    assert len(after) == 30
    assert len({json.dumps(run.assignments, sort_keys=True) for run in after}) == 30
    for run in after:
        if run.id in before:
            known = before[run.id]
            assert (run.state, run.values, run.ended, run.attempt) == (
                known.state, known.values, known.ended, known.attempt,
            )  # fmt: skip
    log = hs.open_log(tmp_path / "heliostat.db")
    assert all(run.state in (State.COMPLETED, State.EARLY_STOPPED, State.CANCELLED) for run in log.runs())
