"""Who may do what: scopes by method and path, hosts, origins, and how much of it."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import urlsplit

from corated.serve.keys import Key, KeyFile, Scope
from corated.serve.problems import Problem
from corated.serve.settings import Settings

__all__ = ["Buckets", "allowed_hosts", "check_host", "check_origin", "key_of", "scope_of"]

_READS = frozenset({"/v1/recommendations", "/v1/explain", "/v1/predict"})
"""What is asked with a body, and changes nothing."""
_OPEN = frozenset({"/livez", "/readyz"})
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def scope_of(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs; None for what is open. What is not known needs most."""
    if path in _OPEN or path.startswith("/static/"):
        return None
    if path == "/v1/export":
        return "admin"
    if method in ("GET", "HEAD") or (method == "POST" and path in _READS):
        return "read"
    parts = path.strip("/").split("/")
    if method == "DELETE" and parts[:2] == ["v1", "users"] and len(parts) == 3:
        return "admin"  # erases somebody
    return "write" if method in ("POST", "PUT", "DELETE") else "admin"


def key_of(headers: Mapping[str, str], keys: KeyFile) -> Key | None:
    """Return the key of a request: a bearer token, or the password that a browser asks for."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
        except (ValueError, binascii.Error):
            given = ""
    elif scheme.lower() != "bearer":
        return None
    return keys.find(given.strip())


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the names that requests may be for; None for any: keys are asked for then."""
    named = {host.lower() for host in settings.hosts}
    if settings.is_loopback:
        return frozenset({*_LOOPBACK, _bracketed(settings.host), *named})
    if not named and settings.host in ("0.0.0.0", "::"):
        return None
    return frozenset({_bracketed(settings.host), *named})


def _bracketed(host: str) -> str:
    return f"[{host}]".lower() if ":" in host else host.lower()


def check_host(headers: Mapping[str, str], allowed: frozenset[str] | None) -> None:
    """Refuse a request for another host, as one from a page whose name was bound to this address."""
    given = headers.get("host", "")
    try:
        name = _bracketed(urlsplit(f"//{given}").hostname or "")
    except ValueError:
        name = ""
    if not name or (allowed is not None and name not in allowed):
        raise Problem(
            421,
            "host",
            "This service does not go by the name that the request is for.",
            field="header/host",
            hint="add the name to the setting hosts",
        )


def check_origin(method: str, headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site would have changed."""
    if method in ("GET", "HEAD"):
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_own = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if (site is not None and site not in ("same-origin", "none")) or not is_own:
        raise Problem(
            403,
            "origin",
            "Pages of other sites cannot change anything here.",
            field="header/origin",
            hint="send the request from a server, or from a page of this service",
        )


class Buckets:
    """How many requests of each client are left: so many at once, and so many more a second."""

    def __init__(self, rate: float, burst: float, most: int = 10_000) -> None:
        self._rate, self._burst, self._most = rate, burst, most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Take a request; returns 0.0, or the seconds after which there is one again."""
        with self._lock:
            left = self._of(client)
            taken = left >= 1.0
            self._left[client] = (left - taken, time.monotonic())
            while len(self._left) > self._most:  # the one that was quiet for longest
                self._left.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self._rate

    def wait(self, client: str) -> float:
        """Return the seconds after which there is a request left, 0.0 for now; takes none."""
        with self._lock:
            if client not in self._left:
                return 0.0
            left = self._of(client)
            self._left[client] = (left, time.monotonic())
        return 0.0 if left >= 1.0 else (1.0 - left) / self._rate

    def _of(self, client: str) -> float:
        left, at = self._left.pop(client, (self._burst, time.monotonic()))
        return min(self._burst, left + (time.monotonic() - at) * self._rate)
