"""One file over HTTP into a folder, and one archive unpacked, both with limits."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import stat
import threading
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from corated.errors import Cancelled, DownloadError, OutputError

__all__ = ["Transfer", "blob_id", "digest", "download", "download_text", "unpack", "unwritable"]

_CHUNK = 1 << 18
_MAX_MEMBERS = 1_000
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*\\')


@dataclass(frozen=True)
class Transfer:
    """How a transfer is limited and watched: seconds, bytes, ``progress(done, total)``, cancel."""

    timeout: float = 30.0
    max_bytes: int = 1 << 30
    progress: Callable[[int, int], object] | None = None
    cancel: threading.Event | None = None

    def step(self, done: int, total: int) -> None:
        """Report progress in bytes (a total of 0 is unknown); raises `Cancelled` when asked to stop."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The download was cancelled.")
        if self.progress is not None:
            self.progress(done, total)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to anything else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request to follow, or refuse it."""
        schemes = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if schemes[1] != "https" and schemes != ("http", "http"):
            raise urllib.error.URLError(f"refused the redirect to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, target: Path, transfer: Transfer) -> None:
    """Write the body of `url` to `target`; the caller removes a target left by an error.

    Raises `DownloadError` for anything the network or the host does wrong, `OutputError` where the
    target cannot be written.
    """
    with _written(target) as file:
        for chunk in _body(url, transfer):
            file(chunk)


@contextlib.contextmanager
def _written(target: Path) -> Iterator[Callable[[bytes], object]]:
    """Give a function that appends to a new file; only its own failures become `OutputError`."""

    def guarded(action: Callable[[], Any]) -> Any:
        try:
            return action()
        except OSError as error:
            raise unwritable(target, error) from error

    file = guarded(lambda: target.open("xb"))
    try:
        yield lambda chunk: guarded(lambda: file.write(chunk))
    except BaseException:
        # What stands in the way of the first error must not hide it.
        with contextlib.suppress(OSError):
            file.close()
        raise
    guarded(file.close)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Make the error for a file or folder that cannot be written."""
    return OutputError(
        f"{path} cannot be written: {error.strerror or error}.",
        hint="Free some space, choose another folder, or set CORATED_CACHE to one that can be written.",
    )


def download_text(url: str, transfer: Transfer) -> str:
    """Return the body of `url` as text (ASCII or UTF-8); raises `DownloadError`."""
    body = b"".join(_body(url, transfer))
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DownloadError(f"{url} did not answer with text.") from error


def _body(url: str, transfer: Transfer) -> Iterator[bytes]:
    """Yield the body of `url` in pieces, checked against its announced length and the limit."""
    # Some hosts refuse urllib's own name.
    request = urllib.request.Request(url, headers={"User-Agent": "corated"})
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        response = opener.open(request, timeout=transfer.timeout)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{url} answered {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{url} could not be reached: {_reason(error)}.") from error
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else 0
        done = 0
        _within(total, transfer.max_bytes, url)
        while True:
            transfer.step(done, total)
            try:
                chunk = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise DownloadError(f"{url} broke off after {done:,} bytes: {_reason(error)}.") from error
            if not chunk:
                break
            done += len(chunk)
            _within(done, transfer.max_bytes, url)
            yield chunk
    if total and done != total:
        raise DownloadError(f"{url} broke off after {done:,} of {total:,} bytes.")


def _within(size: int, limit: int, url: str) -> None:
    if size > limit:
        raise DownloadError(
            f"{url} is larger than {limit:,} bytes.", expected=f"a file of at most {limit:,} bytes"
        )


def _reason(error: BaseException) -> str:
    """Say why, without the wrapping that urllib puts around it."""
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__).rstrip(".")


def digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def blob_id(path: Path) -> str:
    """Return the id that git gives to a file of these bytes."""
    hasher = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def unpack(archive: Path, folder: Path, transfer: Transfer) -> None:
    """Unpack a zip archive into a folder, without the one top folder that it may have.

    Refused with `DownloadError`: members that lead out of the folder, links, encrypted members,
    more than a thousand of them, more than ``transfer.max_bytes`` unpacked, and a damaged archive.
    """
    with _readable(archive):
        bundle = zipfile.ZipFile(archive)
    with bundle:
        members = [info for info in bundle.infolist() if not info.is_dir()]
        paths = _member_paths(members)
        total = sum(info.file_size for info in members)
        if len(members) > _MAX_MEMBERS or total > transfer.max_bytes:
            raise DownloadError(
                f"{archive.name} unpacks to {len(members):,} files of {total:,} bytes.",
                expected=f"at most {_MAX_MEMBERS:,} files of {transfer.max_bytes:,} bytes together",
            )
        done = 0
        for info, path in zip(members, paths, strict=True):
            target = folder.joinpath(*path.parts)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(target.parent, error) from error
            with _written(target) as write:
                for chunk in _member(bundle, info):
                    write(chunk)
                    done += len(chunk)
                    transfer.step(done, total)


def _member(bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces; `zipfile` gives no more than its announced length and checks its CRC."""
    with _readable(Path(bundle.filename or "")):
        source = bundle.open(info)
    with source:
        while True:
            with _readable(Path(bundle.filename or "")):
                chunk = source.read(_CHUNK)
            if not chunk:
                return
            yield chunk


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turn whatever `zipfile` raises for a damaged or encrypted archive into `DownloadError`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, OSError) as error:
        raise DownloadError(f"{archive.name} is damaged: {error}.") from error


def _member_paths(members: list[zipfile.ZipInfo]) -> list[PurePosixPath]:
    """Return the members' paths in the folder; raises `DownloadError` for one that leads out of it."""
    paths = []
    for info in members:
        path = PurePosixPath(info.filename)
        unsafe = (
            path.is_absolute()
            or not path.parts
            or ".." in path.parts
            or not _WINDOWS_FORBIDDEN.isdisjoint(info.filename)
            or stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG)
        )
        if unsafe:
            raise DownloadError(
                f"The archive holds {info.filename!r}, which must not be unpacked.",
                expected="plain files inside the archive's own folder",
            )
        paths.append(path)
    tops = {path.parts[0] for path in paths}
    if len(tops) == 1 and all(len(path.parts) > 1 for path in paths):
        paths = [PurePosixPath(*path.parts[1:]) for path in paths]
    return paths
