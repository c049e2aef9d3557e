"""The pages in a browser: what a person sees and does, with scripts and without, on a phone and with keys."""

import json
import shutil

import pytest

import corated as cr
from corated.live.store import Item
from corated.serve.modeling import build_model
from corated.serve.pages.exploring import Change, whatif_view
from corated.serve.service import Service
from corated.serve.settings import Settings

from ..services import listening

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect  # looks again until it is so: a click returns before the next page is whole
pytestmark = [
    pytest.mark.jit,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (as root, make browser installs it)"
    ),
]
HOSTILE = [
    '"><script>window.pwned = 1</script>',
    '<img src=x onerror="window.pwned = 1">',
    "' onmouseover='window.pwned = 1",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }}{% raw %}",
    "</title></svg><svg onload=window.pwned=1>",
    "\u202eright to left\u202c and \u2066isolated",
    ("推薦 endless " * 700).strip(),
    "W" * 10_240,
    "&lt;b&gt; &amp; =1+1",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A service on loopback; ids and titles are as bad as they can be."""
    made = cr.sample(users=40, items=30, ratings=600, seed=4)
    settings = Settings(measure="jaccard", k=20, min_common=1, refit_seconds=0.0, port=0)
    folder = tmp_path_factory.mktemp("pages")
    kinds = {"user_ids": "text", "item_ids": "text", "restart": False, "threads": 1}
    embedded = cr.open(folder / "a.db", model=build_model(settings), scale=(1, 10, 1), **kinds)
    users = {id: f"u{at}" for at, id in enumerate(made.ratings.users)}
    items = {id: f"i{at}" for at, id in enumerate(made.ratings.items)}
    users[made.ratings.users.id(0)], items[made.ratings.items.id(0)] = "ann/<b>&%2F é", "a?b#c&d=<i>"
    rows = made.ratings.to_arrow().to_pylist()
    embedded.write([(users[row["user_id"]], items[row["item_id"]], row["rating"]) for row in rows])
    titles = [*HOSTILE, *(f"Title {at}" for at in range(len(items) - len(HOSTILE)))]
    named = zip(items.values(), titles, strict=True)
    embedded.put_items([Item(id, title, 1990, ("<i>Genre</i>", "Drama")) for id, title in named])
    with listening(embedded, settings) as address:
        yield address, embedded
    embedded.close()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, served):
    """A function from a path to a page that is open there; nothing must go wrong in it till the end."""
    contexts, wrong = [], []

    def make(path="/", width=1200, height=900, scripts=True, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=scripts, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: asked.url.startswith(served[0]) or wrong.append(asked.url))
        page.goto(served[0] + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


PATHS = (
    *(
        "/",
        "/find?q=title",
        "/find?q=nothing-goes-by-this",
        "/user?id=u3",
        "/user?id=ann%2F%3Cb%3E%26%252F%20%C3%A9",
    ),
    *("/item?id=i5", "/item?id=a%3Fb%23c%26d%3D%3Ci%3E", "/pair?a=u3&b=u4", "/pair?of=items&a=i4&b=i5"),
    *("/why?user=u3&item=i5", "/whatif?id=u3&k=3", "/compare?id=u3&b=notebook", "/compare", "/docs"),
)


# -- looking ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_can_be_read(open_page, served, width, scheme):
    page = open_page("/compare", width=width, scheme=scheme)
    for path in PATHS:
        page.goto(served[0] + path)
        assert page.locator("h1").count() == 1, path
        found = page.evaluate("""() => {
          const wide = document.documentElement.scrollWidth;
          const inside = one => one.closest(".wide, pre, .hidden, .skip, desc, title, thead, select");
          const out = [...document.querySelectorAll("body *")].filter(one => !inside(one)
            && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80));
          const style = getComputedStyle(document.body);
          return {wide, out, ink: style.color, paper: style.backgroundColor,
                  letters: parseFloat(style.fontSize), pwned: window.pwned === undefined};
        }""")
        assert found["wide"] <= width and found["out"] == [], (path, found)
        dark = (("rgb(232, 234, 237)", "rgb(21, 24, 28)"), ("rgb(27, 31, 36)", "rgb(255, 255, 255)"))
        assert (found["ink"], found["paper"]) == dark[scheme == "light"]
        assert found["letters"] >= 16 and found["pwned"], path


def test_every_page_can_be_used_without_seeing_it(open_page, served):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    for scheme in ("light", "dark"):
        page = open_page("/compare", scheme=scheme)
        for path in PATHS:
            page.goto(served[0] + path)
            found = axe.run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found] == [], (path, scheme)


def test_titles_and_ids_are_text_and_nothing_else(open_page, served):
    page = open_page("/find?q=")
    for title in HOSTILE:
        page.goto(served[0] + "/find")
        page.locator("main input[name=q]").fill(title[:60])
        page.get_by_role("button", name="Find").last.click()
        link = page.locator("#found a").first
        expect(link).to_have_js_property("innerText", title)
        link.click()
        expect(page.locator("h1")).to_have_js_property("innerText", title)
        assert page.locator("main i, main b:not(.facts b, figcaption b), main img, main script").count() == 0
    assert page.evaluate("window.pwned === undefined")
    addresses = page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    assert addresses and all(address.startswith(("/", "#")) for address in addresses)


def test_pictures_are_drawn_and_told(open_page):
    page = open_page("/")
    pictures = page.locator("svg[role=img]")
    assert pictures.count() == 4
    for at in range(4):
        box = pictures.nth(at).bounding_box()
        assert box["height"] > 100 and pictures.nth(at).locator("rect.bar").count() >= 1
        assert "ratings" in pictures.nth(at).locator("desc").text_content().lower()
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(set(ids)) == len(ids)


def test_what_is_shown_is_what_its_json_says(open_page, served):
    page = open_page("/user?id=u3&n=5")
    json_address = page.locator("link[rel=alternate]").get_attribute("href")
    shown = page.locator("#recommendations .title").all_inner_texts()
    assert json_address == "/user.json?id=u3&n=5"
    found = json.loads(page.request.get(served[0] + json_address).text())
    assert shown == [row["title"] for row in found["recommendations"]]
    expected = served[1].recommend("u3", n=5).to_pylist()
    assert [row["item_id"] for row in found["recommendations"]] == [row["item_id"] for row in expected]
    for row in found["recommendations"]:
        assert row["why"]["sentence"] in page.locator("#recommendations").inner_text()


# -- doing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_rating_an_item_changes_the_list_at_once(open_page, served, scripts):
    user = "u7" if scripts else "u8"
    page = open_page(f"/user?id={user}&n=5", scripts=scripts)
    first = page.locator("#recommendations .title").first.inner_text()
    address = page.url
    page.locator("#recommendations input[name=rating]").first.fill("9")
    page.locator("#recommendations li button").first.click()
    page.locator("#history tbody").get_by_role("link", name=first, exact=True).wait_for()
    assert first not in page.locator("#recommendations .title").all_inner_texts()
    if scripts:
        assert page.url == address  # no new page
    assert 9.0 in served[1].profile(user).values()
    taken = page.locator("#history tr", has=page.get_by_role("link", name=first, exact=True)).locator(
        "button"
    )
    taken.click()
    page.locator("#recommendations").get_by_role("link", name=first, exact=True).wait_for()


def test_it_finds_while_one_types(open_page):
    page = open_page("/")
    page.locator("main input[name=q]").press_sequentially("title 1", delay=20)
    page.locator("#found").get_by_role("link", name="Title 1", exact=True).wait_for()
    expect(page.locator("#found a")).to_have_count(11)  # and 10 to 19
    page.locator("main input[name=q]").fill("u3")
    page.locator("#found").get_by_role("link", name="user u3", exact=True).click()
    expect(page.locator("h1")).to_have_js_property("innerText", "User u3")


def test_the_plain_form_finds_too(open_page):
    page = open_page("/", scripts=False)
    page.get_by_role("searchbox").first.fill("title 1")
    page.get_by_role("searchbox").first.press("Enter")
    expect(page.locator("#found a").nth(10)).to_be_visible()
    assert page.url.endswith("/find?q=title+1")


def test_a_neighbor_leads_to_what_both_rated(open_page, served):
    page = open_page("/user?id=u3&measure=msd&k=3&min_common=2")
    rows = served[1].neighbors("u3", measure="msd", k=3, min_common=2).to_pylist()
    assert page.locator("#near-list tbody tr").count() == 3
    page.locator("#near-list td a").first.click()
    expect(page.locator("h1")).to_contain_text(rows[0]["neighbor"])
    expect(page.locator("tbody tr")).to_have_count(rows[0]["n_common"])


def test_what_if_shows_both_lists_and_what_changed(open_page, served):
    page = open_page("/whatif?id=u3")
    lists = [page.locator(f"section[aria-labelledby={id}] a").all_inner_texts() for id in ("before", "after")]
    assert lists[0] == lists[1] and len(lists[0]) == 10 and page.locator(".new, .gone").count() == 0
    page.locator("select[name=measure]").select_option("pearson")
    page.locator("input[name=k]").fill("2")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".new").first).to_be_visible()
    assert "measure=pearson" in page.url and "k=2" in page.url
    model = build_model(Settings(measure="pearson", k=2, min_common=1)).fit(served[1].index.ratings())
    expected = [row["item_id"] for row in model.recommend(["u3"], n=10)]
    found = json.loads(page.request.get(page.url.replace("/whatif?", "/whatif.json?")).text())
    assert [row["item_id"] for row in found["after"]] == expected
    assert page.locator(".new").count() == sum(row["other_rank"] is None for row in found["after"]) > 0


def test_what_if_leaves_a_rating_out(open_page, served):
    address = served[0] + "/whatif.json?id=u3&drop="
    item = next(iter(served[1].profile("u3")))
    page = open_page("/whatif?id=u3")
    found = json.loads(page.request.get(address + item).text())
    left = {id: rating for id, rating in served[1].profile("u3").items() if id != item}
    model = served[1].index.fitted()
    expected = model.recommend(history=left, user_id="u3", n=10, exclude=[item]).to_pylist()
    assert [row["item_id"] for row in found["after"]] == [row["item_id"] for row in expected]
    assert found["drop"] == [item]


def test_a_rating_left_out_leaves_the_others_of_their_time(tmp_path):
    made = cr.sample(users=30, items=25, ratings=300, seed=6)
    model = cr.Timely(half_life=100.0)
    with cr.open(tmp_path / "a.db", model=model, restart=False, threads=1) as embedded:
        embedded.import_(made.ratings)
        service = Service(embedded, Settings(refit_seconds=0.0))
        user = made.ratings.users.id(4)
        gone = list(embedded.profile(user))[1]
        found = whatif_view(service, user, 10, Change([gone]))
        embedded.remove(user, gone)
        rows = embedded.recommend(user, n=10, exclude=[gone]).to_pylist()
        expected = [(row["item_id"], row["score"]) for row in rows]
        assert [(row["item_id"], row["score"]) for row in found["after"]] == expected
        assert found["drop"] == [gone] and not found["is_near"]


def test_two_models_side_by_side(open_page, served):
    page = open_page("/compare")
    page.locator("input[name=id]").fill("u3")
    page.locator("select[name=b]").select_option("lenskit-item")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("section").nth(1).locator("tbody tr")).not_to_have_count(0)
    found = json.loads(page.request.get(page.url.replace("/compare?", "/compare.json?")).text())
    model = cr.preset("lenskit-item").fit(served[1].index.ratings())
    assert [row["item_id"] for row in found["after"]] == [
        row["item_id"] for row in model.recommend(["u3"], n=10)
    ]
    assert page.locator("section").nth(1).locator("tbody tr").count() == len(found["after"])


def test_it_goes_by_keys_alone(open_page):
    page = open_page("/user?id=u3")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # seen when it is reached
    page.keyboard.press("Enter")
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.tagName"))
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px", seen
    assert {"A", "INPUT", "BUTTON", "SUMMARY"} <= set(seen)
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open] table").count() == 1


def test_what_goes_wrong_is_a_page_with_a_next_step(browser, served):
    page = browser.new_page()
    answer = page.goto(served[0] + "/user?id=nobody")
    assert answer.status == 404 and "no user" in page.locator("main").inner_text()
    assert "Next step" in page.locator("main").inner_text()
    assert page.goto(served[0] + "/user?id=u3&n=0").status == 422
    assert page.goto(served[0] + "/user?id=u3&measure=nope").status == 422
    page.close()
