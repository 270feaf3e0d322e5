"""Pages follow what happens: a loop, a log, a restart of the service."""

import time

import pytest

import heliostat as hs
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.laptop import wait_until_ready
from heliostat.service.running import LoneProcess
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import until, watched_page
from heliostat.testing.service import Caller, make_token
from heliostat.trial import State
from heliostat.writes import CreateRun, FinishRun, LogText, StartRun

pytestmark = pytest.mark.browser


def begun(name, log):
    """An experiment of eight runs that has had three."""
    experiment = hs.Experiment(
        name,
        parameters=[hs.Double("x", -5, 5)],
        metrics=[hs.minimize("loss")],
        budget=8,
        seed=1,
        searcher="random",
        log=log,
    )
    go_on(experiment, 3)
    return experiment


def go_on(experiment, count):
    for run in experiment.loop(budget=count):
        run.log_metric("loss", run["x"] ** 2)


def test_a_page_follows_a_loop_without_losing_what_is_selected(chromium, site):
    log = open_log(site.log)
    experiment = begun("followed", log)
    with site.page(chromium, f"/experiments/{experiment.id}") as (page, watch):
        page.wait_for_selector("[data-figure][data-drawn]")
        page.locator("[data-select]").nth(1).check()
        page.evaluate("document.querySelector('#card-best-so-far [data-figure]').stays = true")
        go_on(experiment, 8)
        until(page, "document.querySelector('.states').textContent.startsWith('8 runs')")
        until(page, "document.querySelectorAll('tr[data-id]').length === 8")
        assert page.evaluate("document.querySelector('#card-best-so-far [data-figure]').stays")
        assert page.locator("[data-select]:checked").count() == 1
        traces = "document.querySelector('#card-best-so-far [data-figure]').data"
        points = f"{traces}.flatMap(trace => trace.customdata ?? [])"
        until(page, f"new Set({points}).size === 8")
        watch.check()
    log.close()


def test_a_figure_whose_library_did_not_come_says_so_and_is_drawn_with_the_next_change(chromium, site):
    log = open_log(site.log)
    experiment = begun("patient", log)
    with site.page(chromium, f"/experiments/{experiment.id}") as (page, _):
        page.route("**/plotly*.js", lambda route: route.abort())
        page.reload()
        until(page, "document.body.dataset.ready === ''")
        shown = "getComputedStyle(document.querySelector('[data-missing]'), '::before').content"
        assert "plotly.js did not come" in page.evaluate(shown)
        page.unroute("**/plotly*.js")
        go_on(experiment, 8)
        until(page, "document.querySelector('#card-best-so-far [data-figure][data-drawn]') !== null")
        assert page.locator("#card-best-so-far [data-missing]").count() == 0
    log.close()


def test_the_log_of_a_running_run_is_followed(chromium, site):
    log = open_log(site.log)
    now = time.time()
    id = log.apply(CreateRun(None, {"lr": 0.1}, time=now, project="loose", name="talker", origin="user")).run
    log.apply(StartRun(id, time=now))
    log.apply(LogText(id, "stdout", "first line\n", time=now))
    with site.page(chromium, f"/runs/{id}") as (page, watch):
        assert "first line" in page.inner_text("[data-part=log-stdout]")
        log.apply(LogText(id, "stdout", "second line\n", time=now))
        log.apply(FinishRun(id, State.COMPLETED, "finished", time=now + 1))
        until(page, "document.querySelector('[data-part=log-stdout]').innerText.includes('second')")
        until(page, "document.querySelector('.badge').textContent === 'completed'")
        watch.check()
    log.close()


def test_a_page_outlives_a_restart_of_the_service(chromium, tmp_path):
    settings = ServiceSettings(log=f"sqlite:///{tmp_path / 'runs.db'}")
    first = LoneProcess(settings, "127.0.0.1", 0)
    wait_until_ready("127.0.0.1", first.port)
    host, token = f"127.0.0.1:{first.port}", make_token(settings.log)
    url = f"http://{host}/"
    with watched_page(chromium, url, cookies={COOKIE: token}) as (page, watch):
        first.close()
        until(page, "document.querySelector('[data-status]').textContent.includes('trying')")
        second = LoneProcess(settings, "127.0.0.1", first.port)
        wait_until_ready("127.0.0.1", second.port)
        Caller(host, token).ok("POST", "/v1/clients/1/projects", {"id": "after", "name": "After"})
        page.wait_for_selector("[data-part=projects] a:has-text('After')")
        assert not watch.foreign
        second.close()
