"""A service for tests, listening on loopback in this process."""

import contextlib
import socket
import threading
import time

from corated.serve.app import build
from corated.serve.listening import Listener, config_of
from corated.serve.service import Service


@contextlib.contextmanager
def listening(embedded, settings, keys=None):
    """Serve a store; yields the address, when kernels are compiled, and stops in the end."""
    service = Service(embedded, settings)
    address = []
    listener = Listener(config_of(build(service, keys), service), service, address.append)
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=listener.run, args=([bound],))
    thread.start()
    until = time.monotonic() + 120
    while not (address and service.warm):
        assert time.monotonic() < until and not service.failed
        time.sleep(0.05)
    yield address[0]
    listener.should_exit = True
    thread.join(timeout=30)
    bound.close()
