"""What people change on the pages: suggestions, results, budget, bounds, roles, reports."""

import pytest

from heliostat.testing.browser import until

pytestmark = pytest.mark.browser


def test_a_point_queued_by_hand_is_handed_out_next(chromium, site):
    experiment = site.bowl()
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
    experiment = site.bowl()
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
    experiment = site.bowl(metrics=metrics)
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


def test_defaults_and_beliefs_are_shown_beside_the_parameters(chromium, site):
    bounds = {"min": 0, "max": 1}
    beliefs = [
        {"name": "normal", "mean": 0.9, "scale": 0.05},
        {"name": "beta", "shape_a": 2, "shape_b": 5},
    ]
    parameters = [
        {"name": f"p{place}", "type": "double", "bounds": bounds, "prior": prior, "default_value": 0.5}
        for place, prior in enumerate(beliefs)
    ]
    experiment = site.bowl(parameters=parameters)
    with site.page(chromium, f"/experiments/{experiment}/properties") as (page, watch):
        shown = page.inner_text("[aria-label=Parameters]")
        assert "default 0.5; believed near 0.9 ± 0.05" in shown
        assert "default 0.5; believed as Beta(2, 5)" in shown
        watch.check()


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
    experiment = site.bowl(metrics=metrics)
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
