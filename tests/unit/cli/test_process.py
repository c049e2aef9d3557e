"""What only a process of its own shows: pipes, signals, full disks, folders that cannot be written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import corated as cr
from corated.similarity.jit import kernel_cache

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def test_exit_codes_of_a_real_process(shell, ratings, tmp_path, csv):
    assert shell("--version").code == 0
    assert shell("check", ratings).code == 0
    assert shell("check", ratings, "--nope").code == 2
    assert shell("check", csv("1,a,nan")).code == 3
    assert shell("recommend", ratings, "-o", tmp_path / "none" / "out.csv").code == 1


@posix
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_reader_that_leaves_is_no_error(start, ratings, form):
    process = start("recommend", ratings, "-n", "30", "-o", "-", "--out-format", form)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(120) == 1
    assert "error" not in err and "Traceback" not in err and "Exception ignored" not in err


@posix
@pytest.mark.parametrize("args", [["--json"], []])
def test_a_reader_of_text_that_leaves_is_no_error(start, ratings, args):
    process = start("recommend", ratings, *args)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(120) == 1
    assert "error" not in err and "Traceback" not in err and "Exception ignored" not in err


STOPS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@posix
@STOPS
def test_an_interrupt_while_waiting_for_input(start, number, code):
    process = start("check", "-", stdin=subprocess.PIPE)
    _wait_for(lambda: _sleeps(process.pid))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == b"" and err.decode().splitlines()[-1] == "Stopped." and b"Traceback" not in err


@posix
@pytest.mark.jit
@STOPS
def test_an_interrupt_in_the_middle_of_the_work(start, tmp_path, number, code):
    cr.sample(users=6000, items=200, ratings=400_000).write(tmp_path)
    out = tmp_path / "pairs.parquet"
    out.write_text("old")
    process = start("neighbors", tmp_path / "ratings.dat", "--all-pairs", "-o", out)
    _wait_for(lambda: any(tmp_path.glob(".pairs.parquet.*")) or process.poll() is not None)
    time.sleep(0.3)
    process.send_signal(number)
    told, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert told == b"" and err.decode().splitlines()[-1] == "Stopped." and b"Traceback" not in err
    assert out.read_text() == "old"
    assert not any(tmp_path.glob(".pairs.parquet.*"))


@posix
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_full_disk_leaves_the_old_file(shell, ratings, tmp_path, name):
    import resource

    out = tmp_path / name
    out.write_text("old")
    shell("recommend", ratings)  # whatever is compiled is kept before there is a limit

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    ran = shell("recommend", ratings, "-n", "30", "-o", out, preexec_fn=limit)
    assert ran.code == 1
    error = ran.err[ran.err.index("error: ") :]
    assert f"{out} could not be written: File too large" in error and "Next step: make room" in error
    assert out.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == [name]


def test_an_output_folder_that_is_not_there(run, ratings, tmp_path):
    ran = run("recommend", ratings, "-o", tmp_path / "none" / "out.csv", code=1)
    assert f"The output folder {tmp_path / 'none'} does not exist." in ran.err and "mkdir -p" in ran.err
    assert "notice" not in ran.err  # refused before anything was read


@pytest.mark.parametrize("where", ["file/out.csv", "/proc/out.csv"])
def test_an_output_folder_that_cannot_be_written(run, ratings, tmp_path, where):
    if where.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("no /proc")
    (tmp_path / "file").write_text("x")
    ran = run("recommend", ratings, "-o", tmp_path / where, code=1)
    assert ran.err.startswith("error: The output ") and "Next step: " in ran.err


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(run, ratings, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "Permission denied" in run("recommend", ratings, "-o", folder / "out.csv", code=1).err


@posix
def test_devices_are_written_to_not_replaced(run, ratings):
    run("recommend", ratings, "-o", os.devnull, "--out-format", "csv")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_device_that_takes_no_more_is_named(run, ratings, form):
    err = run("recommend", ratings, "-o", "/dev/full", "--out-format", form, code=1).err
    assert "error: The output /dev/full could not be written: No space left on device.\n" in err
    assert "Next step: make room" in err and "unharmed" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("args", [[], ["--json"], ["-o", "-"], ["-o", "-", "--out-format", "parquet"]])
def test_standard_output_that_takes_no_more_is_named(ratings, args):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "corated.cli", "recommend", str(ratings), *args],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert b"The output - (standard output) could not be written: No space left on device." in done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


@pytest.mark.jit
def test_damaged_kernels_are_told_of_and_compiled_anew(shell, ratings, tmp_path):
    """What is compiled already is copied, and one kernel of it, which every search takes, emptied."""
    kept = kernel_cache()
    assert kept is not None
    shell("recommend", ratings)
    cache = tmp_path / "kernels" / kept.name
    shutil.copytree(kept, cache)
    emptied = list(cache.rglob("profiles._fill*.nb?"))
    assert emptied
    for path in emptied:
        path.write_bytes(b"")
    env = {"CORATED_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": ""}
    assert "CANNOT BE LOADED" in shell("doctor", env=env).out
    ran = shell("recommend", ratings, "--json", env=env)
    assert ran.code == 0 and ran.json["rows"]
    assert ran.err.count("notice: Compiled kernels kept in ") == 1 and "Stopped" not in ran.err
    found = shell("doctor", "--json", env=env).json["kernels"]
    assert found["compiled"] > 0


@posix
@pytest.mark.parametrize("quiet", [[], ["--no-progress"]])
def test_a_terminal_gets_a_table_and_a_progress_bar(ratings, quiet):
    import pty

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "corated.cli", "recommend", str(ratings), *quiet],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    text = ""
    try:
        while part := os.read(controller, 65536):
            text += part.decode(errors="replace")
    except OSError:  # how Linux tells that the other end is closed
        pass
    finally:
        os.close(controller)
    assert process.wait(120) == 0
    assert "─" in text and "user_id" in text and "rows for 60 users" in text
    assert ("━" in text) == (not quiet)


def _sleeps(pid: int) -> bool:
    """Tell whether a process has come to read its input: it sleeps, with the library behind it loaded."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        time.sleep(3)
        return True
    maps = Path(f"/proc/{pid}/maps").read_text()
    return "pyarrow" in maps and stat.read_text().rsplit(")", 1)[1].split()[0] == "S"


def _wait_for(happened) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")
