"""What stands in front of every route: who asks, how long a body is and how long it takes, clients that leave or read slowly,
errors as JSON, a line in the log. A plain ASGI application around another one."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .callers import client_of, request_id_of
from .desk import Client, Desk, Held
from .faults import Refused, refusal_of
from .log import Log
from .metrics import Metrics
from .settings import ServiceSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_TO_ALL = frozenset({"/v1/health"})
PIECE_BYTES = 64 * 1024
_DISCARD_S = 2.0
_LEFT = 499
"""The status in logs and metrics of a request whose client did not wait."""


class Guard:
    def __init__(
        self, app: App, settings: ServiceSettings, desk: Desk, metrics: Metrics, log: Log, routes: frozenset[str]
    ) -> None:
        self._app, self._settings, self._desk = app, settings, desk
        self._metrics, self._log, self._routes = metrics, log, routes
        self.crowded: Callable[[], bool] = bool
        """Whether there are more connections than the service keeps: set by who has them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began = time.monotonic()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = request_id_of(headers)
        exchange = _Exchange(send, self._settings.send_s, request_id)
        client, held_bytes = Client(), 0
        try:
            with self._desk.holding() as held, contextlib.ExitStack() as room:
                if self.crowded():
                    raise Refused(503, "too-many-connections", "too many connections are open", 5)
                if scope["path"] not in OPEN_TO_ALL:
                    client = client_of(headers, self._settings)
                body = await self._body(headers, receive, held)
                held_bytes = held.bytes
                exchange.held = held
                scope["reexec.client"], scope["reexec.room"] = client, room
                await self._answer(scope, body, receive, exchange)
        except asyncio.CancelledError:  # the time to drain is over
            await exchange.refuse(Refused(503, "shutting-down", "the service is shutting down", 5))
        except TimeoutError:
            self._log.event("slow-reader", client=client.name, id=request_id)
            raise ConnectionResetError("a client took nothing of its answer") from None
        except Refused as refusal:
            await self._discard(headers, refusal, receive)
            await exchange.refuse(refusal)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._log.event("error", error=type(error).__name__, file=place.filename, line=place.lineno, id=request_id)
            await exchange.refuse(refusal_of(error))
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.request(route, exchange.status)
            self._log.request(
                method=scope["method"] if len(scope["method"]) < 10 else "?", route=route, status=exchange.status,
                wall_s=round(time.monotonic() - began, 4), token=client.token, client=client.name,
                bytes_in=held_bytes, bytes_out=exchange.sent_bytes, id=request_id,
            )  # fmt: skip

    # -- in ---------------------------------------------------------------------------------------------------

    async def _body(self, headers: dict[bytes, bytes], receive: Receive, held: Held) -> bytes:
        if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
            raise Refused(415, "unsupported-encoding", "send the body without Content-Encoding; compressed ones are not read")
        most = self._settings.body_bytes
        too_long = Refused(413, "body-too-large", f"a request of more than {most:,} bytes")
        with contextlib.suppress(ValueError):
            if int(headers.get(b"content-length", b"0")) > most:
                raise too_long
        parts: list[bytes] = []
        length = 0
        try:
            async with asyncio.timeout(self._settings.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(_LEFT, "left", "the client left")
                    part = message.get("body", b"")
                    length += len(part)
                    if length > most:
                        raise too_long
                    held.add(len(part))
                    parts.append(part)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(408, "body-too-slow", f"the request took longer than {self._settings.body_s:g} s to come") from None

    async def _discard(self, headers: dict[bytes, bytes], refusal: Refused, receive: Receive) -> None:
        """A client that still sends would not read why it is refused."""
        if refusal.status in (_LEFT, 408) or b"expect" in headers:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                    pass

    # -- out --------------------------------------------------------------------------------------------------

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, exchange: "_Exchange") -> None:
        """The application's answer; it is cancelled where the client leaves."""
        given = [body]

        async def replay() -> Message:
            if given:
                return {"type": "http.request", "body": given.pop(), "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        served = asyncio.ensure_future(self._app(scope, replay, exchange.send))
        left = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({served, left}, return_when=asyncio.FIRST_COMPLETED)
            if not served.done():
                exchange.status = _LEFT
                return
            served.result()
        finally:
            left.cancel()
            if not served.done():
                served.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await served


class _Exchange:
    """The answer on its way out, in pieces that a client must take in time."""

    def __init__(self, send: Send, send_s: float, request_id: str) -> None:
        self._send, self._send_s = send, send_s
        self._named = (b"x-request-id", request_id.encode())
        self.held: Held | None = None
        self.status = 0
        self.sent_bytes = 0
        self._started = False
        self._ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._started = message["status"], True
            await self._send({**message, "headers": [*message["headers"], self._named]})
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.held is not None:
            self.held.add_anyway(len(body))
        for at in range(0, max(1, len(body)), PIECE_BYTES):
            piece = body[at : at + PIECE_BYTES]
            last = at + PIECE_BYTES >= len(body)
            async with asyncio.timeout(self._send_s):
                await self._send({"type": "http.response.body", "body": piece, "more_body": more or not last})
            self.sent_bytes += len(piece)
        self._ended = not more

    async def refuse(self, refusal: Refused) -> None:
        """Where the answer has begun, breaking off says it: the client sees an answer without its end."""
        if self._ended or refusal.status == _LEFT:
            self.status = self.status or refusal.status
            return
        self.held = None
        if self._started:
            raise ConnectionResetError("an answer that cannot be finished")
        body = refusal.body()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        named = [(name.encode(), value.encode()) for name, value in (headers | refusal.all_headers()).items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": named})
        await self.send({"type": "http.response.body", "body": body})
