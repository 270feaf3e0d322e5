from __future__ import annotations

import re
from dataclasses import replace

import pytest

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.notebook.experiments import experiment_html
from heliostat.testing.degenerate import CASES
from heliostat.testing.synthetic import INJECTION, single_spec, vision_runs
from heliostat.trial import LateMeasurement, Measurement, Run


@pytest.mark.parametrize("case", CASES)
def test_every_experiment_shows_itself_without_scripts(case):
    shown = experiment_html(*CASES[case]())
    assert shown.startswith("<p")
    assert "<script" not in shown
    assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", shown)


def test_an_experiment_of_the_log_shows_its_best_and_its_pictures(tmp_path):
    experiment = hs.Experiment(
        "bowl",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss"), hs.guardrail("load", at_most=2)],
        budget=4,
        searcher="sobol",
        log=tmp_path / "runs.db",
    )
    for run in experiment.loop():
        run.log_metrics({"loss": run["x"] ** 2, "load": run["x"]})
    shown = experiment._repr_html_()
    assert shown.count("<svg") == 2
    assert "Best loss within guardrails" in shown
    assert "run 1" in experiment.runs()[0]._repr_html_()


def test_a_run_shows_what_came_later_beside_what_was_measured():
    late = {"production": {"clicks": [LateMeasurement(0.1, 1.0), LateMeasurement(0.2, 2.0)]}}
    run = replace(vision_runs(1)[0], late=late, name=INJECTION)
    shown = run._repr_html_()
    assert 'clicks (production)</td><td style="text-align:left">0.2<' in shown
    assert INJECTION not in shown


def run_of(number, values, **assignments):
    measured = {name: Measurement(value) for name, value in values.items()}
    return Run(number=number, assignments=assignments, values=measured)


def test_a_comparison_tells_differences_first_and_distances_from_the_first_run():
    first = run_of(1, {"loss": 0.5}, rate=0.1, kind="a")
    second = run_of(2, {"loss": 0.25, "load": 3.0}, rate=0.2, kind="a")
    found = hs.compare([first, second])
    assert found.metrics == [("loss", "0.5", "0.25 (−0.25, −50.0%)"), ("load", "–", "3")]
    assert found.differing == [("rate", "0.1", "0.2")]
    assert ("kind", "a") in found.same
    assert str(found).splitlines()[0].split() == ["run", "1", "run", "2"]
    assert "the same: kind=a" in str(found)
    assert "<table>" in found._repr_html_()


def test_a_comparison_is_of_two_to_eight_runs():
    for count in (0, 1, 9):
        with pytest.raises(InvalidValue):
            hs.compare(vision_runs(count))
    assert len(hs.compare(vision_runs(8)).heads) == 8


def test_hostile_names_are_text():
    runs = [replace(run, assignments={INJECTION: INJECTION}) for run in vision_runs(2)]
    assert INJECTION not in hs.compare(runs)._repr_html_()
    assert INJECTION not in experiment_html(replace(single_spec(), name=INJECTION), vision_runs(3))
