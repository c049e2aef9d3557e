import subprocess
import sys

import pytest

import corated
from corated.cli import options
from corated.cli.app import COMMANDS


def test_version_and_help_name_every_command(run):
    assert run("--version").out == f"corated {corated.__version__}\n"
    listing = run("--help").out
    for name in COMMANDS:
        assert f"\n  {name}" in listing
        page = run(name, "--help").out
        assert f"corated {name}" in page and "Examples:" in page and "--debug" in page and "--json" in page
    assert "..." not in listing.split("Commands:")[1]  # no summary is cut


def test_without_a_command_the_help_is_usage(run):
    assert "Commands:" in run(code=2).err


def test_help_imports_nothing_that_computes():
    code = (
        "import sys\n"
        "from corated.cli.app import app\n"
        "for args in (['--help'], ['recommend', '--help'], ['doctor', '--help'], ['--version']):\n"
        "    try:\n"
        "        app(args, prog_name='corated')\n"
        "    except SystemExit:\n"
        "        pass\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'scipy', 'narwhals', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_names_kept_for_help_are_those_of_the_library():
    from corated.models.presets import PRESETS
    from corated.models.rules import RULES
    from corated.ratings import options as reading
    from corated.ratings.fetch import DATASETS
    from corated.ratings.sample import SIZES
    from corated.similarity.measures import MEASURES

    assert tuple(MEASURES) == options.MEASURES
    assert tuple(RULES) == options.RULES
    assert tuple(PRESETS) == options.PRESETS
    assert set(SIZES) == set(options.SIZES)
    assert tuple(DATASETS) == options.DATASETS
    assert tuple(reading.DUPLICATES) == options.DUPLICATES
    assert tuple(reading.FORMATS) == options.READ_FORMATS
    assert tuple(reading.ON_BAD) == options.ON_BAD
    assert set(reading.UNITS) == set(options.TIME_UNITS)


@pytest.mark.parametrize(
    ("args", "told", "step"),
    [
        (["recomend"], "There is no command recomend", "did you mean corated recommend?"),
        (["zzz"], "There is no command zzz", "corated --help"),
        (["--nope"], "--nope", "corated --help"),
        (["check"], "RATINGS", "corated check --help"),
        (["check", "x.csv", "--nope"], "--nope", "corated check --help"),
        (["neighbors", "x.csv", "-5"], "-5", "put -- before an id"),
        (["neighbors", "x.csv", "--measure", "pearsonn"], "Expected: one of pearson, eucl", "mean pearson?"),
        (["plan", "x.csv", "--measure", "euclidean(shrink=3)"], "is a distance", "with --min-common 3"),
        (["pair", "x.csv", "1", "2", "--measure", "cosine(weight=bm26)"], "weight 'bm26'", "mean bm25?"),
        (["recommend", "x.csv", "--measure", "pearson(shrnk=3)"], "no parameter 'shrnk'", "mean shrink?"),
    ],
)
def test_wrong_usage_exits_2_with_a_next_step(run, args, told, step):
    ran = run(*args, code=2)
    assert ran.out == ""
    assert ran.err.startswith("error: ") and told in ran.err
    assert ran.err.splitlines()[-1].startswith("Next step: ") and step in ran.err


@pytest.mark.parametrize(
    "measure", ["pearson(", "tversky(alpha=-1)", "pearson(3)", "pearson(shrink=1, adjust=significance)"]
)
def test_a_measure_that_cannot_be_used_exits_2(run, measure):
    ran = run("neighbors", "x.csv", "--measure", measure, code=2)
    assert ran.err.startswith("error: ") and "Expected: " in ran.err


def test_help_names_every_measure(run):
    for name in ("neighbors", "pair", "plan", "recommend"):
        page = " ".join(run(name, "--help").out.split())
        assert ", ".join(options.MEASURES) in page and "'pearson(shrink=100)'" in page


def test_names_of_measures_are_completed():
    found = options.Measure().shell_complete(None, None, "cos")
    assert [item.value for item in found] == ["cosine", "cosine_common"]


def test_an_unexpected_exception_is_one_sentence(run, ratings, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(corated, "read_ratings", broken)
    ran = run("check", ratings, code=1)
    assert ran.err.startswith(
        "error: Something went wrong that should not (ZeroDivisionError: by nothing).\n"
    )
    assert "Next step: run the command again with --debug" in ran.err


@pytest.mark.parametrize("error", [MemoryError(), PermissionError(13, "Permission denied", "cache/file")])
def test_failures_of_the_machine_are_told(run, ratings, monkeypatch, error):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(corated, "read_ratings", broken)
    ran = run("check", ratings, code=1)
    assert ("not enough memory" in ran.err) or ("cache/file: Permission denied" in ran.err)
    assert "Next step: " in ran.err


def test_debug_adds_the_traceback(start, csv):
    process = start("check", csv("1,a,nan"), "--debug")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert b"Traceback" in err and b"error: " in err


def test_an_interrupt_exits_130_with_one_line(run, ratings, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(corated, "read_ratings", interrupted)
    ran = run("check", ratings, code=130)
    assert (ran.out, ran.err) == ("", "Stopped.\n")


def test_a_file_that_ends_too_early_is_not_an_interrupt(run, ratings, monkeypatch):
    def ended(*args, **kwargs):
        raise EOFError("Ran out of input")

    monkeypatch.setattr(corated, "read_ratings", ended)
    ran = run("check", ratings, code=1)
    assert "EOFError: Ran out of input" in ran.err and "Stopped" not in ran.err
    assert "Next step: " in ran.err


def test_other_warnings_are_for_debug_only(run, ratings, monkeypatch):
    import warnings

    read = corated.read_ratings

    def warned(*args, **kwargs):
        warnings.warn("of the library behind", ImportWarning, stacklevel=1)
        warnings.warn("for you", corated.CoratedNotice, stacklevel=1)
        warnings.warn("for you", corated.CoratedNotice, stacklevel=1)
        return read(*args, **kwargs)

    monkeypatch.setattr(corated, "read_ratings", warned)
    err = run("check", ratings).err
    assert err.count("notice: for you\n") == 1
    assert "behind" not in err
