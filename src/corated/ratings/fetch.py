"""Named public data sets: downloaded once, checked, cached."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from corated.cache import cache_folder
from corated.errors import CoratedNotice, DownloadError, OutputError, ParameterError
from corated.progress import Cancel, ProgressOption, reporting
from corated.ratings._download import Transfer, blob_id, digest, download, download_text, unpack, unwritable

if TYPE_CHECKING:
    from corated.ratings.catalog import Catalog
    from corated.ratings.ratings import Ratings

__all__ = ["DATASETS", "Dataset", "DatasetInfo", "fetch"]

_MANIFEST = ".corated.json"
_MOVIELENS = "https://files.grouplens.org/datasets/movielens/"
_TWEETINGS = "sidooms/MovieTweetings"
_RAW = "https://raw.githubusercontent.com/"
_TREES = "https://api.github.com/repos/"
_MIB = 1 << 20


@dataclass(frozen=True)
class _Source:
    """Where a data set comes from and what is in it; sizes are limits in MiB."""

    ratings: str
    catalog: str
    license: str
    page: str
    megabytes: int
    unpacked: int = 0
    archive: str = ""
    commit: str = ""
    under: str = ""
    blobs: Mapping[str, str | None] = field(default_factory=dict)


_GROUPLENS = "GroupLens terms: research use, no redistribution, no commercial use without permission"
_MOVIELENS_PAGE = "https://grouplens.org/datasets/movielens/"


def _movielens(name: str, suffix: str, megabytes: int, unpacked: int) -> _Source:
    files = {"dat": ("ratings.dat", "movies.dat"), "csv": ("ratings.csv", "movies.csv")}
    ratings, catalog = files.get(suffix, ("u.data", "u.item"))
    return _Source(
        ratings, catalog, _GROUPLENS, _MOVIELENS_PAGE, megabytes, unpacked, f"{_MOVIELENS}{name}.zip"
    )


def _movietweetings(commit: str, under: str, megabytes: int, blobs: dict[str, str | None]) -> _Source:
    return _Source(
        "ratings.dat",
        "movies.dat",
        "MIT, Copyright Simon Dooms",
        f"https://github.com/{_TWEETINGS}",
        megabytes,
        commit=commit,
        under=under,
        blobs=blobs,
    )


_SOURCES: dict[str, _Source] = {
    # The state of 5 November 2019: 814,117 ratings of 60,275 users. Without a blob id here, the ids
    # are those of the commit's tree, asked of the host when the files are fetched.
    "movietweetings": _movietweetings(
        "0007302b1b63c8d17001e100db99bbc9a4554339",
        "latest",
        128,
        {"ratings.dat": None, "movies.dat": None, "users.dat": None},
    ),
    "movietweetings-100k": _movietweetings(
        "4d8280a3f1ea83e3e23f13d1710d19f43564274f",
        "snapshots/100K",
        16,
        {
            "ratings.dat": "a1e4320ba1588cab40479fba59ec5d6b959b0a43",
            "movies.dat": "abb922df810345702ee7193bd61d15693bd5692e",
        },
    ),
    "ml-100k": _movielens("ml-100k", "", 32, 128),
    "ml-latest-small": _movielens("ml-latest-small", "csv", 32, 128),
    "ml-1m": _movielens("ml-1m", "dat", 64, 256),
    "ml-10m": _movielens("ml-10m", "dat", 256, 1024),
    "ml-20m": _movielens("ml-20m", "csv", 512, 2048),
    "ml-25m": _movielens("ml-25m", "csv", 1024, 4096),
}


@dataclass(frozen=True)
class DatasetInfo:
    """A data set that `fetch` knows: its name, its license and the page it comes from."""

    name: str
    license: str
    source: str


DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(
    {name: DatasetInfo(name, source.license, source.page) for name, source in _SOURCES.items()}
)
"""The data sets that `fetch` knows, by name."""


@dataclass(frozen=True)
class Dataset:
    """A fetched data set: its folder, the files to read, its license and where it came from."""

    name: str
    folder: Path
    ratings: Path
    catalog: Path
    license: str
    source: str

    def read(self, **options: Any) -> tuple[Ratings, Catalog]:
        """Read both files; `options` go to `read_ratings`. The catalog takes the ratings' id type."""
        from corated.ratings.catalog import read_catalog
        from corated.ratings.read import read_ratings

        ratings = read_ratings(self.ratings, **options)
        return ratings, read_catalog(self.catalog, ids=ratings)


def fetch(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    accept_license: bool = False,
    progress: ProgressOption = None,
    cancel: Cancel = None,
    base_url: str | None = None,
) -> Dataset:
    """Return a named public data set, downloading it the first time.

    Kept in a folder of its name in `folder`, by default in the cache (see `cache_folder`); a later
    call finds it there without the network. If one of its files has been damaged, the set is fetched
    again and takes the whole folder's place. A folder of that name that you filled yourself is used as
    it is, with a notice.

    MovieLens archives are checked against the ``.md5`` file that their host publishes beside each,
    read when fetching. MovieTweetings comes from a pinned commit of its repository, each file checked
    against its git blob id: for ``"movietweetings-100k"`` ids recorded here, for ``"movietweetings"``
    the ids in the pinned commit's tree, asked of the host when fetching.

    The license is told by a `CoratedNotice` for each download, unless `accept_license` says that you
    know it. `progress` is True for a bar on standard error, or a function ``progress(done, total)``
    of the bytes of the file under way (a total of 0 is unknown), which may raise to stop; `cancel` is
    an event that raises `Cancelled`. `base_url` is a mirror: it replaces scheme and host of every
    address.

    Raises `ParameterError` for an unknown name, `DownloadError` where the network or a checksum fails
    and `OutputError` where nothing can be written; what was there before stays.
    """
    source = _SOURCES.get(name) if isinstance(name, str) else None
    if source is None:
        raise ParameterError(
            f"There is no data set named {name!r}.",
            expected="one of " + ", ".join(DATASETS),
            hint="For other data, download the files and use read_ratings and read_catalog.",
        )
    parent = Path(folder) if folder is not None else cache_folder("datasets")
    target = parent / name
    if not _usable(target, source):
        with reporting(progress, f"Fetching {name}") as report:
            _install(name, source, target, Transfer(progress=report, cancel=cancel), base_url)
        if not accept_license:
            warnings.warn(
                f"Fetched {name} from {source.page} under this license: {source.license}. "
                f"It is kept in {target}; read the terms there before you use it, and pass "
                f"accept_license=True to do without this notice.",
                CoratedNotice,
                stacklevel=2,
            )
    return Dataset(
        name, target, target / source.ratings, target / source.catalog, source.license, source.page
    )


def _install(name: str, source: _Source, target: Path, transfer: Transfer, base_url: str | None) -> None:
    """Fetch into a folder beside the target and put it in the target's place in one step."""
    try:
        foreign = target.exists() and not (target / _MANIFEST).is_file() and any(target.iterdir())
        if foreign:
            raise OutputError(
                f"{target} was not made by fetch and does not hold {source.ratings} and {source.catalog}.",
                hint="Complete it, remove it, or choose another folder.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=target.parent))
    except OutputError:
        raise
    except OSError as error:
        raise unwritable(target.parent, error) from error
    try:
        fresh = made / "data"
        fresh.mkdir()
        if source.archive:
            _fetch_archive(source, made / "archive.zip", fresh, transfer, base_url)
        else:
            _fetch_blobs(source, fresh, transfer, base_url)
        _write_manifest(name, source, fresh)
        _swap(fresh, target, made / "old", source)
    except DownloadError as error:
        raise DownloadError(
            f"The data set {name} could not be fetched. {error.what}",
            expected=error.expected,
            rows=error.rows,
            hint=_by_hand(source, target),
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _by_hand(source: _Source, target: Path) -> str:
    """Say how to do without a download."""
    if source.archive:
        what = f"download {source.archive} and unpack its files"
    else:
        what = f"download the files of {source.page}/tree/{source.commit}/{source.under}"
    return (
        f"Try again later, or {what} into {target}, so that {target / source.ratings} and "
        f"{target / source.catalog} exist."
    )


def _address(url: str, base_url: str | None) -> str:
    """Return the address to use: the mirror's, if there is one."""
    if base_url is None:
        return url
    parts = urlsplit(url)
    return base_url.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def _fetch_archive(
    source: _Source, archive: Path, folder: Path, transfer: Transfer, base_url: str | None
) -> None:
    """Download a zip archive, check it against the host's .md5 file and unpack it."""
    url = _address(source.archive, base_url)
    told = download_text(url + ".md5", replace(transfer, max_bytes=4096, progress=None))
    sums = {found.lower() for found in re.findall(r"\b[0-9a-fA-F]{32}\b", told)}
    if len(sums) != 1:
        raise DownloadError(f"{url}.md5 does not hold one MD5 sum.", expected="32 hexadecimal digits")
    download(url, archive, replace(transfer, max_bytes=source.megabytes * _MIB))
    _compare(url, "MD5 sum", digest(archive, "md5"), sums.pop())
    unpack(archive, folder, replace(transfer, max_bytes=source.unpacked * _MIB, progress=None))
    for file in (source.ratings, source.catalog):
        if not (folder / file).is_file():
            raise DownloadError(f"{url} does not hold {file}.")


def _fetch_blobs(source: _Source, folder: Path, transfer: Transfer, base_url: str | None) -> None:
    """Download the files of a commit and check each against its git blob id."""
    ids = dict(source.blobs)
    if None in ids.values():
        ids.update(_tree_ids(source, transfer, base_url))
    for file, expected in ids.items():
        path = f"{source.under}/{file}"
        url = _address(f"{_RAW}{_TWEETINGS}/{source.commit}/{path}", base_url)
        download(url, folder / file, replace(transfer, max_bytes=source.megabytes * _MIB))
        _compare(url, "git blob id", blob_id(folder / file), expected or "")


def _tree_ids(source: _Source, transfer: Transfer, base_url: str | None) -> dict[str, str]:
    """Ask the host for the blob ids in the pinned commit's tree."""
    url = _address(f"{_TREES}{_TWEETINGS}/git/trees/{source.commit}?recursive=1", base_url)
    text = download_text(url, replace(transfer, max_bytes=8 * _MIB, progress=None))
    try:
        entries = json.loads(text)["tree"]
        ids = {str(entry["path"]): str(entry["sha"]) for entry in entries if entry["type"] == "blob"}
        return {file: ids[f"{source.under}/{file}"] for file in source.blobs}
    except (ValueError, LookupError, TypeError) as error:
        raise DownloadError(
            f"{url} did not answer with a listing that has {', '.join(source.blobs)} in {source.under}."
        ) from error


def _compare(url: str, what: str, got: str, expected: str) -> None:
    if got != expected:
        raise DownloadError(
            f"{url} does not match its checksum: the {what} is {got}.", expected=f"the {what} {expected}"
        )


def _write_manifest(name: str, source: _Source, folder: Path) -> None:
    """Record what was fetched: every file's size, and the digests of the files that are read."""
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        file = path.relative_to(folder).as_posix()
        read = file in (source.ratings, source.catalog)
        files[file] = {"bytes": path.stat().st_size, "sha256": digest(path, "sha256") if read else None}
    record = {"name": name, "source": source.page, "license": source.license, "files": files}
    try:
        (folder / _MANIFEST).write_text(json.dumps(record, indent=1), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error


def _swap(fresh: Path, target: Path, old: Path, source: _Source) -> None:
    """Put a folder in the target's place; a damaged one goes, one that another process made stays."""
    try:
        if _intact(target, source):
            return
        if target.exists():
            target.replace(old)
        fresh.rename(target)
    except OSError as error:
        # Another process may have finished in between.
        if _intact(target, source):
            return
        if old.exists() and not target.exists():
            with contextlib.suppress(OSError):
                old.rename(target)
        raise unwritable(target, error) from error


def _usable(folder: Path, source: _Source) -> bool:
    """Tell whether a folder holds the data set, fetched and intact or put there by hand."""
    if (folder / _MANIFEST).is_file():
        return _intact(folder, source)
    if not ((folder / source.ratings).is_file() and (folder / source.catalog).is_file()):
        return False
    warnings.warn(
        f"{folder} was not made by fetch; its files are used without a check.", CoratedNotice, stacklevel=3
    )
    return True


def _intact(folder: Path, source: _Source) -> bool:
    """Tell whether a fetched folder still holds what was fetched."""
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / _MANIFEST).read_text("utf-8"))["files"]
        if source.ratings not in files or source.catalog not in files:
            return False
        return all(
            (folder / file).stat().st_size == entry["bytes"]
            and entry["sha256"] in (None, digest(folder / file, "sha256"))
            for file, entry in files.items()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False
