"""Stores on the command line: how one is named, opened and told of, and its password kept to oneself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from corated.errors import CoratedError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corated.live.store import Store

__all__ = ["check_address", "is_address", "masked", "opened", "own_files", "shown", "store_option"]

F = TypeVar("F", bound="Callable[..., Any]")

_ADDRESS: Final = re.compile(r"([A-Za-z][\w+.-]+):/", re.ASCII)
_POSTGRES: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")
_PLACE: Final = re.compile(r"(?:\[[^/\]]*\]|[^/:@]*)(?::\d{0,5})?(?:/.*)?")
_LOGIN: Final = re.compile(r"(postgres[\w+]*:/+[^\s:/@?]*:)\S*@", re.IGNORECASE)
_QUERY: Final = re.compile(r"(postgres[\w+]*:/+[^\s?]*\?)(?=\S*password=)\S*", re.IGNORECASE)
_HIDDEN: Final = r"\1***"
_EXPECTED: Final = "the path of a file, or postgresql://user:password@host:port/database"
_HINTS: Final = {
    "open_store(..., widen=True) widens the scale": "--widen widens the scale of the store",
    "or pass create=True for a new one": "or make one: corated import RATINGS --store STORE",
    "verify() tells more": "corated verify tells more",
}
"""Next steps of the library, and what they are here."""


def store_option(function: F) -> F:
    """Add ``--store`` to a command of a store."""
    return click.option(
        "--store",
        metavar="STORE",
        envvar="CORATED_STORE",
        show_envvar=True,
        required=True,
        help="The store: a file, such as shop.db, or postgresql://user@host/database.",
    )(function)


def is_address(text: str) -> bool:
    """Tell whether text is the address of a database, and no path."""
    return _ADDRESS.match(text) is not None


def check_address(text: str) -> None:
    """Refuse what cannot be the address of a store, in words that hold no part of a password."""
    scheme = _ADDRESS.match(text)
    if text == "-":
        raise ParameterError("A store is neither standard input nor output.", hint="give it a file's name")
    if scheme is None:
        return
    if _POSTGRES.match(text) is None:
        raise ParameterError(
            f"There can be no store at {scheme[1]}:…", expected=_EXPECTED, hint="choose one of the two"
        )
    login, _, place = text.partition("://")[2].partition("?")[0].rpartition("@")
    if "@" in login or re.search(r"\s", text) or _PLACE.fullmatch(place) is None:
        raise ParameterError(
            "The address of the store cannot be read.",
            expected="postgresql://user:password@host:port/database",
            hint="write special characters in the password as %XX, @ as %40",
        )


def masked(text: str) -> str:
    """Return text with the passwords of addresses in it hidden."""
    return _QUERY.sub(_HIDDEN, _LOGIN.sub(rf"{_HIDDEN}@", text))


def shown(address: str) -> str:
    """Return what a store is called in answers: its path, or its address without password and options."""
    return masked(address.partition("?")[0]) if is_address(address) else address


def own_files(address: str) -> list[str]:
    """Return the files that a store has, which nothing else may be written to."""
    return [] if is_address(address) else [address, f"{address}-wal", f"{address}-shm"]


@contextlib.contextmanager
def opened(address: str, *, create: bool = False, widen: bool = False) -> Iterator[Store]:
    """Open a store for the block; errors name the next step as the command line has it."""
    check_address(address)
    try:
        from corated.live.store import open_store

        with open_store(address, create=create, widen=widen) as store:
            yield store
    except CoratedError as error:
        for step, here in _HINTS.items():
            error.hint = error.hint.replace(step, here)
        raise
