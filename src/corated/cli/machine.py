"""What the process and the machine have: peak memory, memory, cores."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["cores", "human_bytes", "memory_bytes"]


def memory_bytes() -> tuple[int | None, int | None]:
    """Return the machine's memory and what this process can still get; None where that is not told."""
    total, available = _proc("/proc/meminfo", "MemTotal:"), None
    with contextlib.suppress(ImportError):  # an installation that lacks a library is told of elsewhere
        from corated.neighborhood.plan import available_memory

        available = available_memory()
    if total is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return total, available


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def human_bytes(count: int | None) -> str:
    """Write a number of bytes in MB or GB."""
    if count is None:
        return "unknown"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _proc(path: str, label: str) -> int | None:
    """Return the bytes that a file of ``label: number kB`` lines tells, if it is there."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(label)), None)
    except (OSError, ValueError):
        return None
