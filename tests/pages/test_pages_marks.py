"""The six figures of an experiment's overview hold the marks that its runs call for, no more and no fewer."""

import math

import pytest

from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import watched_page
from heliostat.testing.populated import record_runs
from heliostat.testing.service import make_token, serving
from heliostat.testing.synthetic import vision_runs, vision_spec
from heliostat.trial import State

pytestmark = pytest.mark.browser

RUNS = vision_runs(60)
LIMIT = 20

MARKS = """(key) => Object.fromEntries(
  [...document.querySelectorAll(`#card-${key} .scatterlayer .trace`)]
    .map((group) => [group, group.__data__[0].trace])
    .map(([group, trace]) => [trace.name, [...group.querySelectorAll(".point")]
      .map((point) => trace.customdata ? trace.customdata[point.__data__.i] : point.__data__.i)
      .sort((a, b) => a - b)]))"""
"""Numbers of the runs whose marks are drawn, by name of the trace; read off the page's own SVG."""

LINES = """(key) => Object.fromEntries(
  [...document.querySelectorAll(`#card-${key} .scatterlayer .trace`)].map((group) => [
    group.__data__[0].trace.name,
    [...group.querySelectorAll(".js-line")]
      .map((line) => line.getAttribute("d").split("M").length - 1)
      .reduce((sum, count) => sum + count, 0)]))"""
"""How many lines are drawn, by name of the trace; one path holds several."""

INK = """() => {
  const canvas = document.querySelector("#card-parameter-space canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let place = 3; place < pixels.length; place += 4) inked += pixels[place] > 0;
  return inked;
}"""

OUTGROWN = """[...document.querySelectorAll(".js-plotly-plot")]
  .filter((plot) => ["l", "r", "t", "b"].some((side) =>
    plot._fullLayout._size[side] - plot.layout.margin[side] > 1))
  .map((plot) => plot.closest(".card").id)"""
"""Figures whose labels or legend need more room than they were given."""

FITS = """async (place) => {
  const isSame = () => Math.abs(place.querySelector(".main-svg").clientHeight - place.clientHeight) <= 1;
  for (let tries = 0; !isSame() && tries < 100; tries++) await new Promise((done) => setTimeout(done, 50));
  return isSame();
}"""

FIGURE = "key => JSON.parse(document.querySelector(`#card-${key} [data-figure-json]`).textContent)"


def completed():
    names = ("accuracy", "size_mb", "latency_ms")
    return [
        run
        for run in RUNS
        if run.state is State.COMPLETED and all(math.isfinite(run.numbers[name]) for name in names)
    ]


def feasible():
    return [run for run in completed() if run.numbers["latency_ms"] <= LIMIT]


def is_beaten(run, others):
    accuracy, size = run.numbers["accuracy"], run.numbers["size_mb"]
    return any(
        other.numbers["accuracy"] >= accuracy and other.numbers["size_mb"] <= size and other is not run
        for other in others
    )


def front():
    return [run for run in feasible() if not is_beaten(run, feasible())]


def numbers(runs):
    return sorted(run.number for run in runs)


@pytest.fixture(scope="module")
def shown(chromium, tmp_path_factory):
    """The overview of sixty runs in every state."""
    log = f"sqlite:///{tmp_path_factory.mktemp('marks') / 'runs.db'}"
    opened = open_log(log)
    experiment, _ = record_runs(opened, vision_spec(budget=200), RUNS)
    token = make_token(log, "read", user="ada")
    opened.close()
    with serving(ServiceSettings(log=log)) as host:
        url = f"http://{host}/experiments/{experiment}"
        with watched_page(chromium, url, allowed=(f"http://{host}/",), cookies={COOKIE: token}) as (
            page,
            watch,
        ):
            yield page
            watch.check()


def test_there_are_six(shown):
    cards = shown.locator("[data-cards] > [id^=card-]").evaluate_all("all => all.map(card => card.id)")
    names = ("best-so-far", "trade-off", "trade-off-2", "importance", "training-curves", "parameter-space")
    assert cards == [f"card-{name}" for name in names]


def test_best_so_far_marks_each_run_that_grew_the_front_and_each_failure(shown):
    marks = shown.evaluate(MARKS, "best-so-far")
    assert marks["failed"] == numbers(run for run in RUNS if run.state is State.FAILED)
    grew = {
        run.number
        for run in feasible()
        if not is_beaten(run, [other for other in feasible() if other.number < run.number])
    }
    edge = {
        max(feasible(), key=lambda run: run.numbers["size_mb"]).number,
        min(feasible(), key=lambda run: run.numbers["accuracy"]).number,
    }  # they span the box, so they fill none of it
    assert set(marks["grew the front"]) <= grew
    assert grew - set(marks["grew the front"]) <= edge
    assert shown.evaluate(LINES, "best-so-far")["hypervolume so far"] == 1


@pytest.mark.parametrize("key", ["trade-off", "trade-off-2"])
def test_the_trade_offs_mark_every_completed_run_where_it_belongs(shown, key):
    marks = shown.evaluate(MARKS, key)
    above = [run for run in completed() if run.numbers["latency_ms"] > LIMIT]
    assert marks["over guardrail"] == numbers(above)
    assert marks["feasible"] == numbers(feasible())
    assert marks["Pareto front"] == numbers(front())


def test_importance_has_a_cell_for_each_parameter_and_metric(shown):
    table = shown.locator("#card-importance table")
    heads = table.locator("thead th").all_inner_texts()
    assert heads[1:] == ["accuracy", "size_mb", "latency_ms", "epochs_used"]
    names = table.locator("tbody th").all_inner_texts()
    assert sorted(names) == ["activation", "dropout", "learning_rate", "momentum", "optimizer", "width"]
    words = table.locator("tbody .word").all_inner_texts()
    assert len(words) == 24
    assert {word.lower() for word in words} <= {"high", "medium", "low", "not clear yet"}


def test_every_curve_is_a_line_and_every_early_stop_a_dot(shown):
    curves = [run for run in RUNS if run.curve]
    stopped = [run for run in curves if run.state is State.EARLY_STOPPED]
    assert shown.evaluate(MARKS, "training-curves")["stopped early"] == numbers(stopped)
    lines = shown.evaluate(LINES, "training-curves")
    best = len(front())
    assert (lines["best"], lines["runs"]) == (best, len(curves) - best)


def test_parallel_axes_hold_every_run_in_its_class(shown):
    figure = shown.evaluate(FIGURE, "parameter-space")
    assert figure["numbers"] == numbers(RUNS)
    kinds = dict(zip(figure["numbers"], figure["classes"], strict=True))
    assert numbers(front()) == [number for number, kind in kinds.items() if kind == "best"]
    plain = [run for run in feasible() if run not in front()]
    assert numbers(plain) == [number for number, kind in kinds.items() if kind == "feasible"]
    assert [axis["name"] for axis in figure["axes"]][-4:] == [
        "accuracy",
        "size_mb",
        "latency_ms",
        "epochs_used",
    ]
    assert shown.evaluate(INK) > 1000


def test_labels_and_legends_have_the_room_they_need_so_that_each_figure_is_drawn_once(shown):
    assert shown.locator(".js-plotly-plot").count() == 4
    assert shown.evaluate(OUTGROWN) == []


def test_figures_that_came_into_sight_later_fit_their_cards(shown):
    """Cards out of sight have a guessed height until then, which is the height their figures are drawn in."""
    page = shown.context.new_page()
    page.goto(f"{shown.url}/analysis")
    page.wait_for_selector("body[data-ready]", timeout=90_000, state="attached")
    places = page.locator("[data-figure][data-drawn]")
    assert places.count() > 10
    for place in places.all():
        place.scroll_into_view_if_needed()
        assert place.evaluate(FITS), place.get_attribute("data-figure")
    page.close()
