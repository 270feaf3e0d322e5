"""The README's picture, from a report: ``python docs/screenshot.py heliostat-1.html docs/overview.png``."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from heliostat.testing.browser import ARGUMENTS, executable


def main() -> None:
    """Open the report in headless Chromium and keep the part above the table."""
    page_file, picture = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 1500}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.wait_for_selector("body[data-ready]", timeout=60_000)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
