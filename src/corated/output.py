"""Writing results so that a failure at any moment leaves the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corated.errors import CoratedError, OutputError

__all__ = ["atomic_path", "named"]

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_OF_WRITING = (*_FULL, errno.EROFS, errno.EIO)
"""What an error that names no file must be, to be taken for one of writing."""


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; move it there when the block ends well.

    A symbolic link is followed. Raises `OutputError` where the folder does not exist or cannot be written,
    the target is no regular file, or the disk is full; then the temporary file is removed, and what stood
    at the target is unharmed. An `OSError` that the block raises for another file, or that is none of
    writing, passes on as it is.
    """
    shown = Path(target)
    try:
        final = Path(os.path.realpath(target))
        _check(final, shown)
        # The name is cut, since with what is added it could become too long for a name.
        handle, name = tempfile.mkstemp(prefix=f".{final.name[:40]}.", suffix=".tmp", dir=final.parent)
    except CoratedError:
        raise
    except (OSError, ValueError) as error:  # ValueError: no file can have this name
        raise _refused(shown, error) from error
    temporary = Path(name)
    try:
        with named(shown, temporary):
            if hasattr(os, "fchmod"):
                os.fchmod(handle, 0o666 & ~_umask())
            os.close(handle)
            yield temporary
        _move(temporary, final, shown)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def named(shown: str | os.PathLike[str], written: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Turn errors of writing inside the block into an `OutputError` that names the output.

    shown : what the output is called
    written : the file that is written in its place and will be moved there, if that is another
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, CoratedError) or not _is_of(error, written if written is not None else shown):
            raise
        raise _refused(shown, error, unharmed=written is not None) from error


def _is_of(error: OSError, path: str | os.PathLike[str]) -> bool:
    """Tell whether an error comes of writing a file, as far as it says."""
    if error.filename is not None:
        name = error.filename
        return isinstance(name, str | bytes) and os.fsdecode(name) == os.fspath(path)
    return error.errno in _OF_WRITING or os.fspath(path) in str(error)


def _move(temporary: Path, final: Path, shown: Path) -> None:
    try:
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(final)
        _keep_name(final.parent)
    except OSError as error:
        raise _refused(shown, error) from error


def _keep_name(folder: Path) -> None:
    """Have the folder's new entry reach the disk, where the platform lets a folder be opened for that."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Some file systems cannot; the file itself is written all the same.
            with contextlib.suppress(OSError):
                os.fsync(handle)
        finally:
            os.close(handle)


def _check(final: Path, shown: Path) -> None:
    """Refuse what can be seen to be wrong beforehand, with the step that helps."""
    if final.is_dir():
        raise OutputError(
            f"The output {shown} is a folder.",
            expected="a file name",
            hint=f"write to a file in it, such as {shown / 'NAME'}",
        )
    if final.exists() and not final.is_file():
        raise OutputError(f"The output {shown} is not a regular file.", hint="choose another name")
    folder = final.parent if shown.is_symlink() else shown.parent
    if final.parent.exists() and not final.parent.is_dir():
        raise OutputError(f"The output folder {folder} is a file.", hint="choose another place")
    if not final.parent.exists():
        raise OutputError(
            f"The output folder {folder} does not exist.",
            hint=f"create it: mkdir -p {shlex.quote(str(folder))}",
        )


def _umask() -> int:
    """Read the process's umask without changing it, where the platform tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1], 8) for line in status.splitlines() if line.startswith("Umask:"))
    except (OSError, StopIteration, ValueError):
        return 0o022


def _refused(
    shown: str | os.PathLike[str], error: OSError | ValueError, *, unharmed: bool = True
) -> OutputError:
    """Return the error of an output that cannot be written, with the step that its reason asks for."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        step = "make room or choose another place"
    elif number in _FORBIDDEN:
        step = "choose a folder that you may write to"
    elif number == errno.ENAMETOOLONG:
        step = "choose a shorter name"
    else:
        step = "choose another place"
    return OutputError(
        f"The output {os.fspath(shown)} could not be written: {os.strerror(number) if number else error}.",
        hint=step + ("; the file that stood there before is unharmed" if unharmed else ""),
    )
