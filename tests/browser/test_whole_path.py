"""From one command on real ratings, through every page, to a rating that changes a list: in a browser."""

import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

from ..unit.serve.test_commands import Running

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect  # looks again until it is so: a click returns before the next page is whole
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
        expect.set_options(timeout=30_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.goto(address)
        yield page
        assert wrong == []
        browser.close()


def test_from_the_start_page_to_a_changed_list(page):
    expect(page.locator("svg[role=img]")).to_have_count(4)
    item = page.locator("section", has_text="Items with the most ratings").locator("a").first
    title = item.inner_text()
    search = page.get_by_role("searchbox").first
    search.fill(title[:8])
    search.press("Enter")
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(page.locator("h1")).to_have_js_property("innerText", title)
    expect(page.locator("section[aria-labelledby=similar] tbody tr")).to_have_count(10)

    page.locator("a[href^='/user?']").nth(4).click()  # somebody who liked it
    titles = page.locator("#recommendations .title")
    expect(titles).to_have_count(10)
    listed = titles.all_inner_texts()
    assert len(set(listed)) == 10
    page.locator("summary").first.click()
    page.locator("#recommendations").get_by_role("link", name="All of it").first.click()
    expect(page.locator("h1")).to_contain_text(listed[0])
    expect(page.locator("tbody tr").first).to_be_visible()
    page.go_back()

    expect(titles).to_have_count(10)
    if page.locator("#near-list td a").count():
        page.locator("#near-list td a").first.click()  # what both rated
        expect(page.locator("tbody tr").nth(2)).to_be_visible()
        page.go_back()

    page.locator("#recommendations input[name=rating]").first.fill("9")
    page.locator("#recommendations li button").first.click()
    page.locator("#history").get_by_role("link", name=listed[0], exact=True).wait_for()
    expect(titles).to_have_count(10)
    assert listed[0] not in titles.all_inner_texts()

    page.get_by_role("link", name="What if…").click()
    page.locator("select[name=drop]").select_option(index=1)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#after")).to_have_count(1)
    assert parse_qs(urlsplit(page.url).query)["drop"]
    page.go_back()
    page.go_back()
    page.get_by_role("link", name="Compare two models").click()
    expect(page.locator("section tbody")).to_have_count(2)
