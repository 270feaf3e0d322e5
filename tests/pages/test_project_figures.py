"""A project's figures: its metrics over time, by experiment."""

import math
from dataclasses import replace
from datetime import datetime

import pytest

from heliostat.pages.views.project_figures import MOST_GROUPS, MOST_METRICS, OTHERS, OUTSIDE, metric_cards
from heliostat.testing.synthetic import vision_runs
from heliostat.trial import Measurement, State

RUNS = [run for run in vision_runs(60) if run.state is State.COMPLETED]


def traces(card):
    return [trace for trace in card.figure["data"] if trace.get("meta") != "selected"]


def test_each_of_the_commonest_metrics_has_a_card_with_every_completed_run():
    cards = metric_cards(RUNS, {1: "cnn"})
    assert {card.title for card in cards} == {"accuracy", "size_mb", "latency_ms"}  # epochs are always 12
    for card in cards:
        (trace,) = traces(card)
        values = {run.id: run.numbers.get(card.title, math.nan) for run in RUNS}
        finite = {id: value for id, value in values.items() if math.isfinite(value)}
        assert dict(zip(trace["customdata"], trace["y"], strict=True)) == pytest.approx(finite, rel=1e-4)
        assert trace["name"] == "cnn (1)"
        ends = [datetime.fromisoformat(at).timestamp() for at in trace["x"]]
        assert max(ends) - min(ends) > 0


def test_experiments_and_runs_without_one_are_told_apart():
    loose = [replace(run, id=run.id + 1000, experiment=None) for run in RUNS[:5]]
    names = {trace["name"] for trace in traces(metric_cards([*RUNS, *loose], {1: "cnn"})[0])}
    assert names == {"cnn (1)", OUTSIDE}


def test_the_latest_experiments_have_colours_and_the_others_share_one():
    runs = [
        replace(RUNS[number], id=number, experiment=number, ended=1e9 + number)
        for number in range(1, MOST_GROUPS + 6)
    ]
    shown = traces(metric_cards(runs, {})[0])
    assert len(shown) == MOST_GROUPS + 1
    (rest,) = [trace for trace in shown if trace["name"] == OTHERS]
    assert sorted(rest["customdata"]) == [1, 2, 3, 4, 5]
    assert len({(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in shown}) == len(shown)


def test_without_a_completed_run_or_a_finite_value_there_is_none():
    assert metric_cards([], {}) == ()
    assert metric_cards([replace(run, state=State.FAILED) for run in RUNS], {}) == ()
    assert metric_cards([replace(RUNS[0], values={"loss": Measurement(math.nan)})], {}) == ()


def test_huge_values_and_many_metrics_are_drawn():
    values = [
        {f"m{place}": Measurement(side * 10.0 ** (60 * place)) for place in range(6)} for side in (1, 2)
    ]
    runs = [replace(run, values=values[run.id % 2]) for run in RUNS]
    cards = metric_cards(runs, {1: "x" * 500})
    assert len(cards) == MOST_METRICS
    assert all(len(traces(card)[0]["name"]) <= 40 for card in cards)
