"""The client for programs with threads, or none."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Iterable, Iterator, Optional, TypeVar

import httpx

from . import wire
from .data import Check, Outcome, Verdict
from .errors import UsageError

T = TypeVar("T")
_BATCHES_AHEAD = 4


class Client:
    """Usable as a context manager and from several threads.

    url:        of the service; REEXEC_URL, or this machine's port 8317, where None.
    token:      REEXEC_TOKEN's where None.
    client_id:  under which name the service gives turns; one of its own for each client where empty.
    connections: requests at the same time.
    retry_s:    for how long a service that is full or not there is asked again.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        token: Optional[str] = None,
        client_id: str = "",
        connections: int = 16,
        retry_s: float = 300.0,
    ) -> None:
        self._wire = wire.Wire(url, token, client_id, retry_s)
        limits = httpx.Limits(max_connections=connections + _BATCHES_AHEAD, max_keepalive_connections=connections)
        self._http = httpx.Client(limits=limits, trust_env=False)
        self._connections = connections
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="reexec-client")
        self._batch_pool = ThreadPoolExecutor(_BATCHES_AHEAD, thread_name_prefix="reexec-batches")
        self._closed = False

    def info(self) -> dict[str, Any]:
        """What the service says of itself: isolation, workers, policy, caps."""
        found: dict[str, Any] = self._ask("GET", "/v1/info", lambda _: None, None, None)
        return found

    # -- one at a time ----------------------------------------------------------------------------------------

    def submit(
        self,
        program: Any,
        call: Any,
        *,
        watch_arguments: bool = False,
        watch_sources: bool = False,
        timeout: Optional[float] = None,
        group: Any = None,
    ) -> Future[Outcome]:
        """One call, as a future of its Outcome. Cancelled before it is sent, it is never run."""
        self._check_open()
        wire.execute_body(program, call, watch_arguments, watch_sources, None)  # mistakes are told here

        def run() -> Outcome:
            def body(left: Optional[float]) -> bytes:
                return wire.execute_body(program, call, watch_arguments, watch_sources, left)

            return wire.outcome(self._ask("POST", "/v1/execute", body, group, timeout))

        return self._pool.submit(run)

    def map(self, program: Any, calls: Iterable[Any], *, timeout: Optional[float] = None) -> Iterator[Outcome]:
        """Outcomes of many calls of one program, in order."""
        for found, _ in self.run_many(((program, call, None) for call in calls), timeout=timeout):
            assert found is not None
            yield found

    def check(
        self,
        program: Any,
        call: Any,
        expected: Any,
        *,
        rule: Any = None,
        timeout: Optional[float] = None,
        group: Any = None,
    ) -> Verdict:
        """Runs one call and judges its result. Raises DeadlineExceededError when `timeout` seconds have passed."""
        self._check_open()
        asked = Check(program, call, expected, rule=rule)
        return wire.verdict(self._ask("POST", "/v1/check", lambda left: wire.check_body(asked, left), group, timeout))

    # -- many -------------------------------------------------------------------------------------------------

    def check_many(self, checks: Iterable[Any], *, ordered: bool = True, timeout: Optional[float] = None) -> Iterator[Verdict]:
        """Verdicts on any number of checks, in their order (`ordered=False`: as they are done, a request's at a time)."""
        self._check_open()
        patience = wire.Patience(self._wire.retry_s, timeout)
        asked = ((self._batch, (batch, patience), None) for batch in wire.batches(checks))
        for found, _ in self._ahead(self._batch_pool, asked, _BATCHES_AHEAD, ordered):
            yield from map(wire.verdict, found)

    def run_many(
        self,
        items: Iterable[tuple[Any, Any, Any]],
        *,
        ordered: bool = True,
        watch_arguments: bool = False,
        watch_sources: bool = False,
        timeout: Optional[float] = None,
    ) -> Iterator[tuple[Optional[Outcome], Any]]:
        """`(outcome, tag)` for every `(program, call, tag)`; an item whose program is None is not executed."""
        self._check_open()
        until = None if timeout is None else time.monotonic() + timeout

        def run(program: Any, call: Any) -> Optional[Outcome]:
            if program is None:
                return None

            def body(left: Optional[float]) -> bytes:
                return wire.execute_body(program, call, watch_arguments, watch_sources, left)

            left = None if until is None else max(0.001, until - time.monotonic())
            return wire.outcome(self._ask("POST", "/v1/execute", body, None, left))

        asked = ((run, (program, call), tag) for program, call, tag in items)
        yield from self._ahead(self._pool, asked, 4 * self._connections, ordered)

    def _ahead(
        self, pool: ThreadPoolExecutor, asked: Iterator[tuple[Any, tuple[Any, ...], T]], most: int, ordered: bool
    ) -> Iterator[tuple[Any, T]]:
        """Results of calls in a pool, a few ahead of the consumer."""
        line: deque[tuple[Future[Any], T]] = deque()
        exhausted = False
        try:
            while True:
                while not exhausted and len(line) < most:
                    item = next(asked, None)
                    if item is None:
                        exhausted = True
                        break
                    line.append((pool.submit(item[0], *item[1]), item[2]))
                if not line:
                    return
                if ordered:
                    future, tag = line.popleft()
                else:
                    wait([future for future, _ in line], return_when=FIRST_COMPLETED)
                    at = next(index for index, (future, _) in enumerate(line) if future.done())
                    future, tag = line[at]
                    del line[at]
                yield future.result(), tag
        finally:
            for future, _ in line:
                future.cancel()

    # -- requests ---------------------------------------------------------------------------------------------

    def _batch(self, texts: list[bytes], patience: wire.Patience) -> list[Any]:
        try:
            found = self._ask_with(patience, "POST", "/v1/checks", lambda left: wire.batch_body(texts, left), None)
        except wire.TooMany as error:
            if len(texts) == 1:
                raise UsageError(str(error)) from None
            half = len(texts) // 2
            return self._batch(texts[:half], patience) + self._batch(texts[half:], patience)
        verdicts: list[Any] = found["verdicts"]
        return verdicts

    def _ask(self, method: str, path: str, body: Any, group: Any, timeout: Optional[float]) -> Any:
        try:
            return self._ask_with(wire.Patience(self._wire.retry_s, timeout), method, path, body, group)
        except wire.TooMany as error:
            raise UsageError(str(error)) from None

    def _ask_with(self, patience: wire.Patience, method: str, path: str, body: Any, group: Any) -> Any:
        while True:
            left = patience.left_s()
            try:
                try:
                    return wire.read(self._http.request(**self._wire.request(method, path, body(left), group, left)))
                except httpx.HTTPError as error:
                    raise wire.broken(error, self._wire.url) from None
            except wire.AskAgain as again:
                if self._closed:
                    raise again.error from None
                time.sleep(patience.pause_s(again))

    # -- the end ----------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this client is shut down")

    def shutdown(self) -> None:
        """Waits for what was sent; what was not is cancelled. A second shutdown does nothing."""
        self._closed = True
        for pool in (self._pool, self._batch_pool):
            pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
