"""The command line: one file per command; `main` is the entry point."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line on ``sys.argv`` and exit."""
    try:
        from corated.cli.app import app

        app(prog_name="corated")
    except KeyboardInterrupt:  # so early that nothing has been set up
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
