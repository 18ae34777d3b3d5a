"""A real server on loopback that speaks chat completions and misbehaves on demand.

It runs in a thread of the test with sockets of its own; the client under test is another process. For every request of a
prompt (the text of the last message) a plan gives a word:

    ok  ok-slow  reasoning  length  content-filter  whitespace  empty-text     replies, by finish reason
    429  429:SECONDS  429-date:SECONDS  503  503:SECONDS                       crowded, with or without Retry-After
    500  400  401  402  403  404  408  quota                                   refused
    reset  reset-body  stall  trickle                                          the connection breaks or stands still
    malformed  html  no-choices  null-choices  wrong-shape  no-usage           bodies that are not what they should be
    echo-key                                                                   an error that quotes the key, as servers do

or a `Raw`: a status, a body and headers of the test's own.
"""

import asyncio
import email.utils
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

KEY = "sk-test-4f1d7c0a9b2e4d6f8a1c3e5d7f9b0a2c"


@dataclass(frozen=True)
class Raw:
    """A response word by word: `body` as JSON, or bytes as they are."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Plan = Callable[[str, int], str | Raw]
"""(prompt, how many requests it has had before) -> word"""


def chat(message: dict[str, Any] | str, finish: Any = "stop", **more: Any) -> Raw:
    """A completion with this message, or this text."""
    content = {"content": message} if isinstance(message, str) else message
    choice = {"index": 0, "message": {"role": "assistant", **content}, "finish_reason": finish}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return Raw({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **more})


def reply_to(prompt: str) -> str:
    return f"The answer to <{prompt}> is forty-two."


@dataclass
class Seen:
    """What the server saw, per prompt."""

    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """Replies that ended by themselves, sent to their last byte."""
    words: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    most_at_once: int = 0


class Server:
    def __init__(
        self, plan: Plan | None = None, *, key: str | None = KEY, delay_s: float = 0.0, keep_bodies: bool = True
    ) -> None:
        self.plan: Plan = plan or (lambda prompt, before: "ok")
        self.key, self.delay_s, self.keep_bodies = key, delay_s, keep_bodies
        self.seen = Seen()
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._port = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)  # a stop before that would come in the middle of the start
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, sock=self._socket))
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    # -- HTTP -------------------------------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # the client has left, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; False where the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        prompt = body["messages"][-1]["content"]
        self._at_once += 1
        self.seen.most_at_once = max(self.seen.most_at_once, self._at_once)
        try:
            if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
                self.seen.refused += 1
                await self._error(writer, 401, "wrong key", "invalid_api_key")
                return True
            word = self.plan(prompt, self.seen.asked[prompt])
            self.seen.asked[prompt] += 1
            if isinstance(word, Raw):
                self.seen.bodies.append(body)
                self.seen.answered[prompt] += word.status == 200
                data = word.body if isinstance(word.body, bytes) else json.dumps(word.body).encode()
                await self._send(writer, word.status, data, word.headers)
                return True
            self.seen.words[word.partition(":")[0]] += 1
            self.seen.times.append((time.monotonic(), word))
            if self.keep_bodies:
                self.seen.bodies.append(body)
            if self.delay_s or word == "ok-slow":
                await asyncio.sleep(self.delay_s or 0.5)
            return await self._act(word, prompt, body, writer)
        finally:
            self._at_once -= 1

    async def _act(self, word: str, prompt: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        word, _, argument = word.partition(":")
        if word == "429-date":
            # HTTP dates have whole seconds: one that is not passed yet.
            when = email.utils.formatdate(int(time.time()) + 1 + int(argument), usegmt=True)
            await self._error(writer, 429, "slow down", "rate_limit_exceeded", {"Retry-After": when})
        elif word == "quota":
            await self._error(writer, 429, "you have used it up", "insufficient_quota")
        elif word == "echo-key":
            await self._error(writer, 400, f"the key {self.key} may not do that", "bad")
        elif word.isdigit():
            await self._error(
                writer, int(word), f"answer number {word}", "fault", {"Retry-After": argument} if argument else {}
            )
        elif word in ("reset", "reset-body"):
            if word == "reset-body":
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"id": "x", ')
                await writer.drain()
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends RST
            return False
        elif word in ("stall", "trickle"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n")
            while True:
                await asyncio.sleep(0.1)
                if word == "trickle":
                    writer.write(b" ")
                await writer.drain()
                if writer.is_closing():
                    return False
        elif word == "html":
            await self._send(writer, 200, b"<html>busy</html>", {"Content-Type": "text/html"})
        else:
            await self._send(writer, 200, _body(word, prompt, body))
            if word in ("ok", "ok-slow", "reasoning", "no-usage", "schema"):
                self.seen.answered[prompt] += 1
        return True

    async def _error(
        self, writer: asyncio.StreamWriter, code: int, message: str, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        error = {"error": {"message": message, "type": kind, "code": kind, "param": None}}
        await self._send(writer, code, json.dumps(error).encode(), headers)

    async def _send(self, writer: asyncio.StreamWriter, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        head = f"HTTP/1.1 {code} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


def _body(word: str, prompt: str, body: dict[str, Any]) -> bytes:
    if word == "malformed":
        return b'{"id": "x", "choices": [{"message": {"content": "unfini'
    if word == "wrong-shape":
        return b'{"choices": [{"text": "of another protocol"}]}'
    text: str | None = reply_to(prompt)
    finish = {"length": "length", "content-filter": "content_filter"}.get(word, "stop")
    if word == "empty-text":
        text = None
    if finish == "length":
        text = text[:12] if text else text
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if word == "reasoning":
        message["reasoning_content"] = f"thinking about {prompt}"
    reply: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "model": f"{body['model']}-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    if word == "no-usage":
        del reply["usage"]
    if word == "no-choices":
        reply["choices"] = []
    if word == "null-choices":
        reply["choices"] = None
    return json.dumps(reply).encode()
