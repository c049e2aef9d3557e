"""What finding neighbors takes, from the degrees alone, and what there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corated.errors import MemoryLimitError
from corated.neighborhood.engine import Engine
from corated.similarity.kernels import new_scratch
from corated.similarity.topk import room_for

__all__ = ["Memory", "available_memory", "candidate_bound", "check_memory", "memory_of", "size_of"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Memory:
    """Bytes that finding everyone's neighbors takes: the most there will be of each.

    profiles : the ratings rearranged, there already;  thread : what each thread takes;  result : the result
    to_take : the most at one time, on top of the profiles
    """

    profiles: int
    thread: int
    result: int
    to_take: int


def memory_of(engine: Engine, k: int, threads: int) -> Memory:
    """Return the most bytes that there will be, as `find` and what follows it allocate them."""
    k = min(k, max(engine.n - 1, 1))
    bound = candidate_bound(engine, np.arange(engine.n))
    rows = int(np.minimum(bound, k).sum())
    per_candidate, per_subject, columns = 16, 32, 16
    fixed = sum(array.nbytes for array in new_scratch(0, engine.words))
    scratch = fixed + engine.n * (8 * engine.words + 4)
    selection = int(room_for(k, bound).sum()) * per_candidate + engine.n * per_subject
    return Memory(
        profiles=sum(a.nbytes for a in (*engine.profiles, *engine.popular) if isinstance(a, np.ndarray)),
        thread=scratch + selection,
        result=rows * columns,
        # While selecting, or while the best is copied out.
        to_take=max(threads * (scratch + selection), selection + rows * columns),
    )


def candidate_bound(engine: Engine, labels: Int64s) -> Int64s:
    """Return, for each label, how many candidates it can have at most: nobody can offer more."""
    p = engine.profiles
    others = np.diff(p.rater_ptr)[p.objects] - 1
    total = np.zeros(len(others) + 1, dtype=np.int64)
    np.cumsum(others, out=total[1:])
    met = (total[p.indptr[1:]] - total[p.indptr[:-1]]) // engine.min_common
    met[np.diff(p.indptr) < engine.min_common] = 0
    bound: Int64s = np.minimum(met, engine.n - 1)[labels]
    return bound


def check_memory(engine: Engine, k: int, threads: int) -> None:
    """Refuse what would not fit, with the figures, before anything is allocated."""
    there, to_take = available_memory(), memory_of(engine, k, threads).to_take
    if there is not None and to_take > there:
        raise MemoryLimitError(
            f"{k:,} neighbors of {engine.n:,} {engine.ids.what}s take up to {size_of(to_take)} "
            f"with {threads} threads; {size_of(there)} are available.",
            hint="ask corated.plan what would fit: fewer threads, a smaller k, a larger min_common",
        )


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
