"""The server: uvicorn, with a limit on how long headers take, and a stop that lets requests end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from corated.errors import ParameterError
from corated.serve.service import Service
from corated.serve.settings import Settings

__all__ = ["Listener", "bound_to", "config_of"]

_MAX_HEADERS = 32 * 1024


def _protocol(seconds: float) -> type[H11Protocol]:
    """Return uvicorn's protocol, closing connections whose headers take longer."""

    class Timed(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connection = transport.get_extra_info("socket")
            if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
                # asyncio does so only for sockets made with TCP's number; without it the body of an answer
                # waits 40 ms for the acknowledgment of its headers.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._expect_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect_headers()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            # What waits between two requests is uvicorn's own to end, until the next begins to come.
            self._expect_headers(only_begun=True)

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _expect_headers(self, *, only_begun: bool = False) -> None:
            waits = self.conn.their_state is h11.IDLE
            if waits and only_begun and not self.conn.trailing_data[0]:
                waits = False
            if not waits:
                self._forget()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(seconds, self._too_late)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_late(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self.transport.close()

    return Timed


def config_of(app: ASGIApp, service: Service) -> uvicorn.Config:
    """Return how uvicorn is to serve."""
    settings = service.settings
    return uvicorn.Config(
        app,
        http=_protocol(settings.header_seconds),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=settings.stop_seconds,
        h11_max_incomplete_event_size=_MAX_HEADERS,
    )


def bound_to(settings: Settings) -> socket.socket:
    """Return a socket at the address to listen on; raises `ParameterError` where that cannot be."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        backlog, shared = min(2048, 2 * settings.connections), settings.share_port
        made = socket.create_server(address[:2], family=family, backlog=backlog, reuse_port=shared)
    except (OSError, ValueError) as error:  # the latter where ports cannot be shared
        why = getattr(error, "strerror", None) or error
        raise ParameterError(
            f"{settings.host}:{settings.port} cannot be listened on: {why}.",
            hint="choose another with --host and --port",
        ) from error
    made.setblocking(False)
    return made


class Listener(uvicorn.Server):
    """Listens until a signal, then is not ready, then takes no more, then lets what was begun end.

    started_at : called with the address once it listens
    """

    def __init__(self, config: uvicorn.Config, service: Service, started_at: Callable[[str], None]) -> None:
        super().__init__(config)
        self._service, self._started_at = service, started_at

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._started_at(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; unlike uvicorn's, a stop that was wished for is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        usual = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be no longer ready, and stop: at once, or after the time that load balancers need to see it."""
        is_again = self._service.stopping
        self._service.stopping = True
        drain = self._service.settings.drain_seconds
        if is_again or not drain:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(drain, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()
