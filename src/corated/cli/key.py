"""``corated key``: API keys of a service, made, listed and taken back."""

from __future__ import annotations

from dataclasses import asdict

import click

from corated.cli.options import Amount, command, json_option
from corated.cli.show import say, show_json
from corated.errors import ParameterError

__all__ = ["key_command"]

_SCOPES = ("read", "write", "admin")


@command(
    examples="""
    corated key create --scope read --name website
    corated key create --scope admin --days 30 --keys keys.json
    corated key list
    corated key revoke 1f0c2a9b77de
    """
)
@click.argument("action", type=click.Choice(("create", "list", "revoke")))
@click.argument("id", required=False)
@click.option(
    "--scope",
    type=click.Choice(_SCOPES),
    help="What a key may do: read; write ratings and the catalog too; or all, as exporting and erasing.",
)
@click.option("--name", metavar="TEXT", default="", help="What the key is for; lists show it.")
@click.option("--days", type=Amount(above=0.0, example="90"), metavar="N", help="Days after which it ends.")
@click.option("--keys", metavar="FILE", help="The file of keys; one in your settings folder by default.")
@json_option
def key_command(
    action: str,
    id: str | None,
    scope: str | None,
    name: str,
    days: float | None,
    keys: str | None,
    as_json: bool,
) -> None:
    """Make, list and revoke API keys.

    A key is shown when it is made, and never again: the file has its hash only. A service sees what changes
    in the file within a second.
    """
    from corated.serve.keys import KeyFile, default_keys

    file = KeyFile(keys or default_keys())
    _check(action, id, scope)
    if action == "create":
        text, made = file.create(scope, name=name, days=days)  # type: ignore[arg-type]
        if as_json:
            show_json({"key": text, **_shown(asdict(made)), "file": str(file.path)})
        else:
            say(text)
            say(f"The key is shown this once. It may {made.scope}; its hash is in {file.path}.", err=True)
    elif action == "revoke":
        gone = file.revoke(id or "")
        if as_json:
            show_json(_shown(asdict(gone)))
        else:
            say(f"revoked {gone.id} ({gone.scope}{f', {gone.name}' if gone.name else ''})")
    else:
        rows = [_shown(asdict(key)) for key in file.kept()]
        if as_json:
            show_json({"rows": rows, "file": str(file.path)})
        else:
            for row in rows:
                say("  ".join(str(value) for value in row.values() if value))
            if not rows:
                say(f"no keys in {file.path}", err=True)


def _shown(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "digest"}


def _check(action: str, id: str | None, scope: str | None) -> None:
    """Refuse what does not go together."""
    if action == "create" and scope is None:
        raise ParameterError(
            "A key needs a scope.", expected="--scope read, write or admin", hint="try --scope read"
        )
    if (id is not None) != (action == "revoke"):
        raise ParameterError(
            f"key {action} {'needs the id of a key' if id is None else 'takes no id'}.",
            expected=f"corated key {action}{' ID' if id is None else ''}",
            hint="corated key list shows the ids",
        )
