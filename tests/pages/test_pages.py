"""The live pages as people use them: a real browser on the real service with real data."""

import threading
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from heliostat.registry import open_log
from heliostat.testing.populated import record_runs
from heliostat.testing.service import Caller
from heliostat.testing.synthetic import INJECTION, vision_runs, vision_spec
from heliostat.writes import UpdateRun

pytestmark = pytest.mark.browser


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


def test_hostile_texts_are_shown_as_text_in_every_field(chromium, site):
    text = INJECTION
    experiment = site.bowl(
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
        for again in (page.url, f"http://{site.host}/sign-in"):
            page.goto(again)
            page.wait_for_selector("body[data-ready]")
            assert page.evaluate(ground) != before
        assert not watch.errors


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
