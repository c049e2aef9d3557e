"""Writing beside the target and moving into place; disks that fail are in tests/faults."""

import os
import stat

import pytest

from corated.errors import DownloadError, OutputError
from corated.output import atomic_path


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
