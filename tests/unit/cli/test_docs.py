import gzip
import re
import shlex
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

import corated as cr
from corated.cli.app import COMMANDS
from corated.cli.docs import page

ROOT = Path(__file__).parents[3]
RUN = ["check", "plan", "neighbors", "pair", "diagnose", "fit", "inspect",
       "recommend", "predict", "similar", "explain",
       "import", "export", "verify", "backup", "erase"]  # fmt: skip
"""The commands whose examples are run: ``fit`` and ``import`` before what needs their files."""


def test_the_page_is_what_the_commands_say():
    committed = ROOT / "docs" / "cli.md"
    assert committed.read_text(encoding="utf-8") == page(), "python -m corated.cli.docs > docs/cli.md"


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """A folder with what `corated sample --size small -o .` writes, and the other files of the examples."""
    made = cr.sample(size="small")
    made.write(tmp_path)
    table = made.ratings.to_arrow()
    plain = table.set_column(3, "timestamp", table["timestamp"].cast("int64"))
    pyarrow.csv.write_csv(plain, tmp_path / "ratings.csv")
    named = plain.rename_columns(["reviewer", "film", "rating", "timestamp"])
    pyarrow.csv.write_csv(named, tmp_path / "reviews.csv")
    pyarrow.parquet.write_table(table, tmp_path / "ratings.parquet")
    (tmp_path / "ratings.csv.gz").write_bytes(gzip.compress((tmp_path / "ratings.csv").read_bytes()))
    users, items = made.ratings.users.ids.to_pylist(), made.ratings.items.ids.to_pylist()
    (tmp_path / "some.txt").write_text(f"{users[0]}\n{users[9]}\n")
    (tmp_path / "mine.csv").write_text(
        "".join(f"{item},{rating}\n" for item, rating in zip(items[:3], (9, 8, 7), strict=True))
    )
    (tmp_path / "pairs.csv").write_text(f"{users[0]},{items[0]}\n{users[9]},{items[5]}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def examples(name):
    """The lines of a command's examples, as the page has them."""
    section = re.search(rf"^## {name}\n.*?^```sh\n(.*?)^```", page(), re.DOTALL | re.MULTILINE)
    return section[1].splitlines()


def run_line(run, line):
    """Run one line: `zcat FILE | corated ...` too."""
    before, _, command = line.rpartition(" | ")
    text = None
    if before:
        zcat, file = shlex.split(before)
        assert zcat == "zcat"
        text = gzip.decompress(Path(file).read_bytes())
    corated, *args = shlex.split(command, comments=True)
    assert corated == "corated"
    return run(*args, input=text)


def test_every_command_with_data_has_its_examples_run():
    assert set(COMMANDS) - set(RUN) == {
        *("evaluate", "compare", "tune", "serve", "key", "config", "sample", "fetch", "doctor"),
    }


@pytest.mark.jit
def test_examples_of_the_page_run(run, sample):
    for name in RUN:
        lines = examples(name)
        assert len(lines) >= 2
        for line in lines:
            ran = run_line(run, line)
            assert ran.out or " -o " in line, line
    for left in ("model.corated", "baseline.corated", "items.corated", "lists.parquet", "predicted.parquet"):
        assert (sample / left).stat().st_size > 0


@pytest.mark.jit
def test_the_readmes_commands_run(run, tmp_path, monkeypatch):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^From the command line:\n\n```\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    lines = block[1].splitlines()
    assert len(lines) >= 6 and any(line.startswith("corated explain ") for line in lines)
    for line in lines:
        run_line(run, line)
