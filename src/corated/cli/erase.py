"""``corated erase``: a user, everywhere in a store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import command, json_option
from corated.cli.show import count, say, show_json
from corated.cli.state import current
from corated.cli.stores import is_address, opened, shown, store_option
from corated.cli.words import printable
from corated.errors import IdTypeError, ParameterError, StoreUnavailableError

if TYPE_CHECKING:
    from corated.live.store import Store
    from corated.ratings.ids import Id

__all__ = ["erase_command"]


@command(
    examples="""
    corated erase 35 --store shop.db --yes
    corated erase 35 --store shop.db --yes --json
    """
)
@click.argument("user", metavar="USER")
@store_option
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal to ask at.")
@json_option
def erase_command(user: str, store: str, yes: bool, as_json: bool) -> None:
    """Erase a user from a store, for good.

    Ratings, changes in the log, idempotency keys of writes that name the user, and the file beside the store
    from which an index starts quickly, which is made anew. Backups and exports are yours to erase. Exits with
    4 where readers still hold old pages of the file: they go when the same command is run again later. A USER
    that starts with - goes after --.
    """
    if not yes and not sys.stdin.isatty():
        raise ParameterError("There is no terminal to ask at whether to erase.", hint="add --yes")
    with opened(store) as kept:
        id = _parsed(kept, user)
        if not yes and not _agrees(user, store):
            say("Nothing was erased.", err=True)
            click.get_current_context().exit(1)
        _forget_start(kept, store)
        erased = kept.erase(id)
    found: dict[str, Any] = {
        "store": shown(store),
        "user": id,
        "ratings": erased.ratings,
        "logged": erased.logged,
        "keys": erased.keys,
        "position": erased.position,
        "complete": erased.complete,
    }
    if not (erased.ratings or erased.logged or erased.keys):
        current().notice(f"There was nothing of user {user} in {shown(store)}.")
    if as_json:
        show_json(found)
    else:
        say("\n".join(_lines(found, user, is_address(store))))
    if not erased.complete:
        raise StoreUnavailableError(
            f"User {user} is erased, but readers still hold old pages of {shown(store)}.",
            hint="run the same command again when they have ended",
        )


def _parsed(kept: Store, user: str) -> Id:
    """Return text as an id of the store's type; raises `IdTypeError`."""
    import pyarrow as pa

    from corated.ratings.ids import IdMap

    if kept.head().shape.user_ids != "integer":
        return user
    try:
        return IdMap(pa.array([], pa.int64()), "user").parse(user)
    except IdTypeError as error:
        raise IdTypeError(error.what, expected="an integer", hint="check the id") from error


def _agrees(user: str, store: str) -> bool:
    question = f"Erase user {user} from {shown(store)}? This cannot be undone."
    return click.confirm(printable(question), default=False, err=True)


def _forget_start(kept: Store, store: str) -> None:
    """Delete the ratings that are kept beside the store for the next start of an index."""
    from corated.live.embedded import restart_path

    path = restart_path(store, kept, True)
    if path is not None:
        path.unlink(missing_ok=True)


def _lines(found: dict[str, Any], user: str, on_server: bool) -> list[str]:
    """Return the report as text."""
    gone = ", ".join(
        (
            count(found["ratings"], "rating"),
            f"{found['logged']:,} log {'entry' if found['logged'] == 1 else 'entries'}",
            count(found["keys"], "idempotency key"),
        )
    )
    left = "nothing of it is left in the file"
    if on_server:
        left = "the server overwrites the deleted rows, and its own log, when it needs their room"
    return [
        f"user {user} is erased from {found['store']}: {gone}",
        f"complete: {left}" if found["complete"] else "not complete yet",
        "Backups and exports that have this user are yours to erase.",
    ]
