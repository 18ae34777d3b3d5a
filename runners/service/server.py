"""The process: sockets, signals, and peers that do nothing (uvicorn does the rest)."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor

from .app import make_app
from .languages import Languages
from .log import Log
from .settings import ServiceSettings

KEEP_ALIVE_S = 75
"""How long an idle connection stays: longer than clients keep theirs, so that none is closed while a request is on its way."""
_LOOK_EVERY_TICKS = 10  # a tick is 0.1 s


def serve(executor: Executor, settings: ServiceSettings, log: Log, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, then lets requests end for `drain_s` seconds; a second signal ends at once. `ready` is
    told the address. Raises UsageError where it cannot be bound."""
    listener = _bound(settings)
    languages = Languages(executor)
    guard = make_app(executor, languages, settings, log)
    # What uvicorn would say of its connections is not JSON, and the guard says it.
    config = uvicorn.Config(
        guard, http=H11Protocol, ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False,
        server_header=False, timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.drain_s), backlog=settings.connections, proxy_headers=False,
    )  # fmt: skip
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    server = _Server(config, settings, log, lambda: ready(address))
    guard.crowded = lambda: len(server.server_state.connections) > settings.connections
    log.event("serving", address=address, isolation=executor.isolation.value, workers=executor.workers)
    try:
        with listener:
            asyncio.run(server.serve([listener]))
    finally:
        languages.close()
    log.event("ended")


def _bound(settings: ServiceSettings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(f"--host {settings.host} --port {settings.port}: cannot be bound ({error.strerror})") from None
    return listener


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, settings: ServiceSettings, log: Log, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._settings, self._log, self._ready = settings, log, ready
        self._seen: WeakKeyDictionary[Any, _Peer] = WeakKeyDictionary()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn, but the process then ends as a command does: a service that was told to stop has not failed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        self._log.event("stopping", signal=signal.Signals(number).name, again=self.should_exit)
        self.force_exit = self.should_exit
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if counter % _LOOK_EVERY_TICKS == 0:
            self._look_at_peers()
        return await super().on_tick(counter)

    def _look_at_peers(self) -> None:
        """Ends connections that ask nothing, half of something, or take nothing of their answer."""
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            peer = self._seen.setdefault(connection, _Peer(now))
            if peer.is_dead(connection, now, self._settings):
                connection.transport.abort()


class _Peer:
    """What is known of a connection from looking at it now and then."""

    def __init__(self, now: float) -> None:
        self._asking_since: float | None = now
        self._unsent = 0
        self._taken_at = now

    def is_dead(self, connection: Any, now: float, settings: ServiceSettings) -> bool:
        unsent = connection.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._taken_at = now
        self._unsent = unsent
        if now - self._taken_at > settings.send_s:
            return True
        at_rest = connection.cycle is None or connection.cycle.response_complete
        between = connection.timeout_keep_alive_task is not None and not connection.conn.trailing_data[0]
        if not at_rest or unsent or between:  # between two requests uvicorn's own timer runs
            self._asking_since = None
            return False
        self._asking_since = self._asking_since or now
        return now - self._asking_since > settings.head_s
