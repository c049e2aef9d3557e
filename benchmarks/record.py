"""What every result is kept with: when, on what, of which versions, and by which command."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PACKAGES = [
    *("corated", "numpy", "scipy", "numba", "implicit", "similaripy", "sparse-dot-topn", "lenskit"),
    "scikit-surprise",
]


def keep(name: str, found: dict[str, Any], folder: Path = RESULTS) -> None:
    """Write what was found to ``name``.json, with what it was found on."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "command": " ".join(["python", f"benchmarks/{_script()}", *sys.argv[1:]]),
    }
    (folder / f"{name}.json").write_text(json.dumps(kept | found, indent=1) + "\n", encoding="utf-8")


def _script() -> str:
    """Return the script that runs, as seen from this folder."""
    path = Path(sys.argv[0]).resolve()
    return path.relative_to(HERE.resolve()).as_posix() if path.is_relative_to(HERE.resolve()) else path.name


def machine() -> dict[str, object]:
    """Tell the processor, the cores this process may use, and the memory."""
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": cores, "memory_gib": round(memory, 1), "system": platform.platform()}


def versions() -> dict[str, str]:
    """Tell the versions of everything that took part."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def commit() -> str:
    """Tell the commit, with a mark if the tree differs from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=HERE
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", ".", ":!results"],
            capture_output=True,
            text=True,
            check=True,
            cwd=HERE,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")
