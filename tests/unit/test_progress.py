"""What ``progress=`` may be."""

import pytest

from corated.errors import ParameterError
from corated.progress import reporting


@pytest.mark.parametrize("option", [None, False])
def test_silence(option, capsys):
    with reporting(option, "work") as report:
        report(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_callable_is_called():
    calls = []
    with reporting(lambda *call: calls.append(call), "work") as report:
        report(1, 2)
        report(2, 2)
    assert calls == [(1, 2), (2, 2)]


def test_true_is_a_bar_on_standard_error(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    with reporting(True, "pairs of users") as report:
        report(0, 4)
        report(2, 4)
    out, err = capsys.readouterr()
    assert out == ""
    assert "pairs of users" in err
    assert "50%" in err


def test_a_bar_ends_when_the_work_fails(capsys):
    with pytest.raises(KeyboardInterrupt), reporting(True, "work") as report:
        report(1, 2)
        raise KeyboardInterrupt
    with reporting(True, "more work") as report:  # a bar left running would refuse a second one
        report(1, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("option", ["yes", 1, 0, []])
def test_anything_else_is_refused(option):
    with pytest.raises(ParameterError, match="progress="), reporting(option, "work"):
        raise AssertionError("never inside")
