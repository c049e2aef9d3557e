"""API keys: made here, shown once, kept as hashes in a file, compared in constant time."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from corated.errors import ParameterError, StoreError
from corated.output import atomic_path

__all__ = ["SCOPES", "Key", "KeyFile", "Scope", "default_keys"]

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each may do what those before it may."""

_FORM = re.compile(r"ck_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z")
_NAME = re.compile(r"[A-Za-z0-9._ -]{0,64}\Z")
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    id : public, and what logs name it by;  digest : SHA-256 of the whole key, which is random enough for that
    created, expires : ISO 8601 in UTC; None for a key that does not expire
    """

    id: str
    name: str
    scope: Scope
    digest: str
    created: str
    expires: str | None = None

    def allows(self, needed: Scope) -> bool:
        """Whether the key may do what needs a scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(needed)

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


class KeyFile:
    """The keys of a file; what other processes write to it is seen within a second.

    Raises `StoreError` where the file cannot be read or is none of keys.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._looked = -_LOOK_SECONDS
        self._keys: dict[str, Key] = {}

    def kept(self) -> list[Key]:
        """Return the keys, as the file has them now."""
        with self._lock:
            self._look(at_once=True)
            return list(self._keys.values())

    def find(self, text: str) -> Key | None:
        """Return the key that some text is, None where it is none, or one whose time is over."""
        found = _FORM.match(text)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        with self._lock:
            self._look()
            kept = self._keys.get(found[1]) if found else None
        # Compared in any case, so that an unknown id takes as long as a wrong secret.
        is_same = hmac.compare_digest(digest, kept.digest if kept else "0" * 64)
        return kept if kept is not None and is_same and not kept.is_expired(datetime.now(UTC)) else None

    def create(self, scope: Scope, *, name: str = "", days: float | None = None) -> tuple[str, Key]:
        """Make a key; returns its text, which is not kept, and what is."""
        if scope not in SCOPES:
            raise ParameterError(
                f"scope={scope!r}.", expected=f"one of {', '.join(SCOPES)}", hint="choose one"
            )
        if not _NAME.match(name):
            raise ParameterError(
                f"name={name!r} cannot be used.",
                expected="at most 64 letters, digits, dots, dashes and spaces",
                hint="choose another",
            )
        now = datetime.now(UTC).replace(microsecond=0)
        expires = None if days is None else (now + timedelta(days=days)).isoformat()
        id = secrets.token_hex(6)
        text = f"ck_{id}_{secrets.token_urlsafe(32)}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        key = Key(id, name, scope, digest, now.isoformat(), expires)
        with self._lock:
            self._look(at_once=True)
            self._write({**self._keys, id: key})
        return text, key

    def revoke(self, id: str) -> Key:
        """Take a key out; raises `ParameterError` where there is none of the id."""
        with self._lock:
            self._look(at_once=True)
            left = dict(self._keys)
            key = left.pop(id, None)
            if key is None:
                raise ParameterError(
                    f"There is no key {id}.", expected="the id of a key", hint="corated key list shows them"
                )
            self._write(left)
        return key

    def _look(self, *, at_once: bool = False) -> None:
        """Read the file, if it was written since; what cannot be read leaves no key valid."""
        if not at_once and time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._keys = {}
            self._keys, self._seen = self._read(), seen

    def _read(self) -> dict[str, Key]:
        try:
            made = [_key(row) for row in json.loads(self.path.read_text(encoding="utf-8"))["keys"]]
        except OSError as error:
            raise StoreError(
                f"The keys {self.path} cannot be read: {error.strerror or error}.",
                hint="check its permissions",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self.path} is no file of keys.", hint="name another file, or make one: corated key create"
            ) from error
        return {key.id: key for key in made}

    def _write(self, keys: dict[str, Key]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.path) as temporary:
            with contextlib.suppress(NotImplementedError):
                temporary.chmod(0o600)
            rows = [asdict(key) for key in keys.values()]
            temporary.write_text(json.dumps({"keys": rows}, indent=1) + "\n", encoding="utf-8")
        self._keys, self._seen = keys, None


def _key(row: Any) -> Key:
    key = Key(**row)
    if key.scope not in SCOPES or not re.fullmatch(r"[0-9a-f]{64}", key.digest):
        raise ValueError("no key")
    if key.expires is not None and datetime.fromisoformat(key.expires).tzinfo is None:
        raise ValueError("no time zone")
    return key


def default_keys() -> Path:
    """Return the file of keys that is used where none is named."""
    chosen = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".config"
    return base / "corated" / "keys.json"
