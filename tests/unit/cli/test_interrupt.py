import os
import signal
import time

import pytest

import corated
from corated.cli.interrupt import interrupts

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers of POSIX")


def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)


def swallowed():
    try:
        press()
    except KeyboardInterrupt:
        return


def test_an_interrupt_that_is_swallowed_comes_again():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), interrupts() as seen:
        swallowed()
        for _ in range(200):
            time.sleep(0.05)
    assert seen.pressed
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_request_to_end_is_taken_as_one():
    with pytest.raises(KeyboardInterrupt), interrupts() as seen:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert seen.pressed and seen.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_putting_away_is_not_interrupted():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts():
        try:
            press()
        finally:
            time.sleep(0.6)
            done.append(True)
    assert done


def test_an_interrupt_that_becomes_another_error_is_still_one(run, ratings, monkeypatch):
    def twisted(*args, **kwargs):
        try:
            press()
        except KeyboardInterrupt:
            raise TypeError("unexpected argument") from None

    monkeypatch.setattr(corated, "read_ratings", twisted)
    assert run("check", ratings, code=130).err == "Stopped.\n"
