"""Fetching named data sets, from a server on this machine."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import threading
import warnings
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from corated import cache
from corated.errors import Cancelled, CoratedNotice, DownloadError, OutputError, ParameterError
from corated.ratings import _download
from corated.ratings import fetch as fetch_module
from corated.ratings.fetch import DATASETS, fetch

ZIP = "/datasets/movielens/ml-latest-small.zip"
SOURCES = fetch_module._SOURCES
TWEETINGS = SOURCES["movietweetings"]


class Host:
    """A server whose answers are (status, headers, body) by path, and what it was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked.append(self.path)
                status, headers, body = host.answers.get(self.path, (404, {}, b"nothing here"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                # A client that gives up early is part of what is tested.
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def serve(self, path, body, status=200, **headers):
        self.answers[path] = (status, {k.replace("_", "-"): v for k, v in headers.items()}, body)

    def serve_zip(self, files, path=ZIP, md5=None):
        body = zip_of(files)
        self.serve(path, body)
        told = md5 or hashlib.md5(body).hexdigest()
        self.serve(f"{path}.md5", f"MD5 ({Path(path).name}) = {told}\n".encode())

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


SMALL = {
    "ml-latest-small/ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.0,9649827\n2,10,3.5,9649828\n",
    "ml-latest-small/movies.csv": 'movieId,title,genres\n10,"American President, The (1995)",Comedy|Drama\n',
    "ml-latest-small/README.txt": "terms\n",
}


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Host()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def cached(monkeypatch, tmp_path):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CORATED_CACHE", str(folder))
    return folder


def quiet(name, host, **options):
    """Fetch without the license's notice."""
    return fetch(name, base_url=host.url, accept_license=True, **options)


def left_behind(folder):
    """Names in the folder of data sets, temporary ones included."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_archive_is_fetched_once_and_then_found_without_the_network(host, cached):
    host.serve_zip(SMALL)
    with pytest.warns(CoratedNotice, match="no redistribution") as notices:
        data = fetch("ml-latest-small", base_url=host.url)
    assert len(notices) == 1
    assert host.asked == [f"{ZIP}.md5", ZIP]
    assert data.folder == cached / "datasets" / "ml-latest-small"
    assert data.ratings.read_text() == SMALL["ml-latest-small/ratings.csv"]
    assert data.catalog.read_text() == SMALL["ml-latest-small/movies.csv"]
    assert (data.folder / "README.txt").read_text() == "terms\n"
    assert "GroupLens" in data.license and "grouplens.org" in data.source
    assert left_behind(cached / "datasets") == ["ml-latest-small"]

    host.asked.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetch("ml-latest-small", base_url=host.url) == data
    assert host.asked == []


def test_another_folder_and_progress(host, tmp_path):
    host.serve_zip(SMALL)
    steps = []
    data = quiet("ml-latest-small", host, folder=tmp_path / "mine", progress=lambda *step: steps.append(step))
    assert data.folder == tmp_path / "mine" / "ml-latest-small"
    size = len(host.answers[ZIP][2])
    assert steps[0] == (0, size) and steps[-1] == (size, size)


@pytest.mark.parametrize("damage", ["same size", "shorter", "missing", "manifest", "extra missing"])
def test_a_damaged_entry_is_fetched_again(host, damage):
    host.serve_zip(SMALL)
    data = quiet("ml-latest-small", host)
    content = data.ratings.read_bytes()
    if damage == "same size":
        data.ratings.write_bytes(content.replace(b"4.0", b"1.0"))
    elif damage == "shorter":
        data.ratings.write_bytes(content[:-5])
    elif damage == "missing":
        data.ratings.unlink()
    elif damage == "manifest":
        (data.folder / ".corated.json").write_text("{")
    else:
        (data.folder / "README.txt").unlink()
    again = quiet("ml-latest-small", host)
    assert host.asked.count(ZIP) == 2
    assert again.ratings.read_bytes() == content
    assert (data.folder / "README.txt").is_file()


def test_a_damaged_entry_stays_where_it_cannot_be_fetched_again(host):
    host.serve_zip(SMALL)
    data = quiet("ml-latest-small", host)
    data.ratings.write_text("damaged")
    host.answers.clear()
    with pytest.raises(DownloadError):
        quiet("ml-latest-small", host)
    assert data.ratings.read_text() == "damaged"
    assert left_behind(data.folder.parent) == ["ml-latest-small"]


def test_a_folder_filled_by_hand_is_used_with_a_notice(host, cached):
    folder = cached / "datasets" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "ratings.dat").write_text("1::1::5::1\n")
    with pytest.raises(OutputError, match="does not hold"):
        quiet("ml-1m", host)
    (folder / "movies.dat").write_text("1::A (1999)::Drama\n")
    with pytest.warns(CoratedNotice, match="without a check"):
        data = quiet("ml-1m", host)
    assert data.catalog == folder / "movies.dat"
    assert host.asked == []


def test_an_empty_folder_is_no_obstacle(host, cached):
    (cached / "datasets" / "ml-latest-small").mkdir(parents=True)
    host.serve_zip(SMALL)
    assert quiet("ml-latest-small", host).ratings.is_file()


def serve_tweetings(host, under="latest", tree=True):
    files = {
        "ratings.dat": b"1::0104257::8::1364690142\n2::0104257::7::1364690143\n",
        "movies.dat": b"0104257::A Few Good Men (1992)::Drama\n",
        "users.dat": b"1::177651718\n",
    }
    for name, body in files.items():
        host.serve(f"/sidooms/MovieTweetings/{TWEETINGS.commit}/{under}/{name}", body)
    entries = [{"path": "latest", "type": "tree", "sha": "0" * 40}] + [
        {
            "path": f"latest/{name}",
            "type": "blob",
            "sha": hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest(),
        }
        for name, body in files.items()
    ]
    path = f"/repos/sidooms/MovieTweetings/git/trees/{TWEETINGS.commit}?recursive=1"
    if tree:
        host.serve(path, json.dumps({"sha": TWEETINGS.commit, "tree": entries}).encode())
    return files, path


def test_movietweetings_is_checked_by_the_blob_ids_of_the_pinned_commit(host):
    files, tree = serve_tweetings(host)
    data = quiet("movietweetings", host)
    assert host.asked[0] == tree
    assert {name: (data.folder / name).read_bytes() for name in files} == files
    assert data.license.startswith("MIT")


def test_movietweetings_with_another_file_than_the_commit_has_is_refused(host, cached):
    serve_tweetings(host)
    host.serve(f"/sidooms/MovieTweetings/{TWEETINGS.commit}/latest/movies.dat", b"other\n")
    with pytest.raises(DownloadError, match="git blob id") as caught:
        quiet("movietweetings", host)
    assert "/tree/" + TWEETINGS.commit in caught.value.hint
    assert left_behind(cached / "datasets") == []


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"tree": []}', b'{"tree": [1]}', b"\xff\xfe"])
def test_a_tree_listing_that_is_none_is_refused(host, body):
    _, path = serve_tweetings(host)
    host.serve(path, body)
    with pytest.raises(DownloadError, match="did not answer with"):
        quiet("movietweetings", host)


def test_recorded_blob_ids_are_compared(host):
    source = SOURCES["movietweetings-100k"]
    host.serve(f"/sidooms/MovieTweetings/{source.commit}/snapshots/100K/ratings.dat", b"1::2::3::4\n")
    with pytest.raises(DownloadError, match="git blob id") as caught:
        quiet("movietweetings-100k", host)
    assert source.blobs["ratings.dat"] in caught.value.expected


def test_recorded_blob_ids_are_those_of_the_published_files():
    root = Path(os.environ.get("CORATED_DATA", Path(__file__).parents[3] / "../shared/data"))
    folder = root / "movietweetings-100k"
    if not folder.is_dir():
        pytest.skip(f"no movietweetings-100k in {root}; set CORATED_DATA")
    for name, expected in SOURCES["movietweetings-100k"].blobs.items():
        assert _download.blob_id(folder / name) == expected


def test_blob_id_is_gits(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"what git hashes\n")
    try:
        said = subprocess.run(["git", "hash-object", str(file)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git is not installed")
    assert _download.blob_id(file) == said.stdout.strip()


def test_a_wrong_checksum_leaves_nothing(host, cached):
    host.serve_zip(SMALL, md5="0" * 32)
    with pytest.raises(DownloadError, match="does not match its checksum") as caught:
        quiet("ml-latest-small", host)
    assert "0" * 32 in caught.value.expected
    assert "ratings.csv" in caught.value.hint and "unpack" in caught.value.hint
    assert left_behind(cached / "datasets") == []


@pytest.mark.parametrize("told", [b"", b"<html>moved</html>", b"0" * 32 + b"\n" + b"1" * 32])
def test_a_checksum_file_without_one_checksum_is_refused(host, told):
    host.serve_zip(SMALL)
    host.serve(f"{ZIP}.md5", told)
    with pytest.raises(DownloadError, match="one MD5 sum"):
        quiet("ml-latest-small", host)


def test_not_found(host):
    with pytest.raises(DownloadError, match="404") as caught:
        quiet("ml-latest-small", host)
    assert "ml-latest-small" in str(caught.value) and "Next step" in str(caught.value)


def test_connection_refused_says_where_to_put_the_files(host, cached):
    host.close()
    with pytest.raises(DownloadError, match="could not be reached") as caught:
        quiet("ml-20m", host)
    assert str(cached / "datasets" / "ml-20m" / "ratings.csv") in caught.value.hint
    assert "https://files.grouplens.org/datasets/movielens/ml-20m.zip" in caught.value.hint


def test_a_truncated_body_is_refused(host):
    host.serve_zip(SMALL)
    body = host.answers[ZIP][2]
    host.serve(ZIP, body[:-10], Content_Length=str(len(body)))
    with pytest.raises(DownloadError, match="broke off after"):
        quiet("ml-latest-small", host)


def test_a_body_without_a_length_is_read_to_its_end(host):
    host.serve_zip(SMALL)
    host.serve(ZIP, host.answers[ZIP][2], Content_Length="")
    steps = []
    assert quiet("ml-latest-small", host, progress=lambda *step: steps.append(step)).ratings.is_file()
    assert {total for _, total in steps} == {0}


def test_redirects_are_followed(host):
    host.serve_zip(SMALL, path="/elsewhere.zip")
    host.serve(ZIP, b"", 302, Location="/elsewhere.zip")
    host.serve(f"{ZIP}.md5", b"", 301, Location="/elsewhere.zip.md5")
    assert quiet("ml-latest-small", host).ratings.is_file()


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("http://a/x", "http://b/x", True),
        ("http://a/x", "https://b/x", True),
        ("https://a/x", "https://b/x", True),
        ("https://a/x", "http://b/x", False),
        ("http://a/x", "ftp://b/x", False),
        ("http://a/x", "file:///etc/passwd", False),
    ],
)
def test_redirects_never_leave_https(old, new, allowed):
    handler = _download._SafeRedirects()
    request = _download.urllib.request.Request(old)
    if allowed:
        assert handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, new).full_url == new
    else:
        with pytest.raises(OSError, match="refused the redirect"):
            handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, new)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(host, tmp_path, announced):
    host.serve("/big", b"x" * 2_000_000, **({} if announced else {"Content_Length": ""}))
    transfer = _download.Transfer(max_bytes=1_000_000)
    with pytest.raises(DownloadError, match="larger than 1,000,000 bytes"):
        _download.download(f"{host.url}/big", tmp_path / "big", transfer)
    assert not announced or (tmp_path / "big").stat().st_size == 0


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "C:\\evil", "..\\evil", "ml-latest-small/../../evil"]
)
def test_members_that_lead_out_are_refused(host, cached, name):
    host.serve_zip({**SMALL, name: "evil"})
    with pytest.raises(DownloadError, match="must not be unpacked"):
        quiet("ml-latest-small", host)
    assert not list(cached.parent.rglob("*evil*"))


def test_links_in_an_archive_are_refused(host):
    info = zipfile.ZipInfo("ml-latest-small/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    host.serve_zip({**SMALL, info: "/etc/passwd"})
    with pytest.raises(DownloadError, match="must not be unpacked"):
        quiet("ml-latest-small", host)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    archive = tmp_path / "bomb.zip"
    archive.write_bytes(zip_of({"a": b"0" * 3_000_000}))
    assert archive.stat().st_size < 10_000
    with pytest.raises(DownloadError, match="3,000,000 bytes"):
        _download.unpack(archive, tmp_path, _download.Transfer(max_bytes=1_000_000))
    archive.write_bytes(zip_of({str(i): b"" for i in range(1001)}))
    with pytest.raises(DownloadError, match="1,001 files"):
        _download.unpack(archive, tmp_path, _download.Transfer())
    assert left_behind(tmp_path) == ["bomb.zip"]


def test_a_damaged_archive_is_refused(tmp_path):
    whole = zip_of({"a": os.urandom(5000), "b": b"b"})
    for cut in (whole[:-30], whole[:1000] + bytes(100) + whole[1100:], b"no zip"):
        archive = tmp_path / "damaged.zip"
        archive.write_bytes(cut)
        with pytest.raises(DownloadError, match="is damaged"):
            _download.unpack(archive, tmp_path / "out", _download.Transfer())
        (tmp_path / "out" / "a").unlink(missing_ok=True)


def test_an_archive_without_the_ratings_is_refused(host):
    host.serve_zip({"ml-latest-small/movies.csv": "movieId,title,genres\n"})
    with pytest.raises(DownloadError, match=r"does not hold ratings\.csv"):
        quiet("ml-latest-small", host)


def test_cancel_leaves_nothing(host, cached):
    host.serve_zip(SMALL)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        quiet("ml-latest-small", host, cancel=cancel)
    assert left_behind(cached / "datasets") == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, OSError, ValueError])
def test_progress_may_raise_whatever_it_likes(host, cached, kind):
    host.serve_zip(SMALL)

    def stop(done, total):
        if done:
            raise kind("stop")

    with pytest.raises(kind, match=r"^stop$"):
        quiet("ml-latest-small", host, progress=stop)
    assert left_behind(cached / "datasets") == []


def test_a_bar_is_shown_on_standard_error_only(host, capfd):
    host.serve_zip(SMALL)
    quiet("ml-latest-small", host, progress=True)
    assert capfd.readouterr().out == ""
    with pytest.raises(ParameterError, match="progress="):
        quiet("ml-1m", host, progress="yes")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_folder_that_cannot_be_put_in_place_changes_nothing(host, cached, monkeypatch, damaged):
    host.serve_zip(SMALL)
    if damaged:
        quiet("ml-latest-small", host).ratings.write_text("damaged")
    real = Path.rename

    def refused(path, target):
        if path.name == "data":
            raise OSError(13, "Permission denied")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OutputError, match="Permission denied"):
        quiet("ml-latest-small", host)
    assert left_behind(cached / "datasets") == (["ml-latest-small"] if damaged else [])
    if damaged:
        assert (cached / "datasets" / "ml-latest-small" / "ratings.csv").read_text() == "damaged"


def test_a_copy_that_another_process_finished_first_is_used(host, monkeypatch):
    host.serve_zip(SMALL)
    real = Path.rename

    def beaten(path, target):
        shutil.copytree(path, target)
        return real(path, target)

    monkeypatch.setattr(Path, "rename", beaten)
    assert quiet("ml-latest-small", host).ratings.is_file()


def test_members_that_stand_in_each_others_way(tmp_path):
    archive = tmp_path / "odd.zip"
    archive.write_bytes(zip_of({"a": "file", "a/b": "in a file", "c": ""}))
    with pytest.raises(OutputError, match="cannot be written"):
        _download.unpack(archive, tmp_path / "out", _download.Transfer())


def test_an_unknown_name_lists_the_known_ones():
    for name in ("ml-99m", 7):
        with pytest.raises(ParameterError, match=repr(name)) as caught:
            fetch(name)
        assert all(known in caught.value.expected for known in DATASETS)


def test_a_cache_that_cannot_be_written(host, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot be written") as caught:
        quiet("ml-latest-small", host)
    assert "CORATED_CACHE" in caught.value.hint
    with pytest.raises(OutputError, match="cannot be made"):
        cache.cache_folder("kernels", create=True)


def test_a_full_disk_is_said(host, cached, monkeypatch):
    host.serve_zip(SMALL)
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, chunk):
            raise OSError(28, "No space left on device")

        def close(self):
            self.file.close()

    def opened(path, mode="r", *args, **kwargs):
        file = real(path, mode, *args, **kwargs)
        return Full(file) if mode == "xb" else file

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OutputError, match="No space left"):
        quiet("ml-latest-small", host)
    assert left_behind(cached / "datasets") == []


def test_two_at_once_end_with_one_whole_copy(host):
    host.serve_zip(SMALL)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(quiet("ml-latest-small", host))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and len(set(results)) == 1
    assert left_behind(results[0].folder.parent) == ["ml-latest-small"]
    assert results[0].ratings.read_text() == SMALL["ml-latest-small/ratings.csv"]


def test_read_gives_ratings_and_catalog_with_one_id_type(host):
    serve_tweetings(host)
    data = quiet("movietweetings", host)
    ratings, catalog = data.read()
    assert ratings.n_ratings == 2
    assert catalog.title("0104257") == "A Few Good Men (1992)"
    assert catalog.ids.kind == ratings.items.kind == "text"


def test_every_address_is_https_and_every_set_names_its_files():
    for name, source in SOURCES.items():
        assert source.archive.startswith("https://files.grouplens.org/") or source.commit, name
        assert source.license and source.ratings != source.catalog


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, Path.home() / ".cache" / "corated"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, Path("/x/corated")),
        ("linux", {"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "corated"),
        ("darwin", {"XDG_CACHE_HOME": "/x"}, Path.home() / "Library" / "Caches" / "corated"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/corated/Cache")),
        ("win32", {}, Path.home() / "AppData" / "Local" / "corated" / "Cache"),
        ("linux", {"CORATED_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, Path("/c")),
        ("linux", {"CORATED_CACHE": "~/c"}, Path.home() / "c"),
    ],
)
def test_the_cache_folder_of_each_platform(platform, environment, expected):
    assert cache._base(platform, environment) == expected


def test_no_home_folder_is_said(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(OutputError, match="home folder"):
        cache._base("linux", {})


def test_cache_folder_makes_folders_only_when_asked(cached):
    assert cache.cache_folder("kernels") == cached / "kernels"
    assert not cached.exists()
    assert cache.cache_folder("kernels", create=True).is_dir()


def test_what_is_known_of_each_data_set_without_fetching_it():
    assert "ml-100k" in DATASETS and list(DATASETS)[:2] == ["movietweetings", "movietweetings-100k"]
    for name, known in DATASETS.items():
        assert known.name == name
        assert known.license and known.source.startswith("https://")
    assert DATASETS["movietweetings"].license.startswith("MIT")
    assert "GroupLens" in DATASETS["ml-1m"].license and "grouplens.org" in DATASETS["ml-1m"].source
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["ml-1m"]
