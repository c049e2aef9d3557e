"""How kernels are compiled: serial, without the GIL, cached on disk, strict floating point.

``parallel=True`` is not used: Numba's default threading layer ends the process when two Python
threads enter it, so threads belong to the caller. ``fastmath`` is not used: it would let the compiler
reorder sums and forget NaN, and both are part of the promise. With ``NUMBA_DISABLE_JIT=1`` every
kernel runs as plain Python, which is how the tests measure coverage.

Compiled code is kept in the cache folder under a hash of every source file that takes part, because
Numba itself only watches the file of the function that it compiles, not those that it calls.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config as _config
from numba import njit

from corated.cache import cache_folder
from corated.errors import CoratedNotice, OutputError

__all__ = ["inlined", "kernel", "kernel_cache"]

F = TypeVar("F", bound=Callable[..., object])

config: Any = _config
_lock = threading.Lock()


@functools.cache
def kernel_cache() -> Path | None:
    """Return the folder of compiled kernels for this version of the sources; None if there can be none."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for source in sorted([*package.glob("similarity/*.py"), *package.glob("**/*kernels.py")]):
        digest.update(source.read_bytes())
    try:
        return cache_folder("kernels", digest.hexdigest()[:16], create=True)
    except OutputError:
        return None


@functools.cache
def _notice_once() -> None:
    warnings.warn(
        "There is no folder to keep compiled kernels in, so they are compiled anew in each process "
        "(some seconds). Set CORATED_CACHE to a folder that can be written.",
        CoratedNotice,
        stacklevel=2,
    )


def kernel(function: F) -> F:
    """Compile a function on first use: nogil, NumPy error model, cached between processes."""
    folder = None if config.DISABLE_JIT else kernel_cache()
    if folder is not None:
        with _lock:  # Numba reads the folder from its global settings, at this moment only
            before = config.CACHE_DIR
            config.CACHE_DIR = str(Path(before) / folder.name if before else folder)
            try:
                return _compiled(function, cache=True)
            except RuntimeError:
                pass  # the folder cannot be written after all
            finally:
                config.CACHE_DIR = before
    if not config.DISABLE_JIT:
        _notice_once()
    return _compiled(function)


def inlined(function: F) -> F:
    """Compile a function into the body of each kernel that calls it.

    A call that passes arrays counts references atomically, which costs more than a short body does.
    """
    return _compiled(function, inline="always")


def _compiled(function: F, **options: object) -> F:
    return cast("F", cast(Any, njit)(function, nogil=True, error_model="numpy", **options))
