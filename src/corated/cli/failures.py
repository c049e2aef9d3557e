"""How failures are told: one sentence, what was expected, the rows, the next step; and the exit code."""

from __future__ import annotations

import re

import click

from corated.cli.words import on_command_line, printable
from corated.errors import CoratedError

__all__ = ["FAILURE", "INTERRUPTED", "USAGE", "explain", "usage_text"]

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
_DEBUG = "Next step: run the command again with --debug, which shows where it happened."


def explain(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code of an exception."""
    if isinstance(error, CoratedError):
        return _told(error), error.exit_code
    if isinstance(error, MemoryError):
        return (
            "error: There is not enough memory.\nNext step: corated plan RATINGS tells what is needed.",
            FAILURE,
        )
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return printable(f"error: {where}{error.strerror}.\n{_DEBUG}"), FAILURE
    first = (str(error).splitlines() or [""])[0]
    reason = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return printable(f"error: Something went wrong that should not ({reason}).\n{_DEBUG}"), FAILURE


def usage_text(error: click.UsageError) -> str:
    """Return the message for a command line that cannot be understood."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    path = error.ctx.command_path if error.ctx is not None else "corated"
    step = f"{path} --help"
    if isinstance(error, click.NoSuchOption) and re.match(r"-\d", error.option_name):
        step = "put -- before an id that starts with -"
    return printable(f"error: {error.format_message()}\nNext step: {step}")


def _told(error: CoratedError) -> str:
    lines = [f"error: {on_command_line(error.what)}"]
    if error.expected:
        lines.append(f"Expected: {on_command_line(error.expected)}")
    lines += [f"  {row}" for row in error.rows]
    if error.hint:
        hint = on_command_line(error.hint)
        lines.append(f"Next step: {hint[:1].lower() if hint[1:2].islower() else hint[:1]}{hint[1:]}")
    return printable("\n".join(lines))
