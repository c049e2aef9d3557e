"""The page of a comparison in a browser: it fits a phone, can be read there, and shows its charts."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import corated as cr

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.jit,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (as root, make browser installs it)"
    ),
]
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

FRAME = """<!DOCTYPE html><body style="margin:0"><iframe style="border:0;display:block;width:{width}px;height:
{height}px" srcdoc="{page}"></iframe><script>
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, all = [...page.querySelectorAll("body *")];
  const box = element => element.getBoundingClientRect();
  const hidden = element => element.closest("thead, title, desc, .wide") !== null;
  const out = all.filter(one => !hidden(one) && box(one).right > {width} + 1 && box(one).width > 0);
  const wide = [...page.querySelectorAll(".wide")];
  const texts = [...page.querySelectorAll("svg text")];
  document.body.dataset.found = JSON.stringify({{
    scroll: page.documentElement.scrollWidth,
    inner: Math.max(...wide.map(one => one.scrollWidth - one.clientWidth)),
    out: out.map(one => one.tagName + ": " + one.textContent.slice(0, 40)),
    charts: page.querySelectorAll("svg").length,
    drawn: [...page.querySelectorAll("svg")].filter(one => box(one).height > 50).length,
    letters: Math.min(...texts.map(one => box(one).height)),
    cells: [...page.querySelectorAll("td, th")].filter(one => box(one).height > 5).length,
    scripts: page.scripts.length + page.images.length,
    height: page.documentElement.scrollHeight,
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    ratings = cr.sample(users=150, items=80, ratings=3000, seed=4).ratings
    models = {
        "neighbors": cr.UserKNN(k=20),
        '"><script>document.title = 1</script><img src=x onerror="alert(1)">': cr.UserKNN(k=10),
        "a name of many words that goes on for longer than one would like it to on a phone": cr.ItemKNN(),
        "推薦" * 60: cr.Popularity(half_life=30),
        "W" * 200: cr.Bias(),
        "walk": cr.RP3Beta(),
    }
    path = tmp_path_factory.mktemp("report") / "report.html"
    cr.compare(models, ratings).to_html(path)
    return path


@pytest.fixture
def browse(tmp_path):
    """Run the browser, with a profile of its own that goes when the test ends."""

    def run(*options):
        done = subprocess.run(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", *options],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return done.stdout.decode("utf-8")

    return run


@pytest.fixture
def framed(page, tmp_path):
    """Put the page into a frame of some width; return the frame's address."""

    def make(width, height=9000):
        inside = html.escape(page.read_text(encoding="utf-8"), quote=True)
        path = tmp_path / f"frame-{width}.html"
        path.write_text(FRAME.format(width=width, height=height, page=inside), encoding="utf-8")
        return path.as_uri()

    return make


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
def test_nothing_is_wider_than_the_screen(browse, framed, width):
    dom = browse("--dump-dom", f"--window-size={width},9000", framed(width))
    found = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', dom)[1]))
    assert found["scroll"] <= width and found["out"] == []
    assert found["charts"] == found["drawn"] >= 6
    assert found["letters"] >= 9  # pixels, of the smallest letters in a chart
    assert found["cells"] > 60 and found["scripts"] == 0
    assert found["inner"] <= 0 or width > 700  # on a wider screen a table of many models may scroll by itself


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_drawn_in_light_and_dark(browse, framed, tmp_path, width, dark):
    from PIL import Image

    path = tmp_path / "page.png"
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    browse(f"--screenshot={path}", f"--window-size={width},6000", scheme, framed(width, 6000))
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    assert len(pixels) == width * 6000
    colors, counts = np.unique(pixels.astype(np.int64) @ [1 << 16, 1 << 8, 1], return_counts=True)
    share = dict(zip(colors.tolist(), counts / len(pixels), strict=True))
    paper, band, mark = (0x15181C, 0x1E2227, 0x7FB2FF) if dark else (0xFFFFFF, 0xF4F6F8, 0x1659B7)
    assert share.get(paper, 0) > 0.2 and share.get(paper, 0) + share.get(band, 0) > 0.6
    assert share.get(mark, 0) > 0.0005
    assert len(share) > 50
