"""What one run of the command line carries along: flags, and the notices that were shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import click

from corated.cli.words import on_command_line, printable

__all__ = ["State", "current"]


@dataclass
class State:
    """One run: whether to debug, whether to show progress, and what was said already."""

    debug: bool = False
    progress: bool = True
    said: set[str] = field(default_factory=set)

    def notice(self, text: str) -> None:
        """Show a notice on standard error, the first time."""
        if text not in self.said:
            self.said.add(text)
            click.echo(f"notice: {printable(on_command_line(text))}", err=True)

    @property
    def bar(self) -> bool:
        """Whether a progress bar can be seen and is wanted."""
        return self.progress and sys.stderr.isatty()


def current() -> State:
    """Return the state of the run that the calling command belongs to."""
    return click.get_current_context().find_root().ensure_object(State)
