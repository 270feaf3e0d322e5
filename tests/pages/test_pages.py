"""The live pages as people use them: a real browser on the real service with real data."""

import contextlib
import io
import re
import threading
import time

import pyarrow.parquet
import pytest
from axe_playwright_python.sync_playwright import Axe

import heliostat as hs
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.laptop import wait_until_ready
from heliostat.service.running import LoneProcess
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import watched_page
from heliostat.testing.populated import attach, record_runs
from heliostat.testing.service import Caller, make_token, serving
from heliostat.testing.synthetic import INJECTION, vision_runs, vision_spec
from heliostat.trial import State
from heliostat.writes import AddNote, CreateRun, FinishRun, LogText, StartRun, UpdateRun

pytestmark = pytest.mark.browser

CONTROLS = (
    "form[data-call], [data-call], [data-share], [data-archive], form[data-tag], form[data-revise] button"
)


def until(page, condition):
    """Wait until a JavaScript expression holds; Playwright's own way needs the eval that our pages forbid."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


class Site:
    """A service over a log with something in it."""

    def __init__(self, host, log, experiment, runs):
        self.host, self.log, self.experiment, self.runs = host, log, experiment, runs
        self.tokens = {name: make_token(log, name, user="ada") for name in ("read", "write", "admin")}
        self.wire = Caller(host, self.tokens["write"])

    @contextlib.contextmanager
    def page(self, browser, path, who="write", **more):
        url = f"http://{self.host}{path}"
        cookies = {} if who is None else {COOKIE: self.tokens[who]}
        allowed = (f"http://{self.host}/",)
        with watched_page(browser, url, allowed=allowed, cookies=cookies, **more) as found:
            yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    log = f"sqlite:///{tmp_path_factory.mktemp('pages') / 'runs.db'}"
    opened = open_log(log)
    experiment, runs = record_runs(opened, vision_spec(budget=200), vision_runs(60))
    attach(opened, runs[0], time=time.time())
    opened.apply(AddNote("vision", f"# Findings\n\n- **wide** is good\n- {INJECTION}", time=time.time()))
    opened.close()
    with serving(ServiceSettings(log=log, token_seconds=0.05)) as host:
        yield Site(host, log, experiment, runs)


def bowl(site, **more):
    """A small experiment of its own, for tests that change it."""
    body = {
        "name": "bowl",
        "budget": 30,
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": -5, "max": 5}}],
        "metrics": [{"name": "loss", "objective": "minimize"}],
        "searcher": "random",
        **more,
    }
    site.wire.ok(
        "POST", "/v1/clients/1/projects", {"id": "bowls", "name": "Bowls"}, headers={"Idempotency-Key": "b"}
    )
    return site.wire.ok("POST", "/v1/clients/1/projects/bowls/aiexperiments", body)["id"]


def every_page(site):
    experiment = f"/experiments/{site.experiment}"
    tabs = ("", "/runs", "/analysis", "/suggestions", "/reports", "/properties", "/code")
    paths = ["/", "/runs", "/projects/vision", f"/runs/{site.runs[0]}", f"/runs/{site.runs[3]}", "/tokens"]
    paths += [experiment + tab for tab in tabs]
    return [*paths, f"/compare?runs={site.runs[0]},{site.runs[1]},{site.runs[4]}"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(chromium, site, scheme):
    with site.page(chromium, "/", "admin", scheme=scheme) as (page, _):
        found = []
        for path in every_page(site):
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            for item in Axe().run(page).response["violations"]:
                if item["impact"] in ("serious", "critical"):
                    found.append((path, item["id"], [node["html"][:200] for node in item["nodes"][:3]]))
        assert not found, "\n".join(map(str, found))


def test_every_page_opens_and_asks_nobody_else(chromium, site):
    with site.page(chromium, "/", "admin") as (page, watch):
        for path in every_page(site):
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.locator("h1").count() == 1, path
            assert page.locator("[data-error]").count() == 0, path
            assert page.evaluate("window.broken") is None
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert not watch.errors
        assert not watch.foreign


def test_the_overview_says_what_came_out_and_draws_the_six_figures(chromium, site):
    with site.page(chromium, f"/experiments/{site.experiment}", scheme="dark") as (page, watch):
        tiles = page.locator(".tile .label").all_inner_texts()
        assert "Points on the Pareto front" in tiles
        assert page.locator(".states").inner_text().startswith("60 runs")
        titles = {text.split("  ")[0] for text in page.locator("[data-cards] h2").all_inner_texts()}
        for title in (
            "Best so far",
            "Trade-off",
            "Parameter importance",
            "Training curves",
            "Parameter space",
        ):
            assert any(found.startswith(title) for found in titles), title
        marks = page.locator("#card-trade-off .scatterlayer .point").count()
        assert marks >= 39  # every completed run with finite metrics, and the front again
        watch.check()


def test_an_experiment_that_takes_long_to_read_shows_its_table_first(chromium, site, monkeypatch):
    monkeypatch.setattr("heliostat.pages.experiments.AT_ONCE", 5)
    log = open_log(site.log)
    experiment, _ = record_runs(log, vision_spec(), vision_runs(12))
    log.close()
    first = Caller(site.host, site.tokens["read"]).call("GET", f"/experiments/{experiment}").content.decode()
    assert "data-reading" in first
    assert first.count("data-id=") == 12
    with site.page(chromium, f"/experiments/{experiment}") as (page, watch):
        assert page.locator("[data-reading]").count() == 0
        assert page.locator("[data-cards] .card").count() >= 6
        watch.check()


def test_strangers_are_asked_for_a_token_which_ends_in_a_cookie_that_scripts_cannot_read(chromium, site):
    where = f"/experiments/{site.experiment}/code"
    with site.page(chromium, where, None) as (page, _):
        page.fill("#token", "hs_wrong")
        page.click("text=Sign in >> nth=-1")
        page.wait_for_selector(".error")
        assert "valid token" in page.inner_text(".error")
        page.fill("#token", site.tokens["read"])
        page.click("button.main")
        page.wait_for_selector(".tabs [aria-current=page]")
        assert page.url.endswith(where)
        (cookie,) = page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert page.evaluate("document.cookie") == ""
        page.click("text=Sign out")
        page.wait_for_selector("#token")
        assert page.context.cookies() == []


def test_a_link_shows_what_i_see(chromium, site):
    where = f"/experiments/{site.experiment}/runs"

    def seen(page):
        rows = page.locator("[data-table] tbody tr[data-id]")
        picked = page.locator("[data-select]:checked").evaluate_all(
            "boxes => boxes.map(box => box.dataset.select)"
        )
        heads = page.locator("[data-table] thead th").all_inner_texts()
        return rows.all_inner_texts(), heads, picked, page.input_value("#where")

    with site.page(chromium, where) as (page, watch):
        page.fill("#where", "params.optimizer = adam and metrics.accuracy > 0.6")
        page.press("#where", "Enter")
        until(page, "document.querySelector('[data-part=runs-count]').textContent.includes('match')")
        page.click("[data-table] th a[title='metrics.accuracy']")
        page.wait_for_selector("th[aria-sort=ascending] a[title='metrics.accuracy']")
        page.click("summary:has-text('Columns')")
        page.uncheck(".columns input[value='params.momentum']")
        page.click("text=Show these")
        page.wait_for_selector("[data-table] th a[title='params.momentum']", state="detached")
        page.check("[data-table] tbody tr:nth-child(2) [data-select]")
        first, link = seen(page), page.url
        assert len(first[0]) > 5
        assert len(first[2]) == 1
        watch.check()
    with site.page(chromium, link.partition(site.host)[2], "read") as (page, watch):
        assert seen(page) == first
        watch.check()


def test_a_view_is_kept_by_name_and_forgotten(chromium, site):
    runs = f"/experiments/{site.experiment}/runs"
    with site.page(chromium, f"{runs}?where=params.width+%3C+100&sort=params.width") as (page, watch):
        count = page.locator("[data-part=runs-count]").inner_text()
        assert count.endswith("match")
        page.locator("#views summary").click()
        page.get_by_label("Name of the view").fill(f"narrow {INJECTION}")
        page.get_by_role("button", name="Keep this view").click()
        page.goto(f"http://{site.host}{runs}")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("[data-part=runs-count]").inner_text() != count
        page.locator("#views summary").click()
        page.get_by_role("link", name="narrow").click()
        until(page, "location.search.includes('sort=params.width')")
        until(page, f"document.querySelector('[data-part=runs-count]').innerText === {count!r}")
        page.locator("#views summary").click()
        page.get_by_role("button", name="Forget the view narrow").click()
        assert page.locator("[data-views] li").count() == 0
        assert page.evaluate("window.broken") is None
        watch.check()


def test_a_filter_that_breaks_a_rule_says_which(chromium, site):
    with site.page(chromium, "/runs?where=speed%20%3E%203") as (page, watch):
        assert "field" in page.inner_text("#runs [role=alert]")
        assert page.locator("tr[data-id]").count() == 0
        watch.check()


def test_pointing_and_selecting_show_in_every_figure_and_lead_to_a_comparison(chromium, site):
    with site.page(chromium, f"/experiments/{site.experiment}") as (page, watch):
        page.wait_for_selector("[data-figure][data-drawn] >> nth=3")
        number = page.locator("tr[data-id] >> nth=0").get_attribute("data-run")
        page.hover("tr[data-id] >> nth=0")
        rings = "JSON.stringify(document.querySelector('#card-trade-off [data-figure]').data.at(-1).x)"
        until(page, f"{rings} !== '[]'")
        assert page.locator(f".lit[data-run='{number}']").count() >= 1
        boxes = page.locator("[data-select]")
        boxes.nth(0).check()
        boxes.nth(3).check()
        page.mouse.move(0, 0)
        until(page, f"{rings}.split(',').length >= 4")
        page.click("[data-compare]")
        page.wait_for_selector("table.compare")
        assert page.locator("table.compare thead a").count() == 2
        assert not watch.errors


def test_brushing_parallel_axes_filters_the_table_and_stays_in_the_link(chromium, site):
    with site.page(chromium, f"/experiments/{site.experiment}/runs", height=1100) as (page, watch):
        box = page.locator("canvas").bounding_box()
        x = box["x"] + min(70, box["width"] / 11 / 1.4)  # the first axis
        page.mouse.move(x, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(x, box["y"] + 130, steps=4)
        page.mouse.up()
        until(page, "new URL(location).searchParams.get('brush') !== null")
        until(page, "document.querySelector('[data-part=runs-count]').textContent.includes('match')")
        count, link = page.inner_text("[data-part=runs-count]"), page.url
        assert 0 < int(count.split()[0]) < 60
        watch.check()
    with site.page(chromium, link.partition(site.host)[2], height=1100) as (page, watch):
        assert page.inner_text("[data-part=runs-count]") == count
        assert "runs kept" in page.inner_text(".keys output")
        watch.check()


def test_selected_runs_are_tagged_and_archived(chromium, site):
    experiment = bowl(site)
    for value in (1, 2, 3):
        site.wire.ok(
            "POST",
            f"/v1/experiments/{experiment}/observations",
            {"assignments": {"x": value}, "values": [{"name": "loss", "value": value}]},
        )
    with site.page(chromium, f"/experiments/{experiment}/runs") as (page, watch):
        page.locator("[data-select]").nth(0).check()
        page.locator("[data-select]").nth(1).check()
        page.fill("[data-tag] input", "good")
        page.click("[data-tag] button")
        until(page, "[...document.querySelectorAll('td')].filter(x => x.textContent === 'good').length === 2")
        page.click("[data-archive]")
        until(page, "document.querySelectorAll('tr[data-id]').length === 1")
        watch.check()


def test_what_is_shown_goes_out_as_csv_json_and_parquet(site):
    at = f"/experiments/{site.experiment}/runs"
    asked = "where=state%20%3D%20completed&columns=state&columns=metrics.accuracy&sort=metrics.accuracy"
    reader = Caller(site.host, site.tokens["read"])
    csv = reader.call("GET", f"{at}.csv?{asked}")
    assert csv.headers["content-type"].startswith("text/csv")
    head, *lines = csv.content.decode().splitlines()
    assert head == "number,state,metrics.accuracy"
    values = [float(line.split(",")[2]) for line in lines]
    assert values == sorted(values, reverse=True)
    found = reader.ok("GET", f"{at}.json?{asked}")
    assert [row["metrics.accuracy"] for row in found] == values
    parquet = pyarrow.parquet.read_table(io.BytesIO(reader.call("GET", f"{at}.parquet?{asked}").content))
    assert parquet.column_names == ["number", "state", "metrics.accuracy"]
    assert parquet.column("metrics.accuracy").to_pylist() == values
    assert reader.call("GET", f"{at}.xls?{asked}").status == 400


def test_a_point_queued_by_hand_is_handed_out_next(chromium, site):
    experiment = bowl(site)
    with site.page(chromium, f"/experiments/{experiment}/suggestions") as (page, watch):
        page.fill("[data-form=queue] [name=x]", "99")
        page.click("[data-form=queue] button")
        page.wait_for_selector("[data-form=queue] .error")
        assert "x" in page.inner_text("[data-form=queue] .error")
        page.fill("[data-form=queue] [name=x]", "1.25")
        page.click("[data-form=queue] button")
        page.wait_for_selector("[data-queued]")
        made = site.wire.ok("POST", f"/v1/experiments/{experiment}/suggestions", {})
        assert made["assignments"] == {"x": 1.25}
        page.wait_for_selector(f"[data-open='{made['id']}']")
        page.wait_for_selector("[data-queued]", state="detached")
        assert not watch.foreign


def test_results_are_reported_set_right_and_deleted_by_hand(chromium, site):
    experiment = bowl(site)
    made = site.wire.ok("POST", f"/v1/experiments/{experiment}/suggestions", {})
    at = f"/v1/experiments/{experiment}/observations"
    with site.page(chromium, f"/experiments/{experiment}/suggestions") as (page, watch):
        report = page.locator(f"[data-open='{made['id']}']")
        report.locator("summary").click()
        report.locator("[name=loss]").fill("0.5")
        report.locator("button.main").click()
        done = page.locator(f"[data-done='{made['id']}']")
        done.wait_for()
        assert site.wire.ok("GET", f"{at}/{made['id']}")["values"][0]["value"] == 0.5
        done.locator("summary").click()
        done.locator("[name=loss]").fill("0.25")
        done.locator("button.main").click()
        until(page, "document.body.innerText.includes('loss 0.25')")
        assert site.wire.ok("GET", f"{at}/{made['id']}")["values"][0]["value"] == 0.25
        own = page.locator("[data-form=own]")
        own.locator("[name=x]").fill("2")
        own.locator("[name=failed]").check()
        own.locator("button").click()
        until(page, "document.querySelectorAll('[data-done]').length === 2")
        done.locator("text=Delete").click()
        until(page, "document.querySelectorAll('[data-done]').length === 1")
        (left,) = site.wire.ok("GET", at)["data"]
        assert left["failed"]
        watch.check()


def test_budget_thresholds_and_bounds_are_edited_within_their_rules(chromium, site):
    metrics = [
        {"name": "loss", "objective": "minimize"},
        {"name": "ms", "objective": "minimize", "strategy": "constraint", "threshold": 20},
    ]
    experiment = bowl(site, metrics=metrics)
    with site.page(chromium, f"/experiments/{experiment}/properties") as (page, _):
        page.fill("[name=budget]", "50")
        page.fill("[data-metric=ms]", "12.5")
        page.fill("[data-parameter=x][data-end=max]", "7")
        page.click("text=Save changes")
        until(page, "document.querySelector('[data-revise] output').textContent === 'Saved.'")
        found = site.wire.ok("GET", f"/v1/aiexperiments/{experiment}")
        assert found["budget"] == 50
        assert found["metrics"][1]["threshold"] == 12.5
        assert found["parameters"][0]["bounds"]["max"] == 7
        page.fill("[data-parameter=x][data-end=max]", "-9")
        page.click("text=Save changes")
        page.wait_for_selector("[data-revise] .error")
        assert "bounds" in page.inner_text("[data-revise] .error")
    assert site.wire.ok("GET", f"/v1/aiexperiments/{experiment}")["parameters"][0]["bounds"]["max"] == 7


def test_a_report_is_frozen_and_shared_by_a_link(chromium, site):
    with site.page(chromium, f"/experiments/{site.experiment}/reports") as (page, watch):
        page.fill("[data-form=freeze] [name=title]", "Ready <i>now</i>?")
        page.fill("[data-form=freeze] [name=comment]", "Looks good.")
        page.click("[data-form=freeze] button")
        until(page, "document.querySelectorAll('[data-report]').length === 1")
        assert page.inner_text("[data-report] a") == "Ready <i>now</i>?"
        page.click("[data-report] [data-share]")
        link = page.input_value("input.link")
        watch.check()
    site.wire.ok("POST", f"/v1/aiexperiments/{site.experiment}/training_runs", {})
    with site.page(chromium, link.partition(site.host)[2], None, ready=False) as (page, watch):
        page.wait_for_url("**/reports/*")
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=90_000)
        assert page.title().startswith("Ready <i>now</i>?")
        assert page.inner_text("h1") == "Ready <i>now</i>?"
        assert "Looks good." in page.inner_text("body")
        assert page.evaluate("window.origin") == "null"  # its scripts are strangers to the service
        assert not watch.errors
        page.goto(f"http://{site.host}/experiments/{site.experiment}")
        assert page.locator("[data-error]").count() == 1


def test_a_guardrail_becomes_an_objective_and_a_stored_metric_a_guardrail(chromium, site):
    metrics = [
        {"name": "loss", "objective": "minimize"},
        {"name": "mb", "objective": "maximize", "strategy": "store"},
        {"name": "ms", "objective": "minimize", "strategy": "constraint", "threshold": 20},
    ]
    experiment = bowl(site, metrics=metrics)
    with site.page(chromium, f"/experiments/{experiment}/properties") as (page, _):
        page.select_option("[data-strategy=ms]", "optimize")
        page.select_option("[data-strategy=mb]", "constraint")
        page.click("text=Save changes")
        page.wait_for_selector("[data-revise] .error")
        assert "threshold" in page.inner_text("[data-revise] .error")
        page.fill("[data-metric=mb]", "300")
        page.select_option("[data-objective=mb]", "minimize")
        page.click("text=Save changes")
        until(page, "document.querySelector('[data-revise] output').textContent === 'Saved.'")
        assert page.input_value("[data-strategy=mb]") == "constraint"
    found = site.wire.ok("GET", f"/v1/aiexperiments/{experiment}")["metrics"]
    told = {item["name"]: (item["strategy"], item["objective"], item["threshold"]) for item in found}
    assert told["mb"] == ("constraint", "minimize", 300)
    assert told["ms"] == ("optimize", "minimize", 20)


def test_a_share_link_admits_a_guest_to_one_project(chromium, site):
    with site.page(chromium, "/projects/vision") as (page, _):
        page.click("[data-share]")
        link = page.input_value("input.link")
    with site.page(chromium, link.partition(site.host)[2], None, ready=False) as (page, watch):
        page.wait_for_url("**/projects/vision")
        page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        for inside in (f"/experiments/{site.experiment}", f"/runs/{site.runs[0]}"):
            page.goto(f"http://{site.host}{inside}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.locator(".trail a[href='/projects/vision']").count() == 1, inside
            assert page.locator(CONTROLS).count() == 0, inside
        assert not watch.errors
        for hidden in ("/runs", "/tokens", "/projects/default"):
            page.goto(f"http://{site.host}{hidden}")
            assert page.locator("[data-error]").count() == 1, hidden
        page.goto(f"http://{site.host}/")
        assert page.url.endswith("/projects/vision")


def test_a_share_link_admits_a_guest_to_one_experiment_and_no_control(chromium, site):
    where = f"/experiments/{site.experiment}"
    with site.page(chromium, f"{where}/code") as (page, _):
        page.click("[data-share]")
        link = page.input_value("input.link")
    with site.page(chromium, link.partition(site.host)[2], None, ready=False) as (page, watch):
        page.wait_for_url(f"**{where}")
        page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        assert "hs_" not in page.url
        assert not re.search(r"hs_[\w-]{20}", page.content())
        for tab in ("/suggestions", "/properties", "/code"):
            page.goto(f"http://{site.host}{where}{tab}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.locator(CONTROLS).count() == 0, tab
        assert not watch.errors
        for hidden in ("/projects/vision", "/experiments/2", "/runs", "/tokens"):
            page.goto(f"http://{site.host}{hidden}")
            assert page.locator("[data-error]").count() == 1, hidden
        page.goto(f"http://{site.host}/")
        assert page.url.endswith(where)


def test_readers_see_no_control(chromium, site):
    with site.page(chromium, f"/runs/{site.runs[0]}", "read") as (page, watch):
        for path in (
            f"/experiments/{site.experiment}/properties",
            f"/experiments/{site.experiment}/suggestions",
            "/projects/vision",
        ):
            assert page.locator(CONTROLS).count() == 0
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        assert not watch.errors


def test_a_page_follows_a_loop_without_losing_what_is_selected(chromium, site):
    log = open_log(site.log)
    experiment = hs.Experiment(
        "followed",
        parameters=[hs.Double("x", -5, 5)],
        metrics=[hs.minimize("loss")],
        budget=8,
        seed=1,
        searcher="random",
        log=log,
    )
    for run in experiment.loop(budget=3):
        run.log_metric("loss", run["x"] ** 2)
    with site.page(chromium, f"/experiments/{experiment.id}") as (page, watch):
        page.wait_for_selector("[data-figure][data-drawn]")
        page.locator("[data-select]").nth(1).check()
        page.evaluate("document.querySelector('#card-best-so-far [data-figure]').stays = true")
        for run in experiment.loop(budget=8):
            run.log_metric("loss", run["x"] ** 2)
        until(page, "document.querySelector('.states').textContent.startsWith('8 runs')")
        until(page, "document.querySelectorAll('tr[data-id]').length === 8")
        assert page.evaluate("document.querySelector('#card-best-so-far [data-figure]').stays")
        assert page.locator("[data-select]:checked").count() == 1
        traces = "document.querySelector('#card-best-so-far [data-figure]').data"
        points = f"{traces}.flatMap(trace => trace.customdata ?? [])"
        until(page, f"new Set({points}).size === 8")
        watch.check()
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


def test_hostile_texts_are_shown_as_text_in_every_field(chromium, site):
    text = INJECTION
    experiment = bowl(
        site,
        name=text[:60],
        metadata={"note": text},
        parameters=[{"name": "<b>x</b>", "type": "categorical", "categorical_values": [text[:50], "plain"]}],
        metrics=[{"name": "<i>loss</i>"}],
    )
    body = {
        "name": text,
        "assignments": {text[:40]: text},
        "values": {text[:40]: {"value": 1.0}},
        "model": {"type": text},
        "metadata": {text[:40]: text},
        "datasets": {text[:40]: {"k": text}},
        "note": text,
        "tags": [text[:40]],
        "source_code": {"content": text, "hash": text},
        "logs": {"stdout": text},
        "state": "completed",
    }
    run = site.wire.ok("POST", "/v1/clients/1/projects/loose/training_runs", body)["id"]
    site.wire.ok(
        "POST",
        f"/v1/experiments/{experiment}/observations",
        {"assignments": {"<b>x</b>": text[:50]}, "values": [{"name": "<i>loss</i>", "value": 1.0}]},
    )
    log = open_log(site.log)
    log.apply(UpdateRun(int(run), time=time.time(), dev_metadata={text[:40]: text}))
    log.close()
    at = f"/experiments/{experiment}"
    paths = [
        f"/runs/{run}",
        "/projects/loose",
        "/projects/vision",
        "/",
        "/runs",
        f"/compare?runs={run},{site.runs[1]}",
    ]
    paths += [
        at,
        f"{at}/runs",
        f"{at}/suggestions",
        f"{at}/properties",
        f"{at}/code",
        f"/runs/{site.runs[3]}",
    ]
    paths += [f"{at}/runs?where={text}"]
    with site.page(chromium, "/") as (page, watch):
        for path in paths:
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.evaluate("window.broken") is None, path
            assert page.locator("img[src=x]").count() == 0, path
            assert page.locator("main b b, main i, main strong b").count() == 0, path
        page.goto(f"http://{site.host}/runs/{run}")
        assert page.inner_text("main").count("onerror") >= 8
        assert not watch.errors
        assert not watch.foreign


def test_a_phone_does_not_scroll_sideways_and_the_keyboard_reaches_the_content(chromium, site):
    with site.page(chromium, f"/experiments/{site.experiment}", "admin", width=390) as (page, watch):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        controls = "document.querySelectorAll('button, a[href], input:not([type=hidden]), select, textarea')"
        unnamed = f"""[...{controls}].filter(item =>
            !(item.textContent.trim() || item.ariaLabel || item.labels?.length || item.title))"""
        assert page.evaluate(f"{unnamed}.map(item => item.outerHTML)") == []
        for path in (f"/runs/{site.runs[0]}", f"/experiments/{site.experiment}/properties", "/tokens", "/"):
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        watch.check()


def test_the_theme_is_the_readers_choice(chromium, site):
    with site.page(chromium, "/", scheme="light") as (page, watch):
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.click("[data-theme-switch]")
        assert page.evaluate(ground) != before
        page.reload()
        page.wait_for_selector("body[data-ready]")
        assert page.evaluate(ground) != before
        assert not watch.errors


def test_a_new_token_is_shown_once_and_revoked_again(chromium, site):
    with site.page(chromium, "/tokens", "admin") as (page, watch):
        page.fill("[name=name]", "for a colleague")
        page.click("[data-form=token] button")
        page.wait_for_selector("[data-secret]:not([hidden])")
        secret = page.inner_text("[data-secret] code")
        assert re.fullmatch(r"hs_[\w-]{40,}", secret)
        assert Caller(site.host, secret).call("GET", "/v1/tokens/self").status == 200
        page.locator("tr:has-text('for a colleague') >> text=Revoke").click()
        page.wait_for_selector("tr:has-text('for a colleague')", state="detached")
        assert Caller(site.host, secret).call("GET", "/v1/tokens/self").status == 403
        watch.check()


def test_many_readers_at_once_get_the_same_snapshot(site):
    reader = Caller(site.host, site.tokens["read"])
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.append(reader.call("GET", f"/experiments/{site.experiment}").status)
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 6
