"""What pages print, made of plain values."""

import dataclasses

import pytest

from heliostat.experiment import ExperimentSpec
from heliostat.pages.views.exports import as_csv
from heliostat.pages.views.figures import curve_cards, place_cards
from heliostat.pages.views.markdown import markdown
from heliostat.pages.views.samples import samples
from heliostat.pages.views.table import read_asked, table
from heliostat.pages.views.times import day, lasted
from heliostat.query import answer
from heliostat.report.comparison import comparison
from heliostat.testing.synthetic import INJECTION, vision_runs, vision_spec
from heliostat.trial import Measurement, Run, State


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a *b* **c** `d*e*`", "<p>a <em>b</em> <strong>c</strong> <code>d*e*</code></p>"),
        ("# one", "<h3>one</h3>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("> said", "<blockquote><p>said</p></blockquote>"),
        ("```\n<b>&\n```", "<pre><code>&lt;b&gt;&amp;</code></pre>"),
        (
            "[x](https://e.org/?a=1&b=2)",
            '<p><a href="https://e.org/?a=1&amp;b=2" rel="noopener noreferrer">x</a></p>',
        ),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](data:text/html;base64,PHM+)", "<p>[x](data:text/html;base64,PHM+)</p>"),
        (
            "![x](https://evil.example/x.png)",
            '<p>!<a href="https://evil.example/x.png" rel="noopener noreferrer">x</a></p>',
        ),
        ("snake_case_name 2 * 3 * 4", "<p>snake_case_name 2 * 3 * 4</p>"),
    ],
)
def test_markdown(text, html):
    assert markdown(text).replace("\n", "") == html


def test_markdown_shows_html_as_text():
    found = markdown(f'{INJECTION}\n\n**{INJECTION}**\n\n[{INJECTION}](https://e.org/"onmouseover="x)')
    assert "<script" not in found
    assert "<img" not in found
    assert '"onmouseover' not in found


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.25, "250 ms"), (5, "5 s"), (125, "2 min 5 s"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds, words):
    assert lasted(seconds) == words


def test_moments_are_utc():
    assert day(1_790_000_000) == "2026-09-21 14:13:20 UTC"


def asked(where="", **more):
    return read_asked({"where": where, **more}, more.pop("columns", ()))


def shown(question, runs, spec=None):
    return table(question, answer(question.query(), runs), spec)


def test_the_table_has_the_columns_of_its_runs():
    found = shown(asked(), vision_runs(20), vision_spec())
    names = [column.name for column in found.columns]
    assert names[:2] == ["number", "state"]
    assert "metrics.accuracy" in names
    assert "params.learning_rate" in names
    assert "tags" not in names  # none has one
    assert found.count == 20


def test_one_word_asks_for_a_state_and_a_condition_for_more():
    runs = vision_runs(40)
    failed = [run for run in runs if run.state is State.FAILED]
    assert shown(asked("failed"), runs).count == len(failed)
    assert shown(asked("state = failed and params.width > 0"), runs).count == len(failed)


def test_a_brush_is_a_range_or_a_set():
    runs = vision_runs(40)
    found = shown(asked(brush='{"params.width": [20, 100], "params.activation": ["relu", "silu"]}'), runs)
    kept = [
        run
        for run in runs
        if 20 <= run.assignments["width"] <= 100 and run.assignments["activation"] != "gelu"
    ]
    assert found.count == len(kept)


def test_an_address_says_only_what_is_unusual():
    assert asked().facts() == {}
    assert asked("failed", sort="metrics.x", ascending="1").facts(where="") == {
        "sort": "metrics.x",
        "ascending": "1",
    }


def test_csv_runs_nothing_in_a_spreadsheet():
    run = Run(id=1, name="=1+1", values={"loss": Measurement(-0.5)})
    question = read_asked({}, ["name", "metrics.loss"])
    assert as_csv(shown(question, [run]), [run]).splitlines()[1] == "1,'=1+1,-0.5"


def test_a_comparison_begins_with_what_differs():
    runs = [
        Run(id=1, number=1, assignments={"same": 1, "other": 1}, values={"accuracy": Measurement(0.5)}),
        Run(id=2, number=2, assignments={"same": 1, "other": 3}, values={"accuracy": Measurement(0.75)}),
    ]
    found = comparison(runs, {1: vision_spec()})
    assert [row.name for row in found.parameters] == ["other", "same"]
    assert found.metrics[0].deltas == ("", "+0.25, +50.0%")
    assert found.metrics[0].tones == ("", "good")
    assert not found.parameters[1].differs


def test_a_run_stands_among_the_others():
    runs = vision_runs(40)
    cards = place_cards(runs[0], [run for run in runs[1:] if run.state is State.COMPLETED])
    titles = {card.title: card for card in cards}
    assert "epochs_used" not in titles  # all runs have the same
    assert "others" in titles["accuracy"].claim


def test_curves_lie_over_each_other():
    cards = curve_cards(vision_runs(3))
    assert [card.title for card in cards] == ["accuracy", "loss"]
    assert [trace["name"] for trace in cards[0].figure["data"]] == ["run 1", "run 2", "run 3"]
    assert curve_cards([Run(id=1)]) == ()


def test_samples_are_python_that_compiles():
    spec: ExperimentSpec = dataclasses.replace(vision_spec(), name=INJECTION)
    found = {sample.key: sample.code for sample in samples(7, spec, "http://host")}
    for key in ("python", "loop", "tune"):
        compile(found[key], key, "exec")
    assert "http://host/v1/experiments/7/ask" in found["curl"]
