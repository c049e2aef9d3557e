"""What memory there is, and how it is written."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from corated.errors import ParameterError

__all__ = ["available_memory", "bytes_of", "peak_memory", "size_of"]

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([kmgt]?)(i?)b?\s*", re.ASCII | re.IGNORECASE)


def bytes_of(limit: int | str | None) -> int | None:
    """Return a memory limit in bytes: a number of them, or text such as ``"1 GB"`` or ``"512 MiB"``.

    kB, MB, GB and TB count in thousands, KiB, MiB, GiB and TiB in 1024s. Raises `ParameterError`.
    """
    if limit is None:
        return None
    size = 0
    if isinstance(limit, str):
        found = _SIZE.fullmatch(limit)
        if found is not None and (found[2] or not found[3]):
            unit = (1024 if found[3] else 1000) ** " kmgt".index(found[2].lower() or " ")
            size = int(float(found[1]) * unit)
    elif hasattr(limit, "__index__") and not isinstance(limit, bool):
        size = int(limit)
    if size < 1:
        raise ParameterError(
            f"memory_limit={limit!r} is no amount of memory.",
            expected='bytes, or text such as "1 GB", "512 MB" or "2 GiB"',
            hint='try memory_limit="1GB", or leave it out to use what there is',
        )
    return size


def available_memory() -> int | None:
    """Return the bytes that this process can still get: of the machine, and of the limits set on it.

    None where the system does not tell.
    """
    known = [
        room
        for room in (_machine_memory(), _limited_address_space(), *_container_memory())
        if room is not None
    ]
    return max(0, min(known)) if known else None


def peak_memory() -> int | None:
    """Return the most bytes that this process has had at once; None where the platform does not tell."""
    # On Linux getrusage counts what the process was before it became this program.
    found = _field(Path("/proc/self/status"), "VmHWM:")
    if found is not None:
        return found * 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _machine_memory() -> int | None:
    found = _field(Path("/proc/meminfo"), "MemAvailable:")
    if found is not None:
        return found * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _limited_address_space() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _field(Path("/proc/self/status"), "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used * 1024


def _container_memory(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[int | None]:
    """Yield what each control group above this process leaves; cached files do not count as taken."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for _, controllers, place in (line.split(":", 2) for line in lines):
        if controllers == "":
            top, names, cached = root, ("memory.max", "memory.current"), "inactive_file"
        elif "memory" in controllers.split(","):
            top, cached = root / "memory", "total_inactive_file"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = top / place.lstrip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(top):
                limit, used = (_number(group / name) for name in names)
                if limit is not None and used is not None:
                    yield limit - used + (_field(group / "memory.stat", cached) or 0)


def _number(path: Path) -> int | None:
    """Return the number in a file; None for ``max``, and where there is no such file."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _field(path: Path, name: str) -> int | None:
    """Return the number after a name at the beginning of a line."""
    try:
        lines = path.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[:1] == [name])
    except (OSError, ValueError, StopIteration, IndexError):
        return None


def size_of(n: int) -> str:
    """Render bytes in the unit that keeps three digits or fewer before the point."""
    size = float(n)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"
