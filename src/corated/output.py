"""Writing results so that a failure at any moment leaves the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corated.errors import OutputError

__all__ = ["atomic_path"]


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; move it there when the block ends well.

    Raises `OutputError` where the folder does not exist or cannot be written, or the disk is full;
    then the temporary file is removed, and what stood at the target is unharmed.
    """
    final = Path(target)
    if final.is_dir():
        raise OutputError(
            f"The output {final} is a folder.", expected="a file name", hint=f"write to {final}/NAME.parquet, say"
        )
    if not final.parent.is_dir():
        raise OutputError(
            f"The output folder {final.parent} does not exist.", hint=f"create it: mkdir -p {final.parent}"
        )
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent)
    except OSError as error:
        raise _refused(final, error) from error
    temporary = Path(name)
    try:
        os.fchmod(handle, 0o666 & ~_umask()) if hasattr(os, "fchmod") else None
        os.close(handle)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(final)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise _refused(final, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Read the process's umask without changing it, where the platform tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError):
        return 0o022


def _refused(final: Path, error: OSError) -> OutputError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputError(
        f"The output {final} could not be written: {reason}.",
        hint="make room or choose another place; the file that stood there before is unharmed",
    )
