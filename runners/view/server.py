"""The process: a socket on loopback, and Ctrl-C (uvicorn does the rest)."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from reexec.engine.errors import UsageError

from .app import Pages
from .guard import Guard, new_token
from .session import Session

CONNECTIONS = 64
THREADS = 2


def bind(host: str, port: int) -> socket.socket:
    """Raises UsageError where the address cannot be had."""
    if not 0 <= port <= 65_535:
        raise UsageError(f"--port {port}: a port is a number from 1 to 65535, or 0 for any that is free")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: cannot be bound ({error.strerror})") from None
    return listener


def serve(session: Session, listener: socket.socket, host: str, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM. `ready` is told the address."""
    token = new_token()
    port = listener.getsockname()[1]
    address = f"http://[{host}]:{port}/{token}/" if ":" in host else f"http://{host}:{port}/{token}/"
    with ThreadPoolExecutor(THREADS) as threads, listener:
        app = Guard(Pages(session, threads).app(), token, host)
        config = uvicorn.Config(
            app, http=H11Protocol, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
            limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=2, proxy_headers=False,
        )  # fmt: skip
        asyncio.run(_Server(config, lambda: ready(address)).serve([listener]))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn, but the process then ends as a command does."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
