"""Who may see and do what on the pages: strangers, guests, readers, tokens."""

import re

import pytest

from heliostat.testing.service import Caller

pytestmark = pytest.mark.browser

CONTROLS = (
    "form[data-call], [data-call], [data-share], [data-archive], form[data-tag], form[data-revise] button"
)


def test_strangers_are_asked_for_a_token_which_ends_in_a_cookie_that_scripts_cannot_read(chromium, site):
    where = f"/experiments/{site.experiment}/code"
    with site.page(chromium, where, None) as (page, _):
        page.fill("#token", "hs_wrong")
        page.click("text=Sign in >> nth=-1")
        page.wait_for_selector(".error")
        assert "valid token" in page.inner_text(".error")
        page.fill("#token", site.tokens["read"])
        page.click("button.main")
        page.wait_for_selector(".tabs [aria-current=page]")
        assert page.url.endswith(where)
        (cookie,) = page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert page.evaluate("document.cookie") == ""
        page.click("text=Sign out")
        page.wait_for_selector("#token")
        assert page.context.cookies() == []


def test_a_share_link_admits_a_guest_to_one_project(chromium, site):
    with site.page(chromium, "/projects/vision") as (page, _):
        page.click("[data-share]")
        link = page.input_value("input.link")
    with site.page(chromium, link.partition(site.host)[2], None, ready=False) as (page, watch):
        page.wait_for_url("**/projects/vision")
        page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        for inside in (f"/experiments/{site.experiment}", f"/runs/{site.runs[0]}"):
            page.goto(f"http://{site.host}{inside}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.locator(".trail a[href='/projects/vision']").count() == 1, inside
            assert page.locator(CONTROLS).count() == 0, inside
        assert not watch.errors
        for hidden in ("/runs", "/tokens", "/projects/default"):
            page.goto(f"http://{site.host}{hidden}")
            assert page.locator("[data-error]").count() == 1, hidden
        page.goto(f"http://{site.host}/")
        assert page.url.endswith("/projects/vision")


def test_a_share_link_admits_a_guest_to_one_experiment_and_no_control(chromium, site):
    where = f"/experiments/{site.experiment}"
    with site.page(chromium, f"{where}/code") as (page, _):
        page.click("[data-share]")
        link = page.input_value("input.link")
    with site.page(chromium, link.partition(site.host)[2], None, ready=False) as (page, watch):
        page.wait_for_url(f"**{where}")
        page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        assert "hs_" not in page.url
        assert not re.search(r"hs_[\w-]{20}", page.content())
        for tab in ("/suggestions", "/properties", "/code"):
            page.goto(f"http://{site.host}{where}{tab}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
            assert page.locator(CONTROLS).count() == 0, tab
        assert not watch.errors
        for hidden in ("/projects/vision", "/experiments/2", "/runs", "/tokens"):
            page.goto(f"http://{site.host}{hidden}")
            assert page.locator("[data-error]").count() == 1, hidden
        page.goto(f"http://{site.host}/")
        assert page.url.endswith(where)


def test_readers_see_no_control(chromium, site):
    with site.page(chromium, f"/runs/{site.runs[0]}", "read") as (page, watch):
        for path in (
            f"/experiments/{site.experiment}/properties",
            f"/experiments/{site.experiment}/suggestions",
            "/projects/vision",
        ):
            assert page.locator(CONTROLS).count() == 0
            page.goto(f"http://{site.host}{path}")
            page.wait_for_selector("body[data-ready]", timeout=90_000)
        assert page.locator(CONTROLS).count() == 0
        assert not watch.errors


def test_a_new_token_is_shown_once_and_revoked_again(chromium, site):
    with site.page(chromium, "/tokens", "admin") as (page, watch):
        page.fill("[name=name]", "for a colleague")
        page.click("[data-form=token] button")
        page.wait_for_selector("[data-secret]:not([hidden])")
        secret = page.inner_text("[data-secret] code")
        assert re.fullmatch(r"hs_[\w-]{40,}", secret)
        assert Caller(site.host, secret).call("GET", "/v1/tokens/self").status == 200
        page.locator("tr:has-text('for a colleague') >> text=Revoke").click()
        page.wait_for_selector("tr:has-text('for a colleague')", state="detached")
        assert Caller(site.host, secret).call("GET", "/v1/tokens/self").status == 403
        watch.check()
