"""How kernels are compiled: serial, without the GIL, cached on disk, strict floating point.

``parallel=True`` is not used: Numba's default threading layer ends the process when two Python
threads enter it, so threads belong to the caller. ``fastmath`` is not used: it would let the compiler
reorder sums and forget NaN, and both are part of the promise. With ``NUMBA_DISABLE_JIT=1`` every
kernel runs as plain Python, which is how the tests measure coverage.

Compiled code is kept in the cache folder under a hash of every source file that takes part, because
Numba itself only watches the file of the function that it compiles, not those that it calls. What is kept
there may be damaged, and the disk may be full: that costs the time of compiling, never the run.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import __version__ as _numba_version
from numba import config as _config
from numba import njit

from corated.cache import cache_folder
from corated.errors import CoratedNotice, OutputError

__all__ = ["allocating", "damaged_kernels", "inlined", "kernel", "kernel_cache"]

F = TypeVar("F", bound=Callable[..., object])

config: Any = _config
_lock = threading.Lock()
_said: set[str] = set()


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


def damaged_kernels(folder: Path) -> list[str]:
    """Return the functions below a folder whose kept kernels cannot be read: cut off, or overwritten."""
    return [index.stem for index in sorted(folder.rglob("*.nbi")) if _is_damaged(index)]


def _is_damaged(index: Path) -> bool:
    try:
        with index.open("rb") as file:
            if pickle.load(file) != _numba_version:
                return False  # Numba does not look further either
            _, names = pickle.load(file)
        for path in (index.parent / name for name in names.values()):
            if path.exists():
                pickle.loads(path.read_bytes())
    except Exception:  # noqa: BLE001 - what unpickling junk raises may be anything
        return True
    return False


def kernel(function: F) -> F:
    """Compile a function on first use: nogil, NumPy error model, cached between processes.

    It must allocate nothing: it is compiled without Numba's memory management, which otherwise counts the
    references to each array of each call, atomically; for short calls that is most of the time.
    """
    return _kept(function, _nrt=False)


def allocating(function: F) -> F:
    """Compile a function as `kernel` does, that makes arrays itself, or copies a whole one to another."""
    return _kept(function)


def _kept(function: F, **options: object) -> F:
    """Compile a function on first use and keep the code between processes, if that is possible."""
    folder = None if config.DISABLE_JIT else kernel_cache()
    if folder is not None:
        with _lock:  # Numba reads the folder from its global settings, at this moment only
            before = config.CACHE_DIR
            config.CACHE_DIR = where = str(Path(before) / folder.name if before else folder)
            try:
                made = _compiled(function, cache=True, **options)
                # Where the folder cannot be written, Numba may have taken another, without the hash.
                if Path(cast(Any, made).stats.cache_path).is_relative_to(where):
                    return _forgiving(made)
            except RuntimeError:
                pass  # no folder at all can be written
            finally:
                config.CACHE_DIR = before
    if not config.DISABLE_JIT:
        _notice_once(
            "none",
            "There is no folder to keep compiled kernels in, so they are compiled anew in each process "
            "(some seconds). Set CORATED_CACHE to a folder that can be written.",
        )
    return _compiled(function, **options)


def inlined(function: F) -> F:
    """Compile a function into the body of each kernel that calls it.

    For short bodies whose call would cost more, or whose loop the compiler is to see with its caller's.
    """
    return _compiled(function, inline="always")


def _compiled(function: F, **options: object) -> F:
    return cast("F", cast(Any, njit)(function, nogil=True, error_model="numpy", **options))


def _notice_once(kind: str, text: str) -> None:
    """Tell something about kept kernels, once in a process."""
    if kind not in _said:
        _said.add(kind)
        warnings.warn(text, CoratedNotice, stacklevel=3)


def _forgiving(dispatcher: F) -> F:
    """Make a dispatcher go on where its cache fails; leave it alone where Numba has another inside."""
    cache = getattr(dispatcher, "_cache", None)
    if all(callable(getattr(cache, name, None)) for name in ("load_overload", "save_overload")):
        with contextlib.suppress(AttributeError):
            cast(Any, dispatcher)._cache = _Cache(cache)
    return dispatcher


class _Cache:
    """A dispatcher's cache, none of whose failures gets out: what cannot be loaded is compiled anew."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Load what is kept for a signature; None where there is nothing, or nothing of use."""
        try:
            found = self._cache.load_overload(signature, context)
        except Exception as error:  # noqa: BLE001 - what unpickling junk raises may be anything
            self._drop()
            _notice_once(
                "load",
                f"Compiled kernels kept in {self._folder} cannot be loaded ({_told(error)}), so they are "
                "compiled anew (some seconds). If this notice comes again, delete that folder.",
            )
            return None
        return found if found is None or _is_for(signature, found) else None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, if that is possible."""
        try:
            self._cache.save_overload(signature, compiled)
        except Exception as error:  # noqa: BLE001 - the kernel is compiled, which is what matters
            _notice_once(
                "save",
                f"Compiled kernels cannot be kept in {self._folder} ({_told(error)}), so they are compiled "
                "anew in each process (some seconds). Make room there, or set CORATED_CACHE to a folder "
                "that can be written.",
            )

    @property
    def _folder(self) -> str:
        return str(getattr(self._cache, "cache_path", "the cache"))

    def _drop(self) -> None:
        """Remove the files of this function, as far as that can be done."""
        with contextlib.suppress(Exception):
            index = Path(self._cache._cache_file._index_path)
            for path in [index, *index.parent.glob(f"{glob.escape(index.stem)}.*.nbc")]:
                path.unlink(missing_ok=True)


def _is_for(signature: Any, compiled: Any) -> bool:
    """Tell whether what was found is for a signature.

    Two processes that fill one cache may give the same name to files of different signatures.
    """
    wanted = signature if isinstance(signature, tuple) else getattr(signature, "args", None)
    args = getattr(getattr(compiled, "signature", None), "args", None)
    return wanted is None or args is None or tuple(args) == tuple(wanted)


def _told(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
