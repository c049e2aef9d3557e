"""Make the pictures of docs/serve.md: pages of the service, on the sample of the notebook's size.

Run as ``python tools/screenshots.py``; needs chromium, playwright and pillow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

import corated as cr

OUT = Path(__file__).parent.parent / "docs" / "images"
SHOTS = (
    ("start", "light", 1200, 900),
    ("user", "light", 1200, 900),
    ("user", "dark", 1200, 900),
    ("why", "light", 1200, 700),
    ("item", "light", 1200, 900),
    ("pair", "light", 1200, 900),
    ("whatif", "dark", 1200, 900),
    ("start", "light", 360, 740),
    ("user", "dark", 360, 740),
)


def main() -> None:
    """Serve the sample, and take pictures of it."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cr.sample(size="notebook").write(folder)
        process = subprocess.Popen(
            [sys.executable, "-m", "corated.cli", "serve", str(folder / "ratings.dat"), "--port", "0",
             "--catalog", str(folder / "movies.dat"), "--json", "--set", "log_level=warning"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            told = b""
            while not told.endswith(b"}\n"):
                told += process.stdout.readline()
            shoot(json.loads(told)["address"])
        finally:
            process.terminate()
            process.wait()


def shoot(base: str) -> None:
    """Take all pictures, in few colors."""
    while get(base, "/livez") and "corated_ready 1.0" not in text(base, "/metrics"):
        time.sleep(0.2)
    paths = addresses(base)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, scheme, width, height in SHOTS:
            viewport = {"width": width, "height": height}
            page = browser.new_context(viewport=viewport, color_scheme=scheme).new_page()
            page.goto(base + paths[name], timeout=120_000)
            if name == "user":
                page.locator("summary").first.click()
            size = "-phone" if width < 600 else ""
            path = OUT / f"{name}-{scheme}{size}.png"
            page.screenshot(path=path)
            with Image.open(path) as picture:
                picture.convert("RGB").quantize(64).save(path, optimize=True)
        browser.close()


def addresses(base: str) -> dict[str, str]:
    """Return the pages of a user with some ratings and of what belongs to it."""
    item = get(base, "/start.json")["items"][2]["item_id"]
    for row in get(base, f"/v1/items/{item}/ratings?limit=400")["ratings"]:
        user = row["user_id"]
        page = get(base, f"/user.json?id={user}")
        if 25 < page["n_ratings"] < 80 and page["neighbors"] and page["recommendations"]:
            break
    near, listed = page["neighbors"][0]["neighbor"], page["recommendations"][0]["item_id"]
    asked: dict[str, dict[str, Any]] = {
        "user": {"id": user},
        "item": {"id": item},
        "pair": {"a": user, "b": near},
        "why": {"user": user, "item": listed},
        "whatif": {"id": user, "drop": page["history"][0]["item_id"]},
    }
    return {"start": "/", **{name: f"/{name}?{urlencode(query)}" for name, query in asked.items()}}


def text(base: str, path: str) -> str:
    """Return what is at an address."""
    with urllib.request.urlopen(base + path) as answer:
        return str(answer.read().decode())


def get(base: str, path: str) -> Any:
    """Return the JSON at an address."""
    return json.loads(text(base, path))


if __name__ == "__main__":
    main()
