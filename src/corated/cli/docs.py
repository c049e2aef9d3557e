"""The page docs/cli.md, from the commands themselves: ``python -m corated.cli.docs > docs/cli.md``."""

from __future__ import annotations

import re

import click

from corated.cli.app import COMMANDS, app
from corated.cli.options import OWN, READING, Command

__all__ = ["page"]

_HEAD = """# The command line

<!-- Written by `python -m corated.cli.docs > docs/cli.md`. Change the commands, not this page. -->

`corated COMMAND RATINGS [options]`; what recommends, predicts or explains also takes a [kept](keeping.md)
model, `--model FILE`, in place of RATINGS. Results go to standard output, progress bars and notices to
standard error, so results can be piped. `-` stands for standard input (ratings, or a file of ids, pairs or a
history) and standard output (`-o`).

Ids in the examples are those of `corated sample --size small -o .`, and models those of the examples of
[fit](#fit).

A file that is written appears under its name only when it is whole: if anything goes wrong before, the file
that stood there is as it was.

| exit code | meaning |
|---|---|
| 0 | well |
| 1 | failure: the output cannot be written, the network fails, ... |
| 2 | wrong usage: an option that cannot be used, an id that is not in the data |
| 3 | data that cannot be used as they are |
| 4 | a store or model that cannot be used |
| 130 | stopped with Ctrl-C |
| 143 | stopped with SIGTERM |

A failure is told as `error: ...` with what was expected, the first rows in question and the next step;
`--debug` adds a traceback. What is decided for you is told as `notice: ...`.

Text in csv that starts with `=`, `+`, `-` or `@` gets a leading `'`, with a notice, since spreadsheets run
such text as a formula. `--csv-exact` leaves it as it is; Parquet and JSON lines always do.

Tab completion, for bash (or `zsh_source`, `fish_source`): `eval "$(_CORATED_COMPLETE=bash_source corated)"`
"""


def page() -> str:
    """Return the page."""
    root = click.Context(app, info_name="corated", help_option_names=["-h", "--help"])
    made = {name: app.get_command(root, name) for name in COMMANDS}
    commands = {name: command for name, command in made.items() if isinstance(command, Command)}
    parts = [_HEAD]
    for name, command in commands.items():
        parts.append(_section(command, click.Context(command, info_name=name, parent=root)))
    check = commands["check"]
    reading = check.sections(click.Context(check, info_name="check", parent=root))[READING]
    parts.append(f"## Reading RATINGS\n\n{_table(reading)}\n")
    return "\n".join(parts)


def _section(command: Command, ctx: click.Context) -> str:
    """Return one command: what it does, examples, options."""
    usage = " ".join(["corated", str(command.name), *command.collect_usage_pieces(ctx)])
    about = _markdown(command.help or "")
    lines = (command.epilog or "").splitlines()
    examples = "\n".join(line.strip() for line in lines if line.startswith("  "))
    sections = command.sections(ctx)
    more = "\nAlso the options of [reading RATINGS](#reading-ratings).\n" if READING in sections else ""
    table = _table(sections[OWN])
    return f"## {command.name}\n\n{about}\n\n```sh\n{examples}\n```\n\n`{usage}`\n\n{table}\n{more}"


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(["| option | |", "|---|---|", *map(_row, rows)])


def _markdown(text: str) -> str:
    paragraphs = [re.sub(r"\s+", " ", part).strip() for part in text.split("\n\n")]
    return "\n\n".join(paragraphs)


def _row(record: tuple[str, str]) -> str:
    option, text = (re.sub(r"\s+", " ", part).replace("|", "\\|").strip() for part in record)
    return f"| `{option}` | {text} |"


if __name__ == "__main__":
    click.echo(page(), nl=False)
