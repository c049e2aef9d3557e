"""Where files that can be made again are kept: fetched data sets, compiled kernels."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from corated.errors import OutputError

__all__ = ["cache_folder"]


def cache_folder(*parts: str, create: bool = False) -> Path:
    r"""Return the folder for files that can be made again, or a folder inside it.

    ``CORATED_CACHE`` if it is set, else the platform's cache folder: ``$XDG_CACHE_HOME/corated`` or
    ``~/.cache/corated``, ``~/Library/Caches/corated`` on macOS, ``%LOCALAPPDATA%\corated\Cache``
    on Windows. With ``create`` the folder is made; `OutputError` if that cannot be done, or if there
    is no home folder to put it in.
    """
    path = _base(sys.platform, os.environ).joinpath(*parts)
    if create:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The cache folder {path} cannot be made: {error.strerror or error}.",
                hint="Set CORATED_CACHE to a folder that can be written.",
            ) from error
    return path


def _base(platform: str, environment: Mapping[str, str]) -> Path:
    """Return the top cache folder on a platform, from the environment's variables."""
    chosen = environment.get("CORATED_CACHE")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if platform == "win32":
            local = environment.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "corated" / "Cache"
        if platform == "darwin":
            return Path.home() / "Library" / "Caches" / "corated"
        xdg = environment.get("XDG_CACHE_HOME", "")
        # The XDG specification has relative paths ignored.
        return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "corated"
    except RuntimeError as error:
        raise OutputError(
            "There is no home folder to keep a cache in.",
            hint="Set CORATED_CACHE to a folder that can be written.",
        ) from error
