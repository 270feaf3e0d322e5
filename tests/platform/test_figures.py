from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.figures import (
    Card,
    best_so_far,
    overview,
    parameter_importance,
    parameter_space,
    trade_off,
    trade_offs,
    training_curves,
)
from heliostat.figures.marks import FEWEST_MARKS, MOST_MARKS, shares
from heliostat.figures.numbers import compact, label, rounded, short
from heliostat.figures.parameter_space import MOST_AXES, MOST_LINES
from heliostat.figures.scale import scale
from heliostat.figures.theme import ACCENT, DARK
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.space import Double, Space
from heliostat.testing.degenerate import CASES, wide
from heliostat.testing.synthetic import single_spec, vision_runs, vision_spec
from heliostat.trial import Measurement, Run, State


def named(card, name):
    return next(trace for trace in card.figure["data"] if trace.get("name") == name)


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("case", CASES)
def test_every_card_has_a_figure_or_says_why_not(case):
    cards = overview(*CASES[case]())
    assert len({card.key for card in cards}) == len(cards) >= 5
    for card in cards:
        assert card.title
        assert (card.figure is None) == bool(card.absent)
        assert card.figure is None or card.how_to_read.endswith(".")
        text = json.dumps(card.figure, allow_nan=False)
        assert json.loads(text) == card.figure
        assert all(float(f"{number:.6g}") == number for number in numbers_in(card.figure))


def test_absent_cards_say_what_would_make_them_appear():
    for card in overview(vision_spec(), []):
        assert "appear" in card.absent, card.key


def test_a_card_is_one_thing_or_the_other():
    with pytest.raises(InvalidValue):
        Card("k", "t")
    with pytest.raises(InvalidValue):
        Card("k", "t", figure={}, absent="why")


def test_the_best_line_ignores_stopped_failed_and_infeasible_runs():
    spec, runs = single_spec(), vision_runs(60)
    card = best_so_far(spec, runs)
    line = named(card, "best so far")
    assert line["line"] == {"shape": "hv", "color": ACCENT, "width": 2}
    feasible = {run.number: run for run in runs if run.numbers.get("latency_ms", math.inf) <= 20}
    assert max(run.numbers["accuracy"] for run in feasible.values()) == pytest.approx(line["y"][-1], rel=1e-5)
    assert named(card, "over guardrail")["marker"]["symbol"].startswith("x")
    assert len(named(card, "failed")["x"]) == 7
    assert set(named(card, "feasible")["customdata"]) <= set(feasible)


def test_several_objectives_show_hypervolume():
    card = best_so_far(vision_spec(), vision_runs(60))
    assert "hypervolume" in card.claim
    values = [value for value in named(card, "hypervolume so far")["y"] if value is not None]
    assert values == sorted(values)


def test_the_guardrail_is_a_dashed_line_with_its_value_and_shade():
    card = trade_offs(single_spec(), vision_runs(60))[0]
    layout = card.figure["layout"]
    shade, line = layout["shapes"]
    assert line["line"]["dash"] == "dash"
    assert line["x0"] == line["x1"] == shade["x0"] == 20
    assert shade["x1"] > layout["xaxis"]["range"][1]  # the side over the limit, beyond what is shown
    assert [note["text"] for note in layout["annotations"]] == ["latency_ms ≤ 20"]


def test_a_lower_limit_shades_the_lower_side():
    metrics = Metrics((minimize("loss"), guardrail("recall", at_least=0.5)))
    spec = ExperimentSpec(name="e", space=Space((Double("x", 0, 1),)), metrics=metrics, budget=9)
    values = {"loss": Measurement(1.0), "recall": Measurement(0.7)}
    run = Run(number=1, state=State.COMPLETED, values=values)
    shade = trade_off(spec, [run], "recall", "loss").figure["layout"]["shapes"][0]
    assert shade["x1"] < 0.5 == shade["x0"]


def test_two_objectives_and_a_guardrail_give_two_cards():
    first, second = trade_offs(vision_spec(), vision_runs(60))
    assert first.claim == "accuracy against size_mb"
    assert "latency_ms ≤ 20" in first.notes[0]
    assert not first.figure["layout"]["shapes"]
    assert second.claim == "accuracy against latency_ms"
    assert second.figure["layout"]["shapes"]
    assert named(first, "front")["line"]["shape"] == "hv"
    assert all(value <= 20 for value in named(second, "best at each limit")["x"])


def test_no_figure_has_more_than_four_legend_entries():
    for case in CASES.values():
        for card in overview(*case()):
            if card.kind == "plotly" and card.figure:
                shown = [trace for trace in card.figure["data"] if trace.get("showlegend", True)]
                assert len(shown) <= 4, card.key


def test_a_missing_metric_is_named():
    runs = [replace(run, values={"accuracy": Measurement(0.5)}) for run in vision_runs(10)]
    card = trade_offs(vision_spec(), runs)[0]
    assert "both accuracy and size_mb" in card.absent


def test_curves_are_few_traces_with_gaps():
    card = training_curves(vision_spec(), vision_runs(60))
    lines = named(card, "runs")
    assert None in lines["y"]
    assert len(lines["x"]) == len(lines["y"]) == len(lines["customdata"]) == len(lines["hovertext"])
    assert named(card, "stopped early")["mode"] == "markers"
    assert len(card.figure["data"]) <= 4


def test_parameter_space_keeps_to_its_axes_and_orders_by_importance():
    figure = parameter_space(vision_spec(), vision_runs(60)).figure
    assert figure["axes"][0]["name"] in ("width", "learning_rate")
    assert {axis["kind"] for axis in figure["axes"]} == {"linear", "log", "category"}
    assert all(len(axis["values"]) == 60 for axis in figure["axes"])
    card = parameter_space(*wide(10))
    assert len(card.figure["axes"]) == MOST_AXES
    assert card.notes == ("39 less important parameters have no axis.",)


def test_importance_prints_its_rule():
    card = parameter_importance(vision_spec(), vision_runs(60))
    assert card.figure["rule"].startswith("High = more than its fair share")
    words = {cell["word"] for row in card.figure["rows"] for cell in row["cells"]}
    assert words == {"High", "Low", "not clear yet"}


def test_numbers_and_names():
    assert rounded(1 / 3) == 0.333333
    assert rounded(math.nan) is None
    assert rounded(1.7976931348623157e308) == pytest.approx(1.79769e308)
    assert compact({"a": (1, math.inf, True, "t", None)}) == {"a": [1, None, True, "t", None]}
    assert [short(value) for value in (123456.7, 0.00012345, 2.5e9, -3e-310)] == [
        "123500",
        "0.0001234",
        "2.5e9",
        "-3e-310",
    ]
    assert [short(value) for value in (0.98625, 12, 12.0, 1e-5, 123456.0, "t", True)] == [
        "0.9862",
        "12",
        "12",
        "1e-5",
        "123456",
        "t",
        "True",
    ]
    assert label("<b>&%{x}") == "&lt;b&gt;&amp;%&#123;x}"
    assert len(label("x" * 90)) == 60


def test_an_outlier_does_not_flatten_the_rest():
    shown = scale([*(0.9 + 0.001 * place for place in range(60)), -50.0])
    assert shown.low > 0
    assert shown.outside == 1
    assert scale([1.0, 10.0, 1000.0, 1e5]).is_log
    assert scale([]).high > scale([]).low
    kept = scale([1.0] * 20, keep=[7.0])
    assert kept.low < 1
    assert kept.high > 7


def test_each_colour_has_a_dark_partner():
    figures = json.dumps([card.figure for card in overview(vision_spec(), vision_runs(60))])
    used = {f"#{part[:6]}" for part in figures.split('"#')[1:]}
    assert used <= set(DARK)


def test_of_many_runs_evenly_spaced_ones_are_drawn_and_none_of_the_front_is_lost():
    runs = [
        Run(id=n, number=n, assignments={}, values={name: Measurement(1.0 + n) for name in ("a", "b")},
            state=State.COMPLETED)
        for n in range(1, 4001)
    ]  # fmt: skip
    spec = ExperimentSpec(
        "many", Space((Double("x", 0, 1),)), Metrics((minimize("a"), minimize("b"))), budget=9
    )
    traces = {trace.get("name"): trace for trace in trade_off(spec, runs, "a", "b").figure["data"]}
    marks = traces[f"feasible ({MOST_MARKS} of 4000)"]
    assert (marks["customdata"][0], marks["customdata"][-1], len(set(marks["x"]))) == (1, 4000, MOST_MARKS)
    assert traces["Pareto front"]["customdata"] == [1]


@given(sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=4))
def test_groups_share_the_marks_of_a_figure_and_small_ones_are_still_seen(sizes):
    counts = shares(sizes)
    assert all(count <= size for count, size in zip(counts, sizes, strict=True))
    assert all(count >= min(size, FEWEST_MARKS) for count, size in zip(counts, sizes, strict=True))
    assert sum(counts) <= MOST_MARKS + FEWEST_MARKS * (len(sizes) - 1)
    if sum(sizes) <= MOST_MARKS:
        assert counts == sizes


def test_many_failed_runs_have_some_ticks_and_the_card_says_how_many():
    failed = next(run for run in vision_runs(60) if run.state is State.FAILED)
    more = [replace(failed, id=number, number=number) for number in range(61, 261)]
    card = best_so_far(vision_spec(), [*vision_runs(60), *more])
    ticks = next(trace for trace in card.figure["data"] if trace.get("name", "").startswith("failed"))
    assert len(ticks["x"]) == FEWEST_MARKS
    count = sum(run.state is State.FAILED for run in vision_runs(60)) + len(more)
    assert f"{FEWEST_MARKS} of {count}" in " ".join(card.notes)


def test_of_more_runs_than_can_be_told_apart_the_best_and_the_latest_have_a_line():
    best = vision_runs(60)[0]
    runs = [replace(best, id=number, number=number) for number in range(1, MOST_LINES + 11)]
    values = {**best.values, "accuracy": Measurement(0.999), "size_mb": Measurement(0.001)}
    values["latency_ms"] = Measurement(1.0)
    runs[2] = replace(runs[2], values=values, state=State.COMPLETED)
    card = parameter_space(vision_spec(), runs)
    assert card.claim == f"the best and the latest, {MOST_LINES} of {MOST_LINES + 10} runs"
    assert card.figure["numbers"] == [3, *range(12, MOST_LINES + 11)]
    assert card.figure["classes"][0] == "best"
