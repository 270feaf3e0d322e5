"""The table of runs, and what is selected: links, views, filters, comparison, exports."""

import io

import pyarrow.parquet
import pytest

from heliostat.testing.browser import until
from heliostat.testing.service import Caller
from heliostat.testing.synthetic import INJECTION

pytestmark = pytest.mark.browser


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
    experiment = site.bowl()
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
