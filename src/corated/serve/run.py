"""Serving: from settings to a service that listens."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from corated.errors import MissingExtraError, ParameterError

try:
    import fastapi  # noqa: F401
    import jinja2  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        f"{error.name} is not installed, which the service needs.", hint="pip install 'corated[serve]'"
    ) from error

from corated.live.embedded import Embedded
from corated.live.embedded import open as open_embedded
from corated.ratings.catalog import read_catalog
from corated.ratings.read import read_ratings
from corated.serve.app import build
from corated.serve.keys import KeyFile, default_keys
from corated.serve.listening import Listener, bound_to, config_of
from corated.serve.logs import log, start_logging
from corated.serve.modeling import build_model
from corated.serve.service import Service
from corated.serve.settings import Settings

__all__ = ["keys_for", "serve"]

_SCALE = (0.0, 10.0, 0.5)


def serve(settings: Settings, *, tell: Callable[[str], None], listening: Callable[[str], None]) -> None:
    """Serve until a signal.

    tell : called with what was decided for the caller, a sentence each
    listening : called with the address once it listens

    Raises `ParameterError` for what cannot be served so, and errors as for `corated.open`.
    """
    keys = keys_for(settings)
    build_model(settings)
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(bound_to(settings))
        embedded = _opened(settings, stack, tell)
        start_logging(settings.log_level)
        service = Service(embedded, settings)
        config = config_of(build(service, keys), service)
        log("starting", host=settings.host, port=settings.port, keys=keys is not None)
        Listener(config, service, listening).run([bound])
        log("stopped")


def keys_for(settings: Settings) -> KeyFile | None:
    """Return the keys that requests need; None where only this machine can ask.

    Raises `ParameterError` where others can, and there are no keys.
    """
    if settings.keys is None and settings.is_loopback:
        return None
    keys = KeyFile(settings.keys or default_keys())
    if not keys.kept():
        option = f" --keys {settings.keys}" if settings.keys else ""
        raise ParameterError(
            f"The service would listen on {settings.host}, which others can reach, and there are no keys."
            if not settings.is_loopback
            else f"There are no keys in {settings.keys}.",
            expected="a key at least, or --host 127.0.0.1",
            hint=f"make one: corated key create --scope read{option}",
        )
    return keys


def _opened(settings: Settings, stack: contextlib.ExitStack, tell: Callable[[str], None]) -> Embedded:
    """Open the store, with ratings and a catalog in it if files of them are named."""
    if settings.store is None and settings.ratings is None:
        raise ParameterError(
            "There is nothing to serve.",
            expected="ratings, or a store",
            hint="corated serve ratings.csv, or corated serve --store shop.db",
        )
    where = None if settings.store is None else settings.store.get_secret_value()
    if where is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="corated-serve-"))
        where = str(Path(folder) / "ratings.db")
        tell(
            f"{settings.ratings} is served from a temporary store: what is written is gone when the service "
            "stops. --store FILE keeps it."
        )
    ratings = None if settings.ratings is None else read_ratings(settings.ratings, scale=settings.scale)
    embedded = stack.enter_context(
        open_embedded(
            where,
            model=build_model(settings),
            scale=settings.scale if ratings is None else None,
            user_ids=settings.user_ids,
            item_ids=settings.item_ids,
            restart=settings.store is not None,
            follow=settings.follow_seconds if settings.store is not None else None,
            threads=settings.threads,
        )
    )
    if ratings is not None:
        if embedded.store.position:
            raise ParameterError(
                "The store has ratings already, and a file of ratings was given too.",
                hint="leave the file out, or import it first: corated import",
            )
        embedded.import_(ratings)
    if embedded.store.head().shape.scale is None:
        scale = settings.scale or _SCALE
        embedded.store.declare(scale=scale)
        tell("The store is new: its ratings are from {:g} to {:g} by {:g}. Another: --scale.".format(*scale))
    if settings.catalog is not None:
        kind = embedded.store.head().shape.item_ids
        embedded.put_items(read_catalog(settings.catalog, ids=kind))
    return embedded
