"""Writing results so that a failure at any moment leaves the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corated.errors import CoratedError, OutputError

__all__ = ["atomic_path"]


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; move it there when the block ends well.

    A symbolic link is followed. Raises `OutputError` where the folder does not exist or cannot be written,
    the target is no regular file, or the disk is full; then the temporary file is removed, and what stood
    at the target is unharmed.
    """
    final = Path(os.path.realpath(target))
    try:
        _check(final)
        # The name is cut, since with what is added it could become too long for a name.
        handle, name = tempfile.mkstemp(prefix=f".{final.name[:40]}.", suffix=".tmp", dir=final.parent)
    except OSError as error:
        if isinstance(error, CoratedError):
            raise
        raise _refused(final, error) from error
    temporary = Path(name)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(handle, 0o666 & ~_umask())
        os.close(handle)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(final)
    except OSError as error:
        if isinstance(error, CoratedError):
            raise
        raise _refused(final, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _check(final: Path) -> None:
    """Refuse what can be seen to be wrong beforehand, with the step that helps."""
    if final.is_dir():
        raise OutputError(
            f"The output {final} is a folder.",
            expected="a file name",
            hint=f"write to {final / 'NAME.parquet'}, say",
        )
    if final.exists() and not final.is_file():
        raise OutputError(f"The output {final} is not a regular file.", hint="choose another name")
    if final.parent.exists() and not final.parent.is_dir():
        raise OutputError(f"The output folder {final.parent} is a file.", hint="choose another place")
    if not final.parent.exists():
        raise OutputError(
            f"The output folder {final.parent} does not exist.", hint=f"create it: mkdir -p {final.parent}"
        )


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
