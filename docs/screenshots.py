"""A picture of every page, light and dark: ``python docs/screenshots.py FOLDER [NAME …]``."""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from heliostat.ports import RunLog
from heliostat.registry import open_log
from heliostat.reports import freeze
from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import ARGUMENTS, executable, watched_page
from heliostat.testing.populated import attach, record_runs, without_injections
from heliostat.testing.service import make_token, serving
from heliostat.testing.synthetic import single_spec, vision_runs, vision_spec
from heliostat.trial import Run
from heliostat.writes import AddNote, CreateRun, CreateSuggestion, StartRun

PAGES = {
    "home": "/",
    "project": "/projects/vision",
    "overview": "/experiments/2",
    "runs": "/experiments/2/runs?where=state+%3D+completed&sort=metrics.accuracy&selected={run},{other}",
    "analysis": "/experiments/2/analysis",
    "suggestions": "/experiments/2/suggestions",
    "reports": "/experiments/2/reports",
    "properties": "/experiments/2/properties",
    "code": "/experiments/2/code",
    "run": "/runs/{run}",
    "failure": "/runs/{failed}",
    "compare": "/compare?runs={run},{other},{third}",
    "tokens": "/tokens",
    "missing": "/experiments/99",
    "sign-in": "/sign-in",
}
SHOWN = "for (const card of document.querySelectorAll('.card')) card.style.contentVisibility = 'visible'"
"""A browser skips the inside of cards that are out of sight, and so would a picture of the whole page."""

NOTES = "Find a network of at most **20 ms**.\n\n- `width` matters for all three metrics\n- next: more data"


def main() -> None:
    """Fill a log, serve it, take the pictures."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(PAGES)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        url = f"sqlite:///{place}/runs.db"
        log = open_log(url)
        ids = filled(log)
        log.close()
        token = make_token(url, "admin", user="ada")
        with serving(ServiceSettings(log=url)) as host, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
            for name in names:
                take(browser, f"http://{host}{PAGES[name].format(**ids)}", token, folder / name)
            browser.close()


def filled(log: RunLog) -> dict[str, int]:
    """A sweep that is done and one that runs, with all that a page can show; identities for addresses."""
    now = time.time()
    record_runs(log, single_spec(), moved(vision_runs(40, seed=1), now - 86_400))
    experiment, runs = record_runs(log, vision_spec(), moved(vision_runs(60), now))
    attach(
        log, runs[0], time=now, text="".join(f"epoch {n} accuracy {0.5 + n / 40:.3f}\n" for n in range(1, 13))
    )
    log.apply(AddNote("vision", NOTES, time=now, user="ada"))
    point = {"optimizer": "adam", "learning_rate": 0.002, "width": 128, "dropout": 0.1, "activation": "silu"}
    log.apply(CreateSuggestion(experiment, point, time=now, state="queued", origin="user", why="worth a try"))
    made = log.apply(
        CreateRun(experiment, point, time=now, searcher="bayesian", why="expected improvement 0.01")
    )
    log.apply(StartRun(made.run or 0, time=now))
    freeze(log, experiment, kind="metrics", title="Ready to ship?", comment="For Monday.", user="ada")
    return {"run": runs[0], "other": runs[4], "third": runs[8], "failed": runs[3]}


def moved(runs: list[Run], end: float) -> list[Run]:
    """Harmless runs, the last of which has just ended."""
    away = end - (runs[-1].ended or 0.0)
    return [
        replace(
            run,
            created=run.created + away,
            started=(run.started or 0.0) + away,
            ended=(run.ended or 0.0) + away,
        )
        for run in without_injections(runs)
    ]


def take(browser: Browser, url: str, token: str, path: Path) -> None:
    """One page in both themes, and as a phone shows it."""
    cookies = {} if path.name == "sign-in" else {COOKIE: token}
    for scheme, width in (("light", 1280), ("dark", 1280), ("phone", 390)):
        theme = "dark" if scheme == "dark" else "light"
        with watched_page(browser, url, scheme=theme, width=width, cookies=cookies) as (page, _):  # type: ignore[arg-type]
            page.evaluate(SHOWN)
            page.screenshot(path=f"{path}-{scheme}.png", full_page=True)


if __name__ == "__main__":
    main()
