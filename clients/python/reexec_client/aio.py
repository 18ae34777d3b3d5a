"""The client for asyncio: the same methods, as coroutines and asynchronous iterators."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Optional

import httpx

from . import wire
from .data import Check, Outcome, Verdict
from .errors import UsageError

_BATCHES_AHEAD = 4


class AsyncClient:
    """As Client; `submit` gives a task. Use it within one event loop."""

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        token: Optional[str] = None,
        client_id: str = "",
        connections: int = 64,
        retry_s: float = 300.0,
    ) -> None:
        self._wire = wire.Wire(url, token, client_id, retry_s)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.AsyncClient(limits=limits, trust_env=False)
        self._connections = connections
        self._closed = False

    async def info(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._ask("GET", "/v1/info", lambda _: None, None, None)
        return found

    def submit(
        self,
        program: Any,
        call: Any,
        *,
        watch_arguments: bool = False,
        watch_sources: bool = False,
        timeout: Optional[float] = None,
        group: Any = None,
    ) -> asyncio.Task[Outcome]:
        """One call, as a task; cancelling it ends the call."""
        self._check_open()
        wire.execute_body(program, call, watch_arguments, watch_sources, None)  # mistakes are told here
        return asyncio.ensure_future(self._execute(program, call, watch_arguments, watch_sources, timeout, group))

    async def _execute(
        self, program: Any, call: Any, watch_arguments: bool, watch_sources: bool, timeout: Optional[float], group: Any
    ) -> Outcome:
        def body(left: Optional[float]) -> bytes:
            return wire.execute_body(program, call, watch_arguments, watch_sources, left)

        return wire.outcome(await self._ask("POST", "/v1/execute", body, group, timeout))

    async def check(
        self,
        program: Any,
        call: Any,
        expected: Any,
        *,
        rule: Any = None,
        timeout: Optional[float] = None,
        group: Any = None,
    ) -> Verdict:
        self._check_open()
        asked = Check(program, call, expected, rule=rule)
        return wire.verdict(await self._ask("POST", "/v1/check", lambda left: wire.check_body(asked, left), group, timeout))

    async def map(self, program: Any, calls: Iterable[Any], *, timeout: Optional[float] = None) -> AsyncIterator[Outcome]:
        async for found, _ in self.run_many(((program, call, None) for call in calls), timeout=timeout):
            assert found is not None
            yield found

    async def check_many(
        self, checks: Iterable[Any], *, ordered: bool = True, timeout: Optional[float] = None
    ) -> AsyncIterator[Verdict]:
        self._check_open()
        patience = wire.Patience(self._wire.retry_s, timeout)
        asked = ((lambda batch=batch: self._batch(batch, patience), None) for batch in wire.batches(checks))
        async for found, _ in self._ahead(asked, _BATCHES_AHEAD, ordered):
            for one in found:
                yield wire.verdict(one)

    async def run_many(
        self,
        items: Iterable[tuple[Any, Any, Any]],
        *,
        ordered: bool = True,
        watch_arguments: bool = False,
        watch_sources: bool = False,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[tuple[Optional[Outcome], Any]]:
        self._check_open()
        patience = wire.Patience(self._wire.retry_s, timeout)

        async def run(program: Any, call: Any) -> Optional[Outcome]:
            if program is None:
                return None
            return await self._execute(program, call, watch_arguments, watch_sources, patience.left_s(), None)

        asked = ((lambda p=program, c=call: run(p, c), tag) for program, call, tag in items)
        async for found in self._ahead(asked, self._connections, ordered):
            yield found

    @staticmethod
    async def _ahead(
        asked: Iterator[tuple[Callable[[], Awaitable[Any]], Any]], most: int, ordered: bool
    ) -> AsyncIterator[tuple[Any, Any]]:
        line: deque[tuple[asyncio.Future[Any], Any]] = deque()
        exhausted = False
        try:
            while True:
                while not exhausted and len(line) < most:
                    item = next(asked, None)
                    if item is None:
                        exhausted = True
                        break
                    line.append((asyncio.ensure_future(item[0]()), item[1]))
                if not line:
                    return
                if not ordered:
                    await asyncio.wait([task for task, _ in line], return_when=asyncio.FIRST_COMPLETED)
                    at = next(index for index, (task, _) in enumerate(line) if task.done())
                    line.rotate(-at)
                task, tag = line[0]
                result = await task
                line.popleft()
                yield result, tag
        finally:
            for task, _ in line:
                task.cancel()
            await asyncio.gather(*(task for task, _ in line), return_exceptions=True)

    async def _batch(self, texts: list[bytes], patience: wire.Patience) -> list[Any]:
        try:
            found = await self._ask_with(patience, "POST", "/v1/checks", lambda left: wire.batch_body(texts, left), None)
        except wire.TooMany as error:
            if len(texts) == 1:
                raise UsageError(str(error)) from None
            half = len(texts) // 2
            return await self._batch(texts[:half], patience) + await self._batch(texts[half:], patience)
        verdicts: list[Any] = found["verdicts"]
        return verdicts

    async def _ask(self, method: str, path: str, body: Any, group: Any, timeout: Optional[float]) -> Any:
        try:
            return await self._ask_with(wire.Patience(self._wire.retry_s, timeout), method, path, body, group)
        except wire.TooMany as error:
            raise UsageError(str(error)) from None

    async def _ask_with(self, patience: wire.Patience, method: str, path: str, body: Any, group: Any) -> Any:
        while True:
            left = patience.left_s()
            try:
                try:
                    return wire.read(await self._http.request(**self._wire.request(method, path, body(left), group, left)))
                except httpx.HTTPError as error:
                    raise wire.broken(error, self._wire.url) from None
            except wire.AskAgain as again:
                if self._closed:
                    raise again.error from None
                await asyncio.sleep(patience.pause_s(again))

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this client is shut down")

    async def shutdown(self) -> None:
        self._closed = True
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.shutdown()
