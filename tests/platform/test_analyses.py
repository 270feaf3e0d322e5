from __future__ import annotations

import json
from dataclasses import replace

import pytest

from heliostat.engine import surrogate_of
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec, Task
from heliostat.figures import (
    analyses,
    convergence_evidence,
    coverage,
    distinct_optima,
    failure_map,
    guardrails,
    histogram,
    pareto_3d,
    task_mix,
    timeline,
    training_curves,
    transfer_benefit,
)
from heliostat.figures.theme import DARK
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.space import Double, Space
from heliostat.testing.degenerate import CASES
from heliostat.testing.synthetic import vision_runs, vision_spec
from heliostat.trial import Checkpoint, Measurement, Run, State


def named(card, name):
    return next(trace for trace in card.figure["data"] if trace.get("name") == name)


def plane(metrics, **fields):
    space = Space((Double("x", 0, 1), Double("y", 0, 1)))
    return ExperimentSpec(name="plane", space=space, metrics=Metrics(metrics), budget=100, **fields)


def done(number, x, y, *, state=State.COMPLETED, **values):
    measured = {name: Measurement(value) for name, value in values.items()}
    assignments = {"x": x, "y": y}
    return Run(id=number, number=number, state=state, assignments=assignments, values=measured)


@pytest.mark.parametrize("case", CASES)
def test_every_card_has_a_figure_or_says_what_would_make_it_appear(case):
    spec, runs = CASES[case]()
    cards = analyses(spec, runs, surrogate=surrogate_of(spec, runs))
    assert len({card.key for card in cards}) == len(cards) >= 14
    for card in cards:
        assert (card.figure is None) == bool(card.absent)
        if card.figure is None:
            assert "appear" in card.absent, card.key
            continue
        assert card.how_to_read.endswith("."), card.key
        assert json.loads(json.dumps(card.figure, allow_nan=False)) == card.figure
        has_legend = card.figure["layout"].get("showlegend", True)
        legend = [trace for trace in card.figure["data"] if has_legend and trace.get("showlegend", True)]
        assert len(legend) <= 4, card.key
        used = {f"#{part[:6]}" for part in json.dumps(card.figure).split('"#')[1:]}
        assert used <= set(DARK), card.key


def test_the_distribution_counts_each_completed_run_once_and_points_one_out():
    card = histogram(vision_spec(), vision_runs(60), "accuracy", number=1)
    steps = named(card, "over guardrail")
    assert sum(steps["y"][1:-1:2]) == 39
    assert max(named(card, "feasible")["y"]) <= max(steps["y"])
    assert card.figure["layout"]["shapes"][-1]["x0"] == pytest.approx(
        vision_runs(1)[0].numbers["accuracy"], rel=1e-5
    )
    assert "amber" in card.how_to_read


def test_a_guardrail_is_a_line_that_some_runs_cross():
    (card,) = guardrails(vision_spec(), vision_runs(60))
    assert all(value <= 20 for value in named(card, "keeps it")["y"])
    assert all(value > 20 for value in named(card, "misses it")["y"])
    assert {shape["type"] for shape in card.figure["layout"]["shapes"]} == {"line", "rect"}
    assert card.claim == "latency_ms ≤ 20 is kept by 27 of 39 completed runs"


def test_the_failure_map_finds_the_region_where_runs_fail():
    spec = plane((minimize("loss"),))
    runs = [
        done(n, (7 * n % 40) / 40, (n % 9) / 9, loss=1.0)
        if n % 9 < 6
        else done(n, (7 * n % 40) / 40, (n % 9) / 9, state=State.FAILED)
        for n in range(1, 41)
    ]
    card = failure_map(spec, runs)
    assert "have y ≥ 0.667, where 0 good ones lie" in card.claim
    assert card.figure["layout"]["xaxis"]["title"]["text"] == "y"
    assert all(value >= 6 / 9 - 1e-6 for value in named(card, "failed")["x"])


def test_bad_ends_without_a_pattern_are_called_so():
    spec = plane((minimize("loss"),))
    runs = [done(n, (n % 7) / 7, (n % 5) / 5, loss=1.0) for n in range(1, 140)]
    runs = [replace(run, state=State.FAILED) if run.number % 11 == 0 else run for run in runs]
    assert failure_map(spec, runs).claim.endswith("in no particular region")


def test_the_timeline_needs_as_many_lanes_as_ran_at_once():
    spec = plane((minimize("loss"),))
    spans = [(0, 10), (0, 4), (5, 9), (10, 12)]
    runs = [
        replace(done(n, 0, 0, loss=1.0), started=1000.0 + start, ended=1000.0 + end)
        for n, (start, end) in enumerate(spans, start=1)
    ]
    card = timeline(spec, runs)
    assert card.claim.startswith("2 at once at most, 83 % busy, 12 seconds")
    assert named(card, "completed")["customdata"][::4] == [1, 2, 3, 4]
    assert named(card, "completed")["y"][::4] == [1, 2, 2, 2]


def test_three_metrics_get_a_plane_at_each_limit():
    card = pareto_3d(vision_spec(), vision_runs(60))
    planes = [trace for trace in card.figure["data"] if trace["type"] == "mesh3d"]
    assert [plane["z"] for plane in planes] == [[20, 20, 20, 20]]
    assert named(card, "Pareto front")["z"]
    assert pareto_3d(plane((minimize("loss"),)), []).absent.startswith("Only 1 metric steers here.")


def test_convergence_shows_the_patience_after_the_last_gain():
    spec = plane((minimize("loss"),))
    runs = [done(n, n / 40, n / 40, loss=max(10 - n, 3) * 1.0) for n in range(1, 40)]
    card = convergence_evidence(spec, runs)
    (band,) = card.figure["layout"]["shapes"]
    assert band["x0"] == 7
    assert band["x1"] == 21
    assert card.claim.startswith("converged")


def test_coverage_counts_places_that_are_far_apart():
    spec = plane((guardrail("load", at_most=1),))
    places = [(0.1, 0.1), (0.11, 0.1), (0.9, 0.9), (0.9, 0.1), (0.5, 0.5)]
    runs = [done(n, x, y, load=2.0 if n == 5 else 0.5) for n, (x, y) in enumerate(places, start=1)]
    card = coverage(spec, runs, [])
    assert card.claim == "3 different places among 4 satisfactory runs"
    assert named(card, "a new place")["customdata"] == [1, 3, 4]


def test_distinct_optima_are_numbered_from_the_best():
    spec = plane((minimize("loss"),), num_solutions=2)
    runs = [done(1, 0.1, 0.1, loss=2.0), done(2, 0.9, 0.9, loss=1.0), done(3, 0.91, 0.9, loss=1.5)]
    card = distinct_optima(spec, runs, [])
    assert card.claim == "2 of 2 solutions, loss 1, 2"
    assert named(card, "solution")["text"] == ["1", "2"]
    assert named(card, "solution")["customdata"] == [2, 1]


def test_the_task_mix_is_told_by_cost():
    spec = plane((minimize("loss"),), tasks=(Task("quick", 0.1), Task("full", 1.0)))
    runs = [replace(done(n, 0, 0, loss=1.0), task="full" if n > 10 else "quick") for n in range(1, 12)]
    card = task_mix(spec, runs)
    assert card.claim == "of the cost, 50 % on full, 50 % on quick"
    assert sum(named(card, "quick (cost 0.1)")["y"]) == 10


def test_transfer_says_when_the_sources_were_overtaken():
    spec = plane((minimize("loss"),), transfer=(7,))
    sources = [replace(done(n, 0, 0, loss=20.0 - n), experiment=7) for n in range(1, 11)]
    runs = [done(n, 0, 0, loss=12.0 - n) for n in range(1, 6)]
    card = transfer_benefit(spec, runs, sources)
    assert card.claim == "the sources' best, 10, is reached after 2 runs; they took up to 10"
    assert named(card, "experiment 7")["y"][-1] == 10


def bowl(count):
    """A guarded bowl: x matters for the loss, y for the load, z for nothing."""
    space = Space((Double("x", 0, 1), Double("y", 0, 1), Double("z", 0, 1)))
    metrics = Metrics((minimize("loss"), guardrail("load", at_most=0.5)))
    spec = ExperimentSpec(name="bowl", space=space, metrics=metrics, budget=100)
    runs = []
    for number in range(1, count + 1):
        x, y, z = ((number * step) % 1 for step in (0.618034, 0.7548777, 0.5698403))
        numbers = {"loss": (x - 0.3) ** 2 + 0.02 * y, "load": y**2}
        values = {name: Measurement(value) for name, value in numbers.items()}
        given = {"x": x, "y": y, "z": z}
        runs.append(Run(id=number, number=number, state=State.COMPLETED, assignments=given, values=values))
    return spec, runs


@pytest.fixture(scope="module")
def modelled():
    spec, runs = bowl(30)
    return {card.key: card for card in analyses(spec, runs, surrogate=surrogate_of(spec, runs))}


def test_sensitivity_tells_which_parameter_matters_for_which_metric(modelled):
    card = modelled["sensitivity"]
    names = card.figure["layout"]["yaxis"]["ticktext"]
    loss, load = (dict(zip(names, named(card, metric)["x"], strict=True)) for metric in ("loss", "load"))
    assert loss["x"] > 0.9
    assert load["y"] > 0.9
    assert load["x"] < 0.1
    assert card.notes == ("1 parameter explains under 1 % of every metric.",)
    assert "z" not in names
    assert named(card, "load")["text"][names.index("y")].endswith("↑")


def test_slices_go_through_the_best_run_and_show_the_limit(modelled):
    loss, load = modelled["slices"], modelled["slices-2"]
    line = next(trace for trace in loss.figure["data"] if trace["name"] == "expected")
    lowest = line["x"][line["y"].index(min(line["y"]))]
    assert lowest == pytest.approx(0.3, abs=0.05)
    assert "around run" in loss.claim
    assert load.claim.startswith("load ≤ 0.5")
    dashes = [shape.get("line", {}).get("dash") for shape in load.figure["layout"]["shapes"]]
    assert "dash" in dashes


def test_the_contour_draws_where_the_limit_is_expected(modelled):
    card = modelled["contour"]
    edge = named(card, "load 0.5")
    assert edge["contours"]["start"] == edge["contours"]["end"] == 0.5
    assert "edge of load ≤ 0.5" in card.how_to_read


def test_cross_validation_believes_a_smooth_bowl(modelled):
    card = modelled["cross-validation"]
    assert card.claim.startswith("loss: yes (R² ")
    assert len(named(card, "runs")["x"]) == 30
    assert named(card, "runs")["customdata"] == list(range(1, 31))


def test_a_searcher_without_a_model_is_shown_by_the_default_one():
    spec, runs = bowl(20)
    assert surrogate_of(replace(spec, searcher="random"), runs) is not None
    assert surrogate_of(spec, runs[:2]) is None


def trained(number, start, *values):
    """A run that reports every two seconds."""
    curve = tuple(
        Checkpoint(step, {"loss": value}, start + 2.0 * step) for step, value in enumerate(values, start=1)
    )
    return replace(done(number, 0, 0, loss=values[-1]), started=start, curve=curve)


def test_curves_run_over_steps_or_time_and_can_be_smoothed():
    spec = plane((minimize("loss"),))
    runs = [trained(1, 100.0, 4.0, 2.0, 1.0), trained(2, 110.0, 8.0, 4.0, 2.0)]
    by_time = training_curves(spec, runs, by="relative")
    assert named(by_time, "best")["x"][:3] == named(by_time, "runs")["x"][:3] == [2, 4, 6]
    assert named(training_curves(spec, runs, by="wall"), "runs")["x"][:3] == [12, 14, 16]
    smooth = named(training_curves(spec, runs, smoothing=0.5), "best")["y"][:3]
    assert smooth == pytest.approx([4, 8 / 3, 12 / 7], rel=1e-5)
    for wrong in ({"by": "epoch"}, {"smoothing": 1.0}):
        with pytest.raises(InvalidValue):
            training_curves(spec, runs, **wrong)
