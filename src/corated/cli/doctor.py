"""``corated doctor``: what this installation has, and whether it works."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
import tempfile
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import click

from corated import __version__
from corated.cli.machine import cores, human_bytes, memory_bytes
from corated.cli.options import command, json_option
from corated.cli.show import count, say, show_json
from corated.errors import CoratedError

__all__ = ["doctor_command"]

_LIBRARIES: Final = (
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "pyarrow",
    "narwhals",
    "click",
    "rich",
)
_OPTIONAL: Final = {
    "pandas": "result.to_pandas()",
    "polars": "result.to_polars()",
    "matplotlib": "pictures in the example notebooks",
}


@command(
    examples="""
    corated doctor
    corated doctor --warm
    """
)
@click.option(
    "--warm", is_flag=True, help="Compile everything the commands run, so that their first run is quick."
)
@json_option
def doctor_command(warm: bool, as_json: bool) -> None:
    """Tell what this installation has and whether it works.

    Versions, cores, memory, the cache, compiled kernels, optional libraries. Exits with 1 where a
    library that is needed is missing.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    warmed = _warm() if warm and not missing else None
    found = {
        "corated": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "cores": cores(),
        **dict(zip(("memory_bytes", "memory_available_bytes"), memory_bytes(), strict=True)),
        "cache": _cache(),
        "kernels": {**_kernels(missing), "warm_seconds": warmed},
        "optional": {name: _version(name) for name in _OPTIONAL},
    }
    if as_json:
        show_json(found)
    else:
        say("\n".join(_lines(found)))
    if missing:
        click.get_current_context().exit(1)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cache() -> dict[str, Any]:
    """Tell where the cache is, and try whether it can be written, leaving nothing behind."""
    from corated.cache import cache_folder

    try:
        folder = cache_folder()
    except CoratedError as error:
        return {"folder": None, "writable": False, "problem": str(error)}
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    writable = False
    if there is not None and there.is_dir():
        with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=there):
            writable = True
    return {"folder": str(folder), "writable": writable, "problem": None}


def _kernels(missing: list[str]) -> dict[str, Any]:
    """Count the compiled kernels that are kept for this version."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return {
            "compiled": 0,
            "damaged": 0,
            "note": "NUMBA_DISABLE_JIT is set: kernels run as plain Python, slowly",
        }
    if missing:
        return {"compiled": 0, "damaged": 0, "note": "libraries are missing"}
    from corated.similarity.jit import damaged_kernels, kernel_cache

    folder = kernel_cache()
    if folder is None:
        return {"compiled": 0, "damaged": 0, "note": "nowhere to keep them: each process compiles anew"}
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    where = Path(chosen) / folder.name if chosen else folder
    damaged, compiled = len(damaged_kernels(where)), sum(1 for _ in where.rglob("*.nbc"))
    return {"compiled": compiled, "damaged": damaged, "note": None}


def _warm() -> float:
    """Run what the commands run on a few invented ratings; return the seconds."""
    import corated as cr

    start = time.perf_counter()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        ratings = cr.sample(users=40, items=30, ratings=400).ratings
        for of in ("users", "items"):
            cr.neighbors(ratings, of=of, k=5, threads=1)
        cr.neighbors(ratings, k=5, subjects=ratings.users.take([0, 1]).to_pylist(), threads=1)
        cr.all_pairs(ratings, to=Path(folder) / "pairs.parquet", threads=1)
        for model in (cr.preset("best"), cr.preset("notebook"), cr.ItemKNN(k=5), cr.Popularity()):
            model.fit(ratings, threads=1).recommend(n=3, threads=1)
    return round(time.perf_counter() - start, 2)


def _lines(found: dict[str, Any]) -> list[str]:
    """Return the findings as text."""
    cache, kernels = found["cache"], found["kernels"]
    total, available = (human_bytes(found[name]) for name in ("memory_bytes", "memory_available_bytes"))
    lines = [
        f"corated     {found['corated']}",
        f"python      {found['python']} ({sys.executable}), {found['platform']}",
        "libraries   " + ", ".join(f"{name} {has or 'MISSING'}" for name, has in found["libraries"].items()),
        f"cores       {found['cores']}",
        f"memory      {total}, {available} available",
        f"cache       {cache['folder'] or cache['problem']}" + _cache_state(cache),
        f"kernels     {_kernel_state(kernels)}",
    ]
    for name, has in found["optional"].items():
        lines.append(
            f"optional    {name} {has}"
            if has
            else f"optional    {name} is not here, for {_OPTIONAL[name]}: pip install {name}"
        )
    missing = [name for name, has in found["libraries"].items() if has is None]
    if missing:
        lines.append(f"Next step: pip install {' '.join(missing)}")
    return lines


def _cache_state(cache: dict[str, Any]) -> str:
    if cache["folder"] is None:
        return ""
    return "" if cache["writable"] else " CANNOT BE WRITTEN: set CORATED_CACHE to a folder that can"


def _kernel_state(kernels: dict[str, Any]) -> str:
    if kernels["warm_seconds"] is not None:
        return f"{kernels['compiled']} compiled; ready in {kernels['warm_seconds']:.1f} s"
    if kernels["note"]:
        return str(kernels["note"])
    if kernels["damaged"]:
        return (
            f"{kernels['compiled']} compiled and kept; those of {count(kernels['damaged'], 'function')} "
            "CANNOT BE LOADED and are compiled anew when needed: corated doctor --warm does it now"
        )
    if kernels["compiled"]:
        return f"{kernels['compiled']} compiled and kept"
    return (
        "none compiled yet: the first run takes some seconds longer; corated doctor --warm compiles them now"
    )
