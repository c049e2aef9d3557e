"""The group of commands: each is imported when it is called, and every way out is a sentence and a code."""

from __future__ import annotations

import contextlib
import difflib
import errno
import keyword
import os
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any, TextIO

import click

from corated import __version__
from corated.cli.failures import FAILURE, INTERRUPTED, USAGE, explain, usage_text
from corated.cli.interrupt import interrupts
from corated.cli.state import State
from corated.cli.stores import masked
from corated.errors import CoratedNotice, ParameterError

__all__ = ["COMMANDS", "app"]

COMMANDS = (
    *("check", "plan", "neighbors", "pair", "diagnose", "recommend", "fit", "predict", "similar", "explain"),
    *("inspect", "evaluate", "compare", "tune", "import", "export", "verify", "erase", "backup"),
    *("serve", "key", "config", "sample", "fetch", "doctor"),
)
"""Every command, in the order of ``--help``; each is ``NAME_command`` in the module of its name.

A name that a module cannot have is followed by an underscore there.
"""

_ABOUT = """Find who rated alike, exactly, and recommend from it.

RATINGS is a file of ratings (.dat, csv, tsv, Parquet, Arrow, gzipped or not), or - for standard input.
Results go to standard output, progress and notices to standard error.

\b
Exit codes: 0 well, 1 failure, 2 wrong usage, 3 data that cannot be used,
4 a store or model that cannot be used, 130 interrupted, 143 terminated.
"""

_EPILOG = """\b
First steps:
  corated sample --size small -o demo
  corated check demo/ratings.dat --catalog demo/movies.dat
  corated recommend demo/ratings.dat --catalog demo/movies.dat
  corated fit demo/ratings.dat --catalog demo/movies.dat -o demo/model.corated
  corated recommend --model demo/model.corated 35
"""


class Commands(click.Group):
    """The group ``corated``: commands load lazily, and no exception gets out as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of the name."""
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"corated.cli.{module}"), f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; where there is none of the name, name the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            raise ParameterError(
                f"There is no command {args[0]}.",
                expected=f"one of {', '.join(COMMANDS)}",
                hint=f"did you mean corated {near[0]}?" if near else "corated --help",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C is caught here, before click answers it with an empty line.

        So is EOFError, which click takes for the end of somebody's typing: it comes of damaged files.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except EOFError as error:
            raise click.exceptions.Exit(_failed(error, ctx.ensure_object(State))) from None

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line and exit with its code; takes what click's ``main`` takes."""
        state = State()
        with _streams(), _notices(state), interrupts() as seen:
            try:
                code = super().main(*args, **{**extra, "standalone_mode": False, "obj": state})
                code = code if isinstance(code, int) else 0
                sys.stdout.flush()
            except click.UsageError as error:
                click.echo(masked(usage_text(error)), err=True)
                code = USAGE
            except (KeyboardInterrupt, click.Abort):
                code = INTERRUPTED
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told in a sentence
                # What comes of an interrupt inside another library may look like a failure of its own.
                code = INTERRUPTED if seen.pressed else _failed(error, state)
        if code == INTERRUPTED:
            code = seen.code
            click.echo("Stopped.", err=True)
        sys.exit(code)


def _failed(error: Exception, state: State) -> int:
    """Tell what went wrong; return the exit code."""
    if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ESHUTDOWN):
        _abandon_stdout()
        return FAILURE
    if state.debug:
        import traceback

        click.echo(masked("".join(traceback.format_exception(error))), err=True, nl=False)
    text, code = explain(error)
    click.echo(masked(text), err=True)
    return code


def _abandon_stdout() -> None:
    """Let nothing more be written to a pipe that nobody reads, not even when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Write what the terminal's encoding does not have as an escape, not as an error."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    yield


@contextlib.contextmanager
def _notices(state: State) -> Iterator[None]:
    """Show the package's notices as lines, once each; other warnings only with ``--debug``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=CoratedNotice)
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, CoratedNotice):
                state.notice(masked(str(message)))
            elif state.debug:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


app = Commands(
    name="corated",
    help=_ABOUT,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[],
    no_args_is_help=True,
)
click.version_option(__version__, prog_name="corated", message="%(prog)s %(version)s")(app)
