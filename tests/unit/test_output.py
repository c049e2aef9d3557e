"""Writing beside the target and moving into place; disks that fail are in tests/faults."""

import errno
import os
import stat

import pytest

from corated.errors import DownloadError, OutputError
from corated.output import atomic_path, named


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file(tmp_path):
    target = tmp_path / "new.txt"
    with atomic_path(target) as path:
        assert path.parent == tmp_path
        assert path != target
        path.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["new.txt"]


def test_the_old_file_stands_until_the_end(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with atomic_path(str(target)) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, DownloadError])
def test_what_is_raised_inside_passes_on_and_nothing_is_left(tmp_path, error):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(error, match="as it was") as raised, atomic_path(target) as path:
        path.write_text("half")
        raise error("as it was")
    assert raised.type is error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_system_error_inside_becomes_an_output_error(tmp_path):
    target = tmp_path / "file"
    with pytest.raises(OutputError, match="No space left on device") as raised, atomic_path(target):
        raise OSError(28, "No space left on device")
    assert str(target) in str(raised.value)
    assert names(tmp_path) == []


def test_a_file_that_vanishes_inside(tmp_path):
    with pytest.raises(OutputError), atomic_path(tmp_path / "file") as path:
        path.unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "make room or choose another place"),
        (errno.EFBIG, "make room or choose another place"),
        (errno.EROFS, "choose a folder that you may write to"),
        (errno.EIO, "choose another place"),
    ],
)
def test_the_next_step_is_that_of_the_reason(tmp_path, number, step):
    with pytest.raises(OutputError, match=os.strerror(number)) as raised, atomic_path(tmp_path / "file"):
        raise OSError(number, os.strerror(number))
    assert raised.value.hint == f"{step}; the file that stood there before is unharmed"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_file_that_may_not_be_written(tmp_path, number):
    with pytest.raises(OutputError) as raised, atomic_path(tmp_path / "file") as path:
        raise OSError(number, os.strerror(number), str(path))
    assert "make room" not in str(raised.value) and "that you may write to" in raised.value.hint


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "other"),
        PermissionError(errno.EACCES, "Permission denied", b"other"),
        PermissionError(errno.EACCES, "Permission denied", 5),
        OSError(errno.ENOSPC, "No space left on device", "other"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError("something else"),
    ],
)
def test_an_error_of_something_else_inside_is_not_blamed_on_the_output(tmp_path, error):
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "file"):
        raise error
    assert raised.value is error
    assert names(tmp_path) == []


def test_messages_show_the_path_as_it_was_given(tmp_path, monkeypatch):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "folder").mkdir()
    (tmp_path / "far" / "file").touch()
    monkeypatch.chdir(tmp_path)
    for target, told in (
        ("near/folder", "The output near/folder is a folder."),
        ("near/none/file", "The output folder near/none does not exist."),
        ("near/file/deeper", "The output folder near/file is a file."),
    ):
        with pytest.raises(OutputError) as raised, atomic_path(target):
            raise AssertionError("never inside")
        assert raised.value.what == told
        assert str(tmp_path) not in str(raised.value)
    with pytest.raises(OutputError, match=r"The output near/new could") as raised, atomic_path("near/new"):
        raise OSError(28, "No space left on device")
    assert str(tmp_path) not in str(raised.value)


def test_the_command_that_makes_the_folder_can_be_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="mkdir -p 'my folder'"), atomic_path("my folder/file"):
        raise AssertionError("never inside")


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(OutputError, match="null"), atomic_path(f"{tmp_path}/a\0b"):
        raise AssertionError("never inside")


def test_an_output_that_is_no_file_is_named(tmp_path):
    with pytest.raises(OutputError) as raised, named("somewhere"):
        raise OSError(28, "No space left on device")
    assert raised.value.what == "The output somewhere could not be written: No space left on device."
    assert raised.value.hint == "make room or choose another place"
    with pytest.raises(BrokenPipeError), named("somewhere"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_path("here.txt") as path:
        path.write_text("x")
    assert names(tmp_path) == ["here.txt"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    target = tmp_path / ("n" * 255)
    with atomic_path(target) as path:
        path.write_text("x")
    assert target.read_text() == "x"
    with pytest.raises(OutputError, match="too long"), atomic_path(tmp_path / ("n" * 256)):
        raise AssertionError("never inside")


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with atomic_path(tmp_path / "file") as path:
        path.touch()
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link) as path:
        path.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
