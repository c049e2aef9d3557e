"""What can be set about a service: by file (TOML), environment (CORATED_…) and flags, which come last."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from corated.errors import ParameterError

__all__ = ["ELSEWHERE", "Settings", "load_settings"]

ELSEWHERE = ("CORATED_CACHE", "CORATED_CONFIG", "CORATED_DATA", "CORATED_EXAMPLES")
"""Variables of that prefix that are read in other places."""

_SECRET = "**********"


class Settings(BaseModel):
    """The settings, each with its default; see docs/serve.md for what they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What is served.
    store: SecretStr | None = Field(None, description="SQLite file or PostgreSQL address of the store")
    ratings: str | None = Field(None, description="file of ratings, served from a store that ends with it")
    catalog: str | None = Field(None, description="file of titles, put into the store at the start")
    scale: tuple[float, float, float] | None = Field(None, description="low, high, step of a new store")
    user_ids: Literal["integer", "text"] | None = Field(None, description="type of ids of a new store")
    item_ids: Literal["integer", "text"] | None = Field(None, description="type of ids of a new store")

    # What recommends.
    preset: str = Field("best", description="named settings of the model")
    by: Literal["users", "items"] | None = Field(None, description="similar users or similar items")
    measure: str | None = Field(None, description="how alike is measured")
    k: int | None = Field(None, ge=1, description="neighbors each")
    min_common: int | None = Field(None, ge=1, description="rated in common at least")
    rule: str | None = Field(None, description="how neighbors become a list")
    predictor: str = Field("surprise-knnwithmeans", description="preset that predicts, if the model does not")
    refit_seconds: float = Field(10.0, ge=0.0, description="age of a fit that answers what is not live")
    follow_seconds: float = Field(0.5, gt=0.0, description="between looks at what other processes wrote")
    threads: int | None = Field(None, ge=1, description="threads of what is fitted; every core by default")

    # Where.
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port; 0 for a free one")
    share_port: bool = Field(False, description="let other processes of this user listen there too")
    hosts: tuple[str, ...] = Field((), description="names that requests may be for, further to host")
    keys: str | None = Field(None, description="file of API keys; required off loopback")
    pages: bool = Field(True, description="whether there are pages for people")

    # How much.
    max_n: int = Field(1000, ge=1, description="rows of one list at most")
    max_users: int = Field(1000, ge=1, description="users of one batch at most")
    max_rows: int = Field(10_000, ge=1, description="ratings or items of one request at most")
    max_user_ratings: int = Field(100_000, ge=1, description="ratings that one user may have at most")
    max_body: int = Field(2_000_000, ge=1024, description="bytes of a request's body at most")
    max_depth: int = Field(12, ge=2, description="lists and objects in each other at most, in a body")
    rate: float | None = Field(None, gt=0.0, description="requests a second of one client; None for no limit")
    burst: int = Field(200, ge=1, description="requests of one client at once, where there is a rate")
    in_flight: int = Field(64, ge=1, description="requests that are answered at a time; more get a 503")
    connections: int = Field(1000, ge=1, description="open connections at most")
    header_seconds: float = Field(10.0, gt=0.0, description="for the headers of a request to come")
    body_seconds: float = Field(20.0, gt=0.0, description="for the body of a request to come")
    idle_seconds: int = Field(30, ge=1, description="that a connection is kept without a request")
    drain_seconds: float = Field(0.0, ge=0.0, description="not ready before no more is taken, at a stop")
    stop_seconds: int = Field(30, ge=0, description="for requests to end when the service stops")

    # What is told.
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    log_paths: bool = Field(False, description="log paths as they came, with ids of people in them")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def shown(self) -> dict[str, Any]:
        """Return all settings as JSON has them, with secrets masked."""
        made = self.model_dump(mode="json")
        store = None if self.store is None else self.store.get_secret_value()
        made["store"] = _masked(store) if store else None
        return made


def _masked(store: str) -> str:
    """Return the address of a store without its password."""
    scheme, found, rest = store.partition("://")
    if not found:
        return store
    before, at, place = rest.rpartition("@")
    user = before.partition(":")[0]
    # A password may also stand among the options behind the database's name.
    place = place.partition("?")[0] + ("?" + _SECRET if "?" in place else "")
    return f"{scheme}://{f'{user}:{_SECRET}@' if at else ''}{place}"


def load_settings(
    file: str | os.PathLike[str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of a file, then of variables, then of flags; what comes later holds.

    file : TOML; None for the one that CORATED_CONFIG names, if it does
    environment : None for this process's
    flags : by name; None values are not set

    Raises `ParameterError` for a file that cannot be read, for unknown names and for values that cannot be.
    """
    variables = os.environ if environment is None else environment
    where: dict[str, str] = {}
    given: dict[str, Any] = {}
    path = file if file is not None else variables.get("CORATED_CONFIG") or None
    sources = [(f"{path}: ", _read(path) if path else {}), ("", _variables(variables))]
    sources.append(("--", {name: value for name, value in (flags or {}).items() if value is not None}))
    for prefix, found in sources:
        for name, value in found.items():
            key = name
            if prefix == "":
                key = name.removeprefix("CORATED_").lower()
            if key not in Settings.model_fields:
                raise _unknown(f"{prefix}{name}", key)
            given[key] = _split(key, value) if prefix == "" else value
            where[key] = f"--{key.replace('_', '-')}" if prefix == "--" else f"{prefix}{name}"
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise ParameterError(
            f"{where.get(name, name)} cannot be used: {first['msg'][0].lower()}{first['msg'][1:]}.",
            hint="corated config show lists every setting with its default",
        ) from error


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ParameterError(
            f"The settings {os.fspath(path)} cannot be read: {error.strerror or error}.",
            hint="check the path",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"The settings {os.fspath(path)} are not TOML: {error}.",
            hint='write lines such as port = 8000 and store = "shop.db"',
        ) from error


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith("CORATED_") and name not in ELSEWHERE
    }


def _split(name: str, value: str) -> Any:
    """Return the parts of a variable that stands for several values."""
    if name == "scale":
        return tuple(value.split(":"))
    return tuple(part.strip() for part in value.split(",") if part.strip()) if name == "hosts" else value


def _unknown(shown: str, key: str) -> ParameterError:
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    return ParameterError(
        f"There is no setting {shown}.",
        expected=f"one of {', '.join(Settings.model_fields)}",
        hint=f"did you mean {near[0]}?" if near else "leave it out",
    )
