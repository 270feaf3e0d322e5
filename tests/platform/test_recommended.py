"""The recommended point: the searcher's belief, the best run without one, and where it is shown."""

import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli.main import main
from heliostat.engine import is_noisy
from heliostat.trial import Prediction, Proposal


class Averaging:
    """Believes in the middle of what it has seen."""

    capabilities = frozenset()

    def suggest(self, spec, history, count, rng):
        return [Proposal({"x": float(rng.random())}) for _ in range(count)]

    def recommend(self, spec, history):
        if len(history.completed) < 2:
            return None
        xs = [run.assignments["x"] for run in history.completed]
        return Proposal({"x": sum(xs) / len(xs)}, why="the mean", predicted={"loss": Prediction(0.5, 0.1)})


def noisy(log_url, values, **more):
    experiment = hs.Experiment(
        "noisy",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss")],
        budget=9,
        searcher=more.pop("searcher", "sobol"),
        log=log_url,
    )
    for x, value in values:
        experiment.add({"x": x}, {"loss": value})
    return experiment


def test_the_best_run_stands_in_for_a_searcher_without_an_opinion(log_url):
    experiment = noisy(log_url, [])
    assert experiment.recommended() is None
    experiment.add({"x": 0.25}, {"loss": (2.0, 0.5)})
    experiment.add({"x": 0.75}, {"loss": (1.0, 0.5)})
    found = experiment.recommended()
    assert (found.assignments, found.why) == ({"x": 0.75}, "best observed: run 2")
    assert found.predicted == {"loss": Prediction(1.0, 0.5)}


def test_a_point_that_is_no_longer_in_the_space_is_not_recommended(log_url):
    experiment = hs.Experiment(
        "gone",
        parameters=[hs.Categorical("kind", ["a", "b", "c"])],
        metrics=[hs.minimize("loss")],
        searcher="sobol",
        log=log_url,
    )
    for loss, kind in enumerate("cab"):
        experiment.add({"kind": kind}, {"loss": float(loss)})
    experiment.update(parameters=[hs.Categorical("kind", ["a", "b"])])
    assert (experiment.best().assignments, experiment.recommended().assignments) == (
        {"kind": "c"},
        {"kind": "a"},
    )


def test_a_searcher_may_know_better(log_url):
    experiment = noisy(log_url, [(0.25, 1.0)])
    experiment.engine.use(Averaging())
    assert experiment.recommended().assignments == {"x": 0.25}
    experiment.add({"x": 0.75}, {"loss": 2.0})
    assert (experiment.recommended().assignments, experiment.best().number) == ({"x": 0.5}, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([(0.1, 1.0), (0.2, 2.0)], False),
        ([(0.1, 1.0), (0.1, 1.0)], False),
        ([(0.1, 1.0), (0.1, 1.1)], True),
        ([(0.1, (1.0, 0.0))], False),
        ([(0.1, (1.0, 0.3))], True),
    ],
    ids=str,
)
def test_noise_is_seen_in_standard_errors_and_repeats(log_url, values, expected):
    experiment = noisy(log_url, values)
    assert is_noisy(experiment.spec, experiment.runs()) is expected


def test_the_command_line_shows_it_beside_the_best_where_there_is_noise(log_url):
    quiet, loud = noisy(log_url, [(0.5, 1.0)]), noisy(log_url, [(0.5, (1.0, 0.25))])
    shown = [
        CliRunner().invoke(main, ["best", str(item.id), "--log", log_url]).output for item in (quiet, loud)
    ]
    assert "recommended" not in shown[0]
    assert "recommended: x=0.5 (best observed: run 1), loss 1 ± 0.25" in shown[1]


def test_the_report_shows_it_where_there_is_noise(log_url, tmp_path):
    quiet, loud = noisy(log_url, [(0.5, 1.0)]), noisy(log_url, [(0.5, (1.0, 0.25))])
    text = "Expected loss at the recommended point"
    shown = [item.report(tmp_path / "r.html").read_text(encoding="utf-8") for item in (quiet, loud)]
    assert (text in shown[0], text in shown[1]) == (False, True)
    assert "1 ± 0.25" in shown[1]
