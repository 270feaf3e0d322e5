from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from heliostat import report
from heliostat.experiment import ExperimentSpec
from heliostat.figures.embedding import embedded_json
from heliostat.figures.theme import DARK, GOOD
from heliostat.metrics import Metrics, minimize
from heliostat.report.view import without_password
from heliostat.space import Double, Space
from heliostat.testing.browser import watched_page
from heliostat.testing.synthetic import INJECTION, in_state, single_spec, vision_runs, vision_spec
from heliostat.trial import Failure, Measurement, Run, State

FIGURES = ["best-so-far", "trade-off", "trade-off-2", "training-curves"]


def clock() -> float:
    return 1_790_000_000.0


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "rich.html"
    url = "postgresql://me:secret@db/runs"
    return report.write(path, vision_spec(), vision_runs(60), generated=clock, log_url=url)


def test_the_same_runs_give_the_same_page():
    first, second = (report.render(vision_spec(), vision_runs(20), generated=clock) for _ in range(2))
    assert first == second
    assert "2026-09-21" in first


def test_a_write_is_whole_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert report.write(path, vision_spec(), [], generated=clock) == path
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def broken(source, target):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="no space"):
        report.write(path, vision_spec(), [], generated=clock)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_passwords_are_not_printed(rich):
    text = rich.read_text(encoding="utf-8")
    assert "postgresql://me@db/runs" in text
    assert "secret" not in text
    assert without_password("sqlite:///runs.db") == "sqlite:///runs.db"
    assert without_password("http://[broken") == ""


@pytest.mark.parametrize("text", ["</script>", "<!--", "\u2028\u2029", "<script", "\udc80"])
def test_embedded_json_cannot_leave_its_element(text):
    written = embedded_json({"a": text})
    assert "<" not in written
    assert not set("\u2028\u2029") & set(written)
    assert json.loads(written)["a"] == text.replace("\udc80", "?")


def hostile() -> tuple[ExperimentSpec, list[Run]]:
    """Hostile text in every field that a user can fill."""
    space = Space((Double(f"x {INJECTION}"[:100], 0, 1), Double("y", 0, 1)))
    metrics = Metrics((minimize(f"m {INJECTION}"[:100]), minimize("%{x} & $z$ <b>")))
    spec = ExperimentSpec(name=INJECTION, project="<i>p</i>", space=space, metrics=metrics, budget=20)
    first, second = (item.name for item in space.parameters)
    runs = [
        Run(
            number=number,
            assignments={first: number / 20, second: 1 - number / 20, INJECTION: INJECTION},
            state=State.FAILED if number % 4 == 0 else State.COMPLETED,
            values={metric.name: Measurement(float(number % 7)) for metric in metrics.all},
            origin=INJECTION,
            searcher=INJECTION,
            why=INJECTION,
            failure=Failure(INJECTION, INJECTION, INJECTION) if number % 4 == 0 else None,
            metadata={INJECTION: INJECTION},
        )
        for number in range(1, 16)
    ]
    return spec, runs


@pytest.mark.browser
def test_the_page_is_complete_and_asks_nobody(chromium, rich):
    with watched_page(chromium, rich.as_uri()) as (page, watch):
        for key in FIGURES:
            marks = f"#card-{key} .scatterlayer path"
            assert page.locator(marks).count() >= 2, key
        assert page.locator("#card-trade-off-2 .shapelayer path, #card-trade-off-2 .layer-below path").count()
        assert "latency_ms ≤ 20" in page.locator("#card-trade-off-2 .infolayer").text_content()
        painted = "c => c.getContext('2d').getImageData(0,0,c.width,c.height).data.some(v => v)"
        assert page.locator("canvas[data-parallel]").evaluate(painted)
        words = page.locator("table.importance .word").all_text_contents()
        assert {"High", "Low", "not clear yet"} <= set(words)
        assert "out-of-bag R²" in page.locator("#card-importance").text_content()
        assert page.evaluate("window.broken") is None
        watch.check()


@pytest.mark.browser
def test_the_table_filters_and_sorts(chromium, rich):
    with watched_page(chromium, rich.as_uri()) as (page, watch):
        rows = page.locator("[data-runs] tbody tr")
        assert rows.count() == 60
        box = page.locator("[data-filter]")
        box.fill("failed")
        assert rows.count() == 7
        box.fill("accuracy>0.9 run<30")
        shown = rows.count()
        assert 0 < shown < 15
        box.fill("nothing like this")
        assert "No run matches" in rows.first.text_content()
        box.fill("")
        page.locator("[data-runs] th", has_text="accuracy").click()
        values = page.evaluate(
            "[...document.querySelectorAll('[data-runs] tbody tr')].map(r => r.cells[3].textContent)"
        )
        numbers = [float(value) for value in values if value != "–"]
        assert numbers == sorted(numbers)
        assert values[-1] == "–"  # missing values come last
        watch.check()


@pytest.mark.browser
def test_a_row_lights_its_run_everywhere(chromium, rich):
    with watched_page(chromium, rich.as_uri()) as (page, watch):
        before = page.locator("canvas[data-parallel]").evaluate("c => c.toDataURL()")
        page.locator("[data-runs] tbody tr[data-run='46']").hover()
        assert page.locator("tr.lit").count() == 2  # in the front and among all runs
        last = "p => { const d = p.data.at(-1); return [d.meta, d.x.length]; }"
        assert page.locator("[data-figure=trade-off]").evaluate(last)[0] == "selected"
        assert page.locator("[data-figure=trade-off]").evaluate(last)[1] >= 1
        assert page.locator("canvas[data-parallel]").evaluate("c => c.toDataURL()") != before
        watch.check()


@pytest.mark.browser
def test_a_brush_keeps_some_runs_and_a_click_lets_go(chromium, rich):
    with watched_page(chromium, rich.as_uri()) as (page, watch):
        page.locator("canvas[data-parallel]").scroll_into_view_if_needed()
        box = page.locator("canvas[data-parallel]").bounding_box()
        x, top = box["x"] + 70, box["y"]
        page.mouse.move(x, top + 60)
        page.mouse.down()
        page.mouse.move(x, top + 150, steps=4)
        page.mouse.up()
        kept = page.locator(".keys output").text_content()
        assert "of 60 runs kept" in kept
        page.mouse.click(x, top + 80)
        assert page.locator(".keys output").text_content() == ""
        watch.check()


@pytest.mark.browser
def test_no_button_sends_a_figure_away(chromium, rich):
    with watched_page(chromium, rich.as_uri()) as (page, watch):
        titles = "[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)"
        known = {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}
        known |= {"Orbital rotation", "Turntable rotation"}  # of the figure in space
        known |= {"Reset camera to default", "Reset camera to last save"}
        assert set(page.evaluate(titles)) == known
        watch.check()


@pytest.mark.browser
def test_dark_readers_get_dark_figures(chromium, rich):
    with watched_page(chromium, rich.as_uri(), scheme="dark") as (page, watch):
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in ground[4:-1].split(",")) < 60
        colours = page.evaluate("JSON.stringify(document.querySelector('[data-figure=trade-off]').data)")
        assert DARK[GOOD] in colours
        assert GOOD not in colours
        page.emulate_media(color_scheme="light")
        page.wait_for_function(
            "c => JSON.stringify(document.querySelector('[data-figure=trade-off]').data).includes(c)",
            arg=GOOD,
        )
        watch.check()


@pytest.mark.browser
def test_a_phone_does_not_scroll_sideways(chromium, rich):
    with watched_page(chromium, rich.as_uri(), width=390) as (page, watch):
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        watch.check()


@pytest.mark.browser
def test_hostile_texts_are_shown_as_text(chromium, tmp_path):
    path = report.write(tmp_path / "hostile.html", *hostile(), title=INJECTION, log_url=INJECTION)
    with watched_page(chromium, path.as_uri()) as (page, watch):
        assert page.evaluate("window.broken") is None
        assert page.locator("img").count() == 0
        assert page.title() == INJECTION
        assert INJECTION in page.locator("#failures pre").first.text_content()
        titles = page.locator("#card-trade-off .infolayer").text_content()
        assert "%{x} & $z$ <b>" in titles
        page.locator("#card-trade-off").scroll_into_view_if_needed()
        watch.check()


def scaled_values(factor) -> tuple[ExperimentSpec, list[Run]]:
    space = Space((Double("x", 0, 1),))
    spec = ExperimentSpec(name="scaled", space=space, metrics=Metrics((minimize("loss"),)))
    runs = [
        Run(
            number=n,
            assignments={"x": n / 20},
            state=State.COMPLETED,
            values={"loss": Measurement(n * factor)},
        )
        for n in range(1, 13)
    ]
    return spec, runs


DEGENERATE = {
    "no runs": lambda: (vision_spec(), []),
    "one run": lambda: (vision_spec(), vision_runs(1)),
    "two runs": lambda: (vision_spec(), vision_runs(2)),
    "all failed": lambda: (vision_spec(), in_state(vision_runs(30), State.FAILED)),
    "all open": lambda: (single_spec(), in_state(vision_runs(3), State.ACTIVE)),
    "all infeasible": lambda: (
        vision_spec(),
        [run for run in vision_runs(90) if run.numbers.get("latency_ms", 0) > 20],
    ),
    "one metric": lambda: (single_spec(with_guardrail=False), vision_runs(40)),
    "tiny values": lambda: scaled_values(1e-300),
    "huge values": lambda: scaled_values(1e307),
}


@pytest.mark.browser
@pytest.mark.parametrize("case", DEGENERATE)
def test_poor_experiments_get_a_page_too(chromium, tmp_path, case):
    path = report.write(Path(tmp_path) / "poor.html", *DEGENERATE[case](), generated=clock)
    with watched_page(chromium, path.as_uri()) as (page, watch):
        assert page.locator(".cards .card").count() >= 5
        for card in page.locator(".cards .card").all():
            assert card.locator(".plot svg, table, canvas, .absent").count() >= 1
        watch.check()
