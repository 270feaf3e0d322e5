from __future__ import annotations

import re
from dataclasses import replace

import pytest

from heliostat.figures import best_so_far, trade_offs
from heliostat.figures.svg import can_draw, drawing
from heliostat.report import figure_html, markdown, metrics_html, metrics_markdown, metrics_report, view
from heliostat.testing.browser import watched_page
from heliostat.testing.degenerate import CASES
from heliostat.testing.synthetic import INJECTION, single_spec, vision_runs, vision_spec
from heliostat.trial import LateMeasurement, Run

WHEN = 1_790_000_000.0


def with_late(runs: list[Run], number: int, **values: float) -> list[Run]:
    """The runs, one of them with values from production."""
    late = {"production": {name: [LateMeasurement(value, WHEN)] for name, value in values.items()}}
    return [replace(run, late=late) if run.number == number else run for run in runs]


def best_number(runs):
    return metrics_report(single_spec(), runs, generated=WHEN).answer.split(":")[0].removeprefix("Run ")


@pytest.mark.parametrize("case", CASES)
def test_every_experiment_gets_both_forms(case):
    spec, runs = CASES[case]()
    found = metrics_report(spec, runs, generated=WHEN)
    assert found.question.endswith("?")
    assert found.caveats
    assert metrics_html(found).rstrip().endswith("</html>")
    assert "## The caveats" in metrics_markdown(found)
    assert markdown(view(spec, runs, title=None, generated=WHEN, log_url="")).startswith("# ")


def test_the_answer_is_the_best_run_that_keeps_its_guardrails():
    found = metrics_report(single_spec(), vision_runs(60), generated=WHEN)
    assert found.is_ready
    assert found.question.endswith("give the highest accuracy, with latency_ms ≤ 20?")
    (latency,) = [row for row in found.rows if row.name == "latency_ms"]
    assert (latency.wanted, latency.values[0].is_kept) == ("≤ 20", True)
    assert "12 of 39 completed runs miss latency_ms ≤ 20." in found.caveats
    assert "Nothing has been measured in production yet." in found.caveats
    assert found.matters[0] == "accuracy: learning_rate and width matter most."


def test_production_stands_beside_validation():
    runs = vision_runs(60)
    number = int(best_number(runs))
    found = metrics_report(
        single_spec(), with_late(runs, number, latency_ms=19.5, clicks=0.04), generated=WHEN
    )
    assert found.roles == ("validation", "production")
    assert [row.name for row in found.rows] == ["accuracy", "latency_ms", "clicks"]
    assert found.rows[1].values[1].text == "19.5"
    assert found.rows[2].values[0].text == "–"
    assert found.is_ready


def test_a_guardrail_missed_in_production_is_no_answer():
    runs = vision_runs(60)
    number = int(best_number(runs))
    found = metrics_report(single_spec(), with_late(runs, number, latency_ms=31.0), generated=WHEN)
    assert not found.is_ready
    assert found.answer.endswith("But in production latency_ms is 31, not latency_ms ≤ 20.")


def test_without_a_feasible_run_it_says_why():
    spec, runs = CASES["infeasible"]()
    found = metrics_report(spec, runs, generated=WHEN)
    assert not found.is_ready
    assert re.match(
        r"There is no answer yet: none of \d+ completed runs keeps latency_ms ≤ 20\.", found.answer
    )


def test_users_texts_mean_nothing_in_markdown_or_html():
    spec = replace(single_spec(), name=INJECTION, project="a|b_c*")
    found = metrics_report(spec, vision_runs(30), comment=INJECTION, generated=WHEN)
    assert INJECTION not in metrics_html(found)
    assert "<script" not in metrics_html(found)
    assert "<script" not in metrics_markdown(found)


def test_a_drawing_has_a_mark_for_each_run_and_no_script():
    card = trade_offs(single_spec(), vision_runs(60))[0]
    text = drawing(card)
    crosses = next(trace for trace in card.figure["data"] if trace["name"] == "over guardrail")
    assert text.count('fill="none" opacity="1"><title>') == len(crosses["x"])
    assert "latency_ms ≤ 20" in text
    assert "script" not in text
    assert can_draw(best_so_far(*CASES["tiny"]()))


@pytest.mark.parametrize("case", CASES)
def test_whatever_can_be_drawn_is_drawn_inside_its_frame(case):
    for card in (best_so_far(*CASES[case]()), *trade_offs(*CASES[case]())):
        if can_draw(card):
            text = re.sub("<title>.*?</title>", "", drawing(card), flags=re.DOTALL)
            assert "nan" not in text
            numbers = [float(part) for part in re.findall(r'[xy][12]?="(-?[\d.]+)"', text)]
            assert all(-40 <= number <= 520 for number in numbers)


@pytest.mark.browser
def test_it_opens_without_scripts_and_prints_on_two_sheets(chromium, tmp_path):
    path = tmp_path / "metrics.html"
    runs = with_late(vision_runs(60), 46, latency_ms=19.1)
    path.write_text(metrics_html(metrics_report(vision_spec(), runs, generated=WHEN)), encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.locator("svg").count() == 2
    assert "ready" in page.locator(".answer h2").text_content()
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert sheets <= 2
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


@pytest.mark.browser
def test_one_figure_is_a_page(chromium, tmp_path):
    path = tmp_path / "figure.html"
    path.write_text(figure_html(best_so_far(single_spec(), vision_runs(60))), encoding="utf-8")
    with watched_page(chromium, path.as_uri()) as (page, watch):
        assert page.locator("#figure .scatterlayer path").count() > 10
        watch.check()
