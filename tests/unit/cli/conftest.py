"""How the tests run the command line: in this process mostly, in one of its own where that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import corated as cr


class Ran:
    """What a run of the command line left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in out + err

    @property
    def json(self) -> Any:
        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


def _runner() -> CliRunner:
    try:
        return CliRunner(mix_stderr=False)
    except TypeError:  # since click 8.2 they are apart anyway
        return CliRunner()


@pytest.fixture
def run():
    """Run ``corated`` with some arguments in this process; ``code`` is what it must exit with."""
    from corated.cli.app import app

    def call(*args: object, code: int = 0, input: bytes | str | None = None) -> Ran:
        result = _runner().invoke(app, [str(arg) for arg in args], input=input, prog_name="corated")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        ran = Ran(result.exit_code, result.stdout, result.stderr)
        assert ran.code == code, ran.out + ran.err
        return ran

    return call


@pytest.fixture
def start():
    """Start ``corated`` in a process of its own; whatever is left of it is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*args: object, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **options.pop("env", {})}
        process = subprocess.Popen(
            [sys.executable, "-m", "corated.cli", *map(str, args)],
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **options,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def shell(start):
    """Run ``corated`` in a process of its own to its end."""

    def call(*args: object, input: bytes | None = None, **options: Any) -> Ran:
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = start(*args, **options)
        out, err = process.communicate(input, timeout=300)
        return Ran(process.returncode, out.decode(), err.decode())

    return call


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """A folder with ratings.dat and movies.dat of 60 users and 40 items."""
    folder = tmp_path_factory.mktemp("world")
    cr.sample(users=60, items=40, ratings=900, seed=3).write(folder)
    return folder


@pytest.fixture(scope="session")
def ratings(world) -> Path:
    return world / "ratings.dat"


@pytest.fixture(scope="session")
def catalog(world) -> Path:
    return world / "movies.dat"


@pytest.fixture
def csv(tmp_path):
    """Write a csv file of ratings under a header; return its path."""

    def write(*rows: str, header: str = "user_id,item_id,rating", name: str = "ratings.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write
