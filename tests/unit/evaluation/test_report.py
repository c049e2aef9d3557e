"""The page: whole by itself, readable by machines, and inert whatever the names are."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import corated as cr
from corated import evaluation as ev
from corated.errors import OutputError
from corated.evaluation import _report_plots as plots

pytestmark = pytest.mark.jit

HOSTILE = '"><script>alert(1)</script><img src=x onerror="alert(2)">'
TURNED = "left\u202eright\nsecond & <i>third</i> '"


@pytest.fixture(scope="module")
def found():
    ratings = cr.sample(users=120, items=60, ratings=2000, seed=4).ratings
    models = {
        HOSTILE: cr.UserKNN(k=10, half_life=30.0),
        TURNED: cr.ItemKNN(),
        "x" * 300: cr.Bias(),
        "best": cr.preset("best"),
    }
    return cr.compare(models, ratings, metrics=["ndcg@5", "catalog_coverage@5", "rmse"])


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    found.to_html(path)
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """All start tags with their attributes, and whether each is closed in its order."""

    VOID = frozenset({"meta", "br", "line"})

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, *tags):
        return [attrs for tag, attrs in self.found if tag in tags]


def test_it_needs_nothing_and_runs_nothing(page):
    elements = Elements(page)
    assert not {tag for tag, _ in elements.found} & {"script", "img", "link", "iframe", "object", "a", "form"}
    names = {name for _, attrs in elements.found for name in attrs}
    assert not {name for name in names if name.startswith("on")} and not names & {"src", "href", "style"}
    assert "http" not in page.replace("http-equiv", "") and "url(" not in page and "@import" not in page
    policy = next(attrs["content"] for attrs in elements.all("meta") if "http-equiv" in attrs)
    assert "default-src 'none'" in policy
    assert page.count("<!DOCTYPE html>") == page.count("<main>") == page.count("<h1>") == 1
    assert {attrs.get("name") for attrs in elements.all("meta")} >= {"viewport"}


def test_hostile_names_are_text(page, found):
    assert "<script" not in page and "<img" not in page and "<i>" not in page
    text = "".join(Elements(page).text)
    assert HOSTILE in text and "x" * 300 in text
    assert "\u202e" not in page and "left right second & <i>third</i> '" in text
    for told in (found._repr_html_(), cr.evaluate(cr.Bias(), cr.sample(size="small").ratings)._repr_html_()):
        assert "<script" not in told and "\u202e" not in told
        Elements(told)
    assert "\u202e" not in str(found)


def test_it_has_every_number(page, found):
    text = "".join(Elements(page).text)
    for row in found:
        if row["value"] is not None:
            assert f"{row['value']:.4f}" in text
        if row["difference"] is not None:
            assert f"{row['difference']:+.4f}".replace("-", "−") in text
    for note in found.notes:
        assert note.replace("\u202e", " ").replace("\n", " ") in text
    assert found.split in text and found.facts in text


def test_charts_are_well_formed_and_told_in_words(page, found):
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    # Differences, time, coverage, and the strata that have anybody.
    strata = {r["stratum"] for r in found.strata if r["metric"] == "ndcg@5" and r["users"]}
    assert len(charts) == 3 + len(strata) and len(strata) >= 3
    ids = []
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert root.get("role") == "img" and root.get("viewBox").startswith("0 0 360 ")
        title, about = root[0], root[1]
        assert (title.tag, about.tag) == ("title", "desc") and title.text and len(about.text) > 20
        assert root.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
        ids += [title.get("id"), about.get("id")]
        width, height = (float(one) for one in root.get("viewBox").split()[2:])
        for element in root.iter():
            for name in ("x", "x1", "x2", "cx"):
                assert 0 <= float(element.get(name, 0)) <= width
            for name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(element.get(name, 0)) <= height
    assert len(set(ids)) == len(ids)


def test_tables_say_what_their_cells_are(page):
    elements = Elements(page)
    assert len(elements.all("table")) == len(elements.all("caption")) == 2
    assert all(attrs.get("scope") in ("col", "row") for attrs in elements.all("th"))
    assert all(attrs["role"] == "cell" for attrs in elements.all("td"))


def _contrast(one, other):
    """As WCAG 2.2 defines it."""

    def light(color):
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colors_can_be_told_apart_in_light_and_dark(page):
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    ]
    assert len(schemes) == 2
    for colors in schemes:
        for ground in ("paper", "band"):
            assert _contrast(colors["ink"], colors[ground]) > 7
            assert _contrast(colors["soft"], colors[ground]) > 4.5
        for shape in ("mark", "base"):
            assert _contrast(colors[shape], colors["paper"]) > 3


def test_a_page_that_cannot_be_written_leaves_what_was_there(found, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(OutputError):
        found.to_html(tmp_path / "none" / "report.html")
    monkeypatch.setattr(Path, "write_text", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        found.to_html(path)
    assert path.read_bytes() == b"before" and [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_one_model_alone_and_no_coverage(tmp_path):
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2, 3, 3], [1, 2, 1, 3, 2, 3], [5, 4, 5, 3, 4, 5])
    found = cr.compare({"bias": cr.Bias()}, ratings, split="random:0.4:1", metrics="recall@2")
    found.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    Elements(page)
    assert "coverage" not in page and 2 <= page.count("<svg") < 2 + 5
    assert "bias" in str(found)


def test_where_nobody_has_a_value(tmp_path):
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [5, 1, 5, 1], scale=(1, 5, 1))
    half = ratings.values < 3
    split = ev.given(ratings.where(~half), ratings.where(half))
    found = cr.compare({"bias": cr.Bias()}, split, metrics="recall@2")
    assert found.value("bias") is None
    found.to_html(tmp_path / "report.html")
    Elements((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "–" in str(found)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.15, [0, 0.05, 0.1, 0.15]),
        (-0.12, 0.01, [-0.1, -0.05, 0.0]),
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert plots._ticks(low, high) == pytest.approx(expected)


def test_labels_do_not_cover_each_other():
    points = [plots.Point(at, f"m{at}", 1.0 + at / 100, 0.5, False) for at in range(1, 10)]
    chart = ElementTree.fromstring(plots.scatter("t", "t", points, "x", "y", log_x=True))
    keys = [(float(e.get("x")), float(e.get("y"))) for e in chart.iter("text") if e.get("class") == "key"]
    assert len(keys) == 9
    for at, (x, y) in enumerate(keys):
        for other_x, other_y in keys[:at]:
            assert abs(x - other_x) >= 8 or abs(y - other_y) >= 11
