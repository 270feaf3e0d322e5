"""The questions of a release meeting, answered by the live pages on the sweep of an example."""

import contextlib
import runpy
from pathlib import Path

import pytest

from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import watched_page
from heliostat.testing.service import Caller, make_token, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "33_ready_for_production.py"


class Story:
    """The example's experiment, served."""

    def __init__(self, host, experiment, token):
        self.host, self.experiment, self.token = host, experiment, token
        self.best = experiment.best()

    @contextlib.contextmanager
    def page(self, browser, path):
        address = f"http://{self.host}{path}"
        with watched_page(
            browser,
            address,
            allowed=(f"http://{self.host}/",),
            cookies={COOKIE: self.token},
            ready=not path.startswith("/reports/"),
        ) as (page, watch):
            yield page
            watch.check()


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The example is run once, as a newcomer would run it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("story"))
        experiment = runpy.run_path(str(EXAMPLE))["experiment"]
    url = experiment.log.url
    with serving(ServiceSettings(log=url)) as host:
        yield Story(host, experiment, make_token(url, "write", user="ada"))


def rows(page, part):
    """The texts of the cells in each row of a part of the page."""
    found = page.locator(f"[data-part={part}] tbody tr").all()
    return [row.locator("th, td").all_text_contents() for row in found]


def test_which_data_which_model_which_loss(chromium, story):
    with story.page(chromium, f"/runs/{story.best.id}") as page:
        about = {row[0]: row[1] for row in rows(page, "about")}
        metrics = {(row[0], row[1]): row for row in rows(page, "metrics")}
    assert about["model"] == "XGBClassifier"
    assert about["dataset"].startswith("digits")
    shown = float(metrics["auc", "objective"][2])
    assert shown == pytest.approx(story.best.numbers["auc"], rel=1e-3)


def test_which_guardrails_and_what_they_rule_out(chromium, story):
    limits = {"size_kb": 150, "latency_ms": 10}
    beyond = [
        run
        for run in story.experiment.runs()
        if any(run.numbers[name] > most for name, most in limits.items())
    ]
    with story.page(chromium, f"/experiments/{story.experiment.id}") as page:
        states = page.locator(".states").inner_text()
        cards = page.locator("[data-cards]").first.inner_text()
    assert f"{len(beyond)} over a guardrail" in states
    assert "size_kb ≤ 150" in cards
    with story.page(chromium, f"/experiments/{story.experiment.id}/properties") as page:
        for name, most in limits.items():
            assert float(page.input_value(f"[data-metric={name}]")) == most
            assert page.input_value(f"[data-strategy={name}]") == "constraint"


def test_what_matters_for_the_auc_and_what_for_the_latency(chromium, story):
    with story.page(chromium, f"/experiments/{story.experiment.id}") as page:
        table = page.locator("[data-kind=importance] table, .importance table").first
        heads = table.locator("thead th").all_inner_texts()
        cells = {
            row.locator("th, td").first.inner_text(): row.locator("td").all_inner_texts()
            for row in table.locator("tbody tr").all()
        }
    assert {"learning_rate", "max_depth", "trees"} <= {name.split()[0] for name in cells}
    assert {"auc", "latency_ms", "size_kb"} <= {head.split()[0] for head in heads if head.strip()}
    words = {word for row in cells.values() for cell in row for word in ("High", "Low") if word in cell}
    assert words == {"High", "Low"}


def test_production_answers_later_beside_validation(chromium, story):
    with story.page(chromium, f"/runs/{story.best.id}") as page:
        metrics = {(row[0], row[1]): row for row in rows(page, "metrics")}
    assert float(metrics["click_through", "production"][2]) == 0.042
    assert float(metrics["latency_ms", "production"][2]) == 9
    validation = float(metrics["latency_ms", "guardrail"][2])
    assert validation == pytest.approx(story.best.numbers["latency_ms"], rel=1e-2)


def test_are_we_ready_for_production(chromium, story):
    at = f"/experiments/{story.experiment.id}/reports"
    with story.page(chromium, at) as page:
        page.fill("[data-form=freeze] [name=title]", "Ready?")
        page.select_option("[data-form=freeze] [name=kind]", "metrics")
        page.click("[data-form=freeze] button")
        page.wait_for_selector("[data-report] a")
        (report,) = Caller(story.host, story.token).ok("GET", f"/v1{at}")["data"]
    with story.page(chromium, f"/reports/{report['id']}") as page:
        text = page.inner_text("body")
    assert "ready" in text
    assert f"run {story.best.number}" in text
    assert "click_through" in text
    assert "production" in text
