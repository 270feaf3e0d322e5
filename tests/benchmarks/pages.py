"""How fast the overview of an experiment opens, at 100, 1,000 and 10,000 runs, beside the peers' pages.

Ours, Optuna Dashboard's page of a study and MLflow's charts of an experiment, with the same runs. A fresh
browser opens the page when the server has just begun and has read nothing, and three times again. Measured
are the first contentful paint, the time of the last change inside a figure of a page that has its figures and
then leaves them for two seconds, by the browser's own clock, and the CPU time of the server meanwhile.

MLflow's charts show the ten newest runs of the hundred that it has loaded; the other two show all.

    python tests/benchmarks/pages.py            all sizes, three rounds, stored
    python tests/benchmarks/pages.py --quick    ours alone with 100 and 1,000 runs, one round
    python tests/benchmarks/pages.py --report   what is stored, beside the goals
"""

import itertools
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
from pages_peers import DRAWN, MLFLOW, OPTUNA, write_runs
from playwright.sync_api import sync_playwright
from stored_table import machine, run

from heliostat.registry import open_log
from heliostat.service.laptop import wait_until_ready
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import ARGUMENTS, executable
from heliostat.testing.populated import record_runs, without_injections
from heliostat.testing.service import make_token
from heliostat.testing.synthetic import vision_runs, vision_spec

SIZES = (100, 1_000, 10_000)
READY_GOAL = 2.0
"""Seconds until the page of 10,000 runs is ready once they have been read, on an idle machine."""

MOST = 600_000
"""Milliseconds that a page may take."""

VISITS = ("first", "again", "again", "again")
"""In a round, each by a fresh browser; a first paint varies by half of itself from visit to visit."""

SETTLED = 1_000
"""Milliseconds before a page is opened: the last one is taken down meanwhile, which is not to be measured."""

QUIET = 2_000
"""Milliseconds without a change after which a page is taken for finished."""

OURS_DRAWN = DRAWN
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
LAST_CHANGE = """
window.lastChange = 0;
const inFigure = (change) => change.target.closest?.(".js-plotly-plot");
new MutationObserver((changes) => { if (changes.some(inFigure)) window.lastChange = performance.now(); })
    .observe(document, {childList: true, subtree: true});
"""


def opened(context, url, process, figures, *, drawn=OURS_DRAWN, is_ours=True):
    """Seconds to first paint and to the last change of figures that then stay, and the server's CPU.

    Args:
        context: A browser without anything in its cache.
        url: Of the page.
        process: The server's process and its children are those whose CPU is counted.
        figures: How many the page draws at least.
        drawn: CSS of what a drawn figure has.
        is_ours: Whether the page says itself when its figures are drawn.
    """
    page = context.new_page()
    page.add_init_script(LAST_CHANGE)
    page.wait_for_timeout(SETTLED)
    used = cpu(process)
    page.goto(url, wait_until="commit", timeout=MOST)
    if is_ours:
        page.wait_for_selector("body[data-ready]", timeout=MOST, state="attached")
    enough = f"document.querySelectorAll({drawn!r}).length >= {figures}"
    deadline = time.monotonic() + MOST / 1000
    # Playwright's own way to wait needs the eval that our pages forbid.
    while not page.evaluate(f"{enough} && performance.now() - window.lastChange > {QUIET}"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} does not come to rest")
        page.wait_for_timeout(100)
    ready, paint = page.evaluate("window.lastChange"), page.evaluate(PAINT)
    page.close()
    return {"paint": paint / 1000, "ready": ready / 1000, "cpu": cpu(process) - used}


def cpu(process):
    """CPU seconds of a process and its children so far."""
    total = 0.0
    for member in [psutil.Process(process), *psutil.Process(process).children(recursive=True)]:
        times = member.cpu_times()
        total += times.user + times.system
    return total


class Ours:
    """Our own page, as the peers offer theirs."""

    name, drawn, figures = "heliostat", OURS_DRAWN, 4

    def fill(self, runs, store):
        """Put runs into a new log."""
        log = open_log(f"sqlite:///{store}")
        record_runs(log, vision_spec(budget=len(runs)), runs)
        log.close()
        store.with_suffix(".token").write_text(make_token(f"sqlite:///{store}", "read"))

    @contextmanager
    def serving(self, store):
        """A service of one process, as the peers' are."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = ["--port", str(port), "--no-ray", "--log", f"sqlite:///{store}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "heliostat.cli", "serve", *options], stdout=subprocess.DEVNULL
        )
        try:
            wait_until_ready("127.0.0.1", port)
            yield f"http://127.0.0.1:{port}/experiments/1", process.pid
        finally:
            process.terminate()
            process.wait()

    def cookies(self, store, url):
        """What opens the page."""
        token = store.with_suffix(".token").read_text()
        return [{"name": COOKIE, "value": token, "url": url.rsplit("/experiments", 1)[0]}]


def take(size, rounds, products):
    """A row for each product: the medians of one size, products in turn."""
    runs = without_injections(vision_runs(size))
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        write_runs(runs, folder / "runs.json")
        browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        stores = {}
        for product in products:
            place = folder / product.name.replace(" ", "-")
            place.mkdir()
            stores[product.name] = place / "runs.db"
            is_ours = isinstance(product, Ours)
            product.fill(runs if is_ours else folder / "runs.json", stores[product.name])
        taken = {product.name: {"first": [], "again": []} for product in products}
        for _ in range(rounds):
            for product in products:
                store, is_ours = stores[product.name], isinstance(product, Ours)
                with product.serving(store) as (url, process):
                    for visit in VISITS:
                        context = browser.new_context(viewport={"width": 1280, "height": 900})
                        if is_ours:
                            context.add_cookies(product.cookies(store, url))
                        row = opened(
                            context, url, process, product.figures, drawn=product.drawn, is_ours=is_ours
                        )
                        context.close()
                        taken[product.name][visit].append(row)
                        print(f"{size} {product.name} {visit}: {row}", file=sys.stderr, flush=True)
        browser.close()
    return [
        {"size": size, "product": name, **{visit: medians(rows) for visit, rows in found.items()}}
        for name, found in taken.items()
    ]


def medians(rows):
    """The median of each measure."""
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def show(result):
    """Print a result; whether the goals are met."""
    print(f"{'runs':>7}  {'':<17} {'visit':<6} {'paint s':>8} {'ready s':>8} {'CPU s':>7}  times ours")
    ours = {row["size"]: row for row in result["rows"] if row["product"] == Ours.name}
    for row in result["rows"]:
        for visit in ("first", "again"):
            found = row[visit]
            ratio = found["ready"] / ours[row["size"]][visit]["ready"]
            print(
                f"{row['size']:>7}  {row['product']:<17} {visit:<6} {found['paint']:>8.2f}"
                f" {found['ready']:>8.2f} {found['cpu']:>7.2f}  {ratio:.1f}"
            )
    goals = dict(judged(result["rows"], ours))
    for goal, is_met in goals.items():
        print(f"{'met   ' if is_met else 'MISSED'} {goal}")
    print(f"load of the machine while measuring: {result['load']} on {result['cores']} cores")
    return all(goals.values())


def judged(rows, ours):
    """Each goal, and whether it is met."""
    largest = ours.get(SIZES[-1])
    reached = largest is not None and largest["again"]["ready"] < READY_GOAL
    yield f"{SIZES[-1]} runs ready in {READY_GOAL:g} s once they have been read", reached
    for row in rows:
        if row["product"] == Ours.name:
            continue
        for visit, measure in itertools.product(("first", "again"), ("paint", "ready")):
            mine, theirs = ours[row["size"]][visit][measure], row[visit][measure]
            goal = (
                f"{row['size']} runs, {visit} visit, {measure}: {mine:.2f} s, {row['product']} {theirs:.2f} s"
            )
            yield goal, mine < theirs


def measured(quick):
    """All rows, as they are stored."""
    sizes, rounds, products = (SIZES[:2], 1, [Ours()]) if quick else (SIZES, 3, [Ours(), OPTUNA, MLFLOW])
    rows = [row for size in sizes for row in take(size, rounds, products)]
    return {"rounds": rounds, **machine("plotly", "fastapi", "playwright"), "rows": rows}


if __name__ == "__main__":
    sys.exit(run(__doc__, "pages", measured, show))
