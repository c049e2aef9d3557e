"""What every request passes before it is answered, and every answer on its way out."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corated.errors import CoratedError
from corated.serve.access import Buckets, allowed_hosts, check_host, check_origin, key_of, scope_of
from corated.serve.keys import KeyFile
from corated.serve.logs import log
from corated.serve.problems import INTERNAL, Problem, problem_of
from corated.serve.service import Service
from corated.serve.strict import NotStrictError, read_json

__all__ = ["POLICY", "Guard"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with none at all, forms of these pages come from origin "null"
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_EXEMPT = frozenset({"/livez", "/readyz", "/metrics"})
"""What is answered however much there is to do."""


@dataclass
class _Seen:
    """What is known of a request when it ends."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    key: str | None = None
    status: int = 0
    sent: int = 0
    problem: str | None = None


class Guard:
    """Gives each request an id, refuses what must not be answered, counts, times and logs.

    The path that routes see is as it was sent, still encoded, so that an id may have slashes.
    """

    def __init__(self, app: ASGIApp, service: Service, keys: KeyFile | None) -> None:
        self._app, self._service, self._keys = app, service, keys
        settings = service.settings
        self._settings, self._hosts = settings, allowed_hosts(settings)
        self._rate = None if settings.rate is None else Buckets(settings.rate, settings.burst)
        self._failed = Buckets(10 / 60, 10)  # wrong keys of one address
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _headers(scope)
        given = headers.get("x-request-id", "")
        seen = _Seen(given if _REQUEST_ID.match(given) else secrets.token_hex(8))
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        scope["request_id"] = seen.request_id
        if scope["path"] in _EXEMPT:
            await self._answer(scope, receive, self._sending(send, seen), headers, seen)
            return
        self._open += 1
        self._service.metrics.in_flight.set(self._open)
        try:
            await self._answer(scope, receive, self._sending(send, seen), headers, seen)
        finally:
            self._open -= 1
            self._service.metrics.in_flight.set(self._open)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[str, str], seen: _Seen
    ) -> None:
        error: BaseException | None = None
        try:
            self._admit(scope, headers, seen)
            body = await self._body(scope, receive, headers)
            await self._app(scope, _replayed(body, receive), send)
        except Problem as problem:
            seen.problem = problem.code
            await self._tell(problem, scope, receive, send, seen)
        except TimeoutError as late:
            error = late  # the client does not read; there is nobody to tell
            seen.problem = "slow_reader"
            raise
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is logged, and answered if it was not
            error = raised
            told = problem_of(raised) if isinstance(raised, CoratedError) else INTERNAL
            await self._tell(told, scope, receive, send, seen)
        finally:
            seen.problem = seen.problem or scope.get("problem")
            self._done(scope, seen, error)

    async def _tell(self, problem: Problem, scope: Scope, receive: Receive, send: Send, seen: _Seen) -> None:
        if not seen.status:
            await problem.response(seen.request_id)(scope, receive, send)

    # -- before ---------------------------------------------------------------------------------

    def _admit(self, scope: Scope, headers: dict[str, str], seen: _Seen) -> None:
        """Refuse what must not be answered."""
        method, path = scope["method"], scope["path"]
        needed = scope_of(method, path)
        client = (scope.get("client") or ("?", 0))[0]
        if needed is None and path in _EXEMPT:
            return
        check_host(headers, self._hosts)
        check_origin(method, headers)
        if self._keys is not None and needed is not None:
            self._check_key(headers, client, needed, seen)
        who = seen.key or client
        if self._rate is not None and (wait := self._rate.take(who)):
            self._service.metrics.shed.labels("rate").inc()
            raise Problem(
                429,
                "rate",
                "This client asks too much.",
                expected=f"at most {self._settings.rate:g} requests a second",
                hint="ask in batches, or wait",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        if path not in _EXEMPT and self._open > self._settings.in_flight:
            self._service.metrics.shed.labels("in_flight").inc()
            raise Problem(
                503, "busy", "As many requests as can be are being answered.", hint="ask again in a second",
                headers={"Retry-After": "1"},
            )  # fmt: skip

    def _check_key(self, headers: dict[str, str], client: str, needed: Any, seen: _Seen) -> None:
        assert self._keys is not None
        if wait := self._failed.wait(client):
            self._service.metrics.shed.labels("keys").inc()
            raise Problem(
                429, "keys", "Too many wrong keys came from this address.", hint="wait",
                headers={"Retry-After": str(math.ceil(wait))},
            )  # fmt: skip
        key = key_of(headers, self._keys)
        if key is None:
            if "authorization" in headers:
                self._failed.take(client)
            raise Problem(
                401,
                "key",
                "The key is none of this service." if "authorization" in headers else "A key is needed.",
                field="header/authorization",
                hint="send Authorization: Bearer KEY; corated key create makes one",
                headers={
                    "WWW-Authenticate": 'Basic realm="corated", charset="UTF-8", Bearer realm="corated"'
                },
            )
        seen.key = key.id
        if not key.allows(needed):
            raise Problem(
                403,
                "scope",
                f"This key may {key.scope}, and this needs {needed}.",
                field="header/authorization",
                hint=f"make a key for it: corated key create --scope {needed}",
            )

    async def _body(self, scope: Scope, receive: Receive, headers: dict[str, str]) -> bytes:
        """Read the whole body, within its limits; JSON must be strict."""
        declared = headers.get("content-length", "")
        if not declared.isdigit() and "transfer-encoding" not in headers:
            return b""
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(
                415, "compressed", "Bodies come as they are, not compressed.",
                field="header/content-encoding", hint="send the body without Content-Encoding",
            )  # fmt: skip
        most = self._settings.max_body
        if declared.isdigit() and int(declared) > most:
            raise self._too_long()
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "disconnected", "The body did not come whole.")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > most:
                        raise self._too_long()
                    parts.append(part)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise Problem(
                408, "slow", "The body did not come in time.",
                expected=f"all of it in {self._settings.body_seconds:g} s", headers={"Connection": "close"},
            ) from None  # fmt: skip
        body = b"".join(parts)
        if body:
            self._check_body(scope, headers, body)
        return body

    def _too_long(self) -> Problem:
        return Problem(
            413,
            "too_long",
            "The body is too long.",
            expected=f"at most {self._settings.max_body:,} bytes",
            hint="send it in parts, or use corated import for whole files",
            headers={"Connection": "close"},
        )

    def _check_body(self, scope: Scope, headers: dict[str, str], body: bytes) -> None:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not scope["path"].startswith("/v1/"):
            if kind == "application/x-www-form-urlencoded":
                return
        elif kind == "application/json":
            try:
                read_json(body, depth=self._settings.max_depth)
            except NotStrictError as error:
                raise Problem(
                    400, "json", f"The body is not JSON: {error}.", field="body",
                    expected="strict JSON (RFC 8259)", hint="correct the body",
                ) from error  # fmt: skip
            return
        raise Problem(
            415,
            "media_type",
            f"The body is of type {kind[:60] or 'none'!r}.",
            expected="application/json",
            field="header/content-type",
            hint="send Content-Type: application/json",
        )

    # -- after ----------------------------------------------------------------------------------

    def _sending(self, send: Send, seen: _Seen) -> Send:
        extra = [*_HEADERS, (b"x-request-id", seen.request_id.encode())]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                message["headers"] = given + [pair for pair in extra if pair[0] not in names]
                if b"cache-control" not in names:
                    message["headers"].append((b"cache-control", b"no-store"))
            elif message["type"] == "http.response.body":
                seen.sent += len(message.get("body", b""))
            async with asyncio.timeout(self._settings.body_seconds):
                await send(message)

        return sending

    def _done(self, scope: Scope, seen: _Seen, error: BaseException | None) -> None:
        """Count, time and log."""
        seconds = time.perf_counter() - seen.started
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        metrics = self._service.metrics
        metrics.requests.labels(route, str(seen.status or 499)).inc()
        metrics.seconds.labels(route).observe(seconds)
        members: dict[str, Any] = {
            "request_id": seen.request_id,
            "method": scope["method"],
            "route": route,
            "status": seen.status or 499,
            "ms": round(seconds * 1000, 2),
            "bytes": seen.sent,
        }
        if seen.key is not None:
            members["key"] = seen.key
        if seen.problem is not None:
            members["problem"] = seen.problem
        if self._settings.log_paths:
            members["path"] = scope["path"]
        level = logging.ERROR if error is not None else logging.INFO
        if route in _EXEMPT and error is None:
            level = logging.DEBUG
        log("request", level=level, error=error, **members)


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name, the first of those that came twice."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then whether the client has gone."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
