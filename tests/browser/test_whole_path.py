"""From one command on real ratings, through every page, to a rating that changes a list: in a browser."""

import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

from ..unit.serve.test_commands import Running

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.jit,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (as root, make browser installs it)"
    ),
]


@pytest.fixture(scope="module")
def address(data, tmp_path_factory):
    """Where the service of real ratings is, started as anybody would."""
    folder = data("movietweetings-100k")
    running = Running(
        tmp_path_factory.mktemp("path"), folder / "ratings.dat", "--catalog", folder / "movies.dat"
    )
    try:
        running.wait()
        yield running.address
    finally:
        running.stop()


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def page(request, address):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(java_script_enabled=request.param).new_page()
        page.set_default_timeout(30_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.goto(address)
        yield page
        assert wrong == []
        browser.close()


def test_from_the_start_page_to_a_changed_list(page):
    assert page.locator("svg[role=img]").count() == 4
    item = page.locator("section", has_text="Items with the most ratings").locator("a").first
    title = item.inner_text()
    search = page.get_by_role("searchbox").first
    search.fill(title[:8])
    search.press("Enter")
    page.get_by_role("link", name=title, exact=True).first.click()
    assert page.locator("h1").inner_text() == title
    assert page.locator("section[aria-labelledby=similar] tbody tr").count() == 10

    page.locator("a[href^='/user?']").nth(4).click()  # somebody who liked it
    listed = page.locator("#recommendations .title").all_inner_texts()
    assert len(listed) == 10 and len(set(listed)) == 10
    page.locator("summary").first.click()
    page.locator("#recommendations").get_by_role("link", name="All of it").first.click()
    assert listed[0] in page.locator("h1").inner_text() and page.locator("tbody tr").count() >= 1
    page.go_back()

    if page.locator("#near-list td a").count():
        page.locator("#near-list td a").first.click()  # what both rated
        assert page.locator("tbody tr").count() >= 3
        page.go_back()

    page.locator("#recommendations input[name=rating]").first.fill("9")
    page.locator("#recommendations li button").first.click()
    page.locator("#history").get_by_role("link", name=listed[0], exact=True).wait_for()
    changed = page.locator("#recommendations .title").all_inner_texts()
    assert listed[0] not in changed and len(changed) == 10

    page.get_by_role("link", name="What if…").click()
    page.locator("select[name=drop]").select_option(index=1)
    page.get_by_role("button", name="Show").click()
    assert parse_qs(urlsplit(page.url).query)["drop"] and page.locator("#after").count() == 1
    page.go_back()
    page.go_back()
    page.get_by_role("link", name="Compare two models").click()
    assert page.locator("section tbody").count() == 2
