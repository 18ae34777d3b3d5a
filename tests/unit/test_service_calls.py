"""Calls of the service with the executor played by the test: how long each may take, how many are on their way, what ends
them."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reexec import Check, Outcome, Program
from reexec.engine.errors import UsageError
from reexec.runners.service import app
from reexec.runners.service.callers import client_of, request_id_of
from reexec.runners.service.desk import Client, Desk
from reexec.runners.service.faults import Refused
from reexec.runners.service.settings import ServiceSettings
from reexec.runners.service.work import Ticket

CHECK = Check(Program("def f():\n    return 1", "f"), {}, 1)


class Played(Ticket):
    """A call whose answer has so many bytes."""

    def __init__(self, size: int = 0) -> None:
        super().__init__(Future(), 0.0)
        self.future.set_running_or_notify_cancel()
        self._size, self.is_ended = size, False
        cast(Any, self.future).cancel = self.end

    def end(self) -> None:
        self.is_ended = True

    def answer_bytes(self) -> int:
        return self._size


@contextlib.contextmanager
def batch(count: int, begin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, timeout_s: float = 60) -> Any:
    """The answer of a batch, piece by piece, and what holds while the request lasts."""

    async def item(*_: Any) -> bytes:
        return b"{}"

    monkeypatch.setattr(app, "_begin", begin)
    monkeypatch.setattr(app, "_item", item)
    room = contextlib.ExitStack()
    yield app._verdicts(cast(Any, None), Client(), [CHECK] * count, timeout_s, room), room


def run[T](what: Awaitable[T]) -> T:
    async def wait() -> T:
        return await what

    return asyncio.run(wait())


async def all_of(pieces: Any) -> bytes:
    return b"".join([piece async for piece in pieces])


def test_the_calls_of_a_batch_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, allowed = itertools.count(100.0, 4.0), list[float]()

    def begin(shop: Any, client: Client, check: Check, timeout_s: float) -> Ticket:
        allowed.append(timeout_s)
        return Played()

    monkeypatch.setattr(app, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with batch(4, begin, monkeypatch, timeout_s=10) as (pieces, _):
        assert run(all_of(pieces)) == b'{"verdicts": [{}, {}, {}, {}]}'
    assert allowed == [6.0, 2.0, 0.001, 0.001]


@pytest.mark.parametrize(("size", "more"), [(0, 1), (app.AHEAD_BYTES, 0)])
def test_a_batch_has_few_calls_and_few_bytes_on_their_way(size: int, more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[Played]()

    def begin(*_: Any) -> Ticket:
        begun.append(Played(size))
        return begun[-1]

    async def next_of(pieces: Any, count: int) -> list[bytes]:
        return [await anext(pieces) for _ in range(count)]

    async def look(pieces: Any, room: contextlib.ExitStack) -> None:
        assert await next_of(pieces, 2) == [b'{"verdicts": [', b"{}"]
        assert len(begun) == app.AHEAD_CALLS
        assert await next_of(pieces, 1) == [b", {}"]
        assert len(begun) == app.AHEAD_CALLS + more
        room.close()

    with batch(1000, begin, monkeypatch) as (pieces, room):
        run(look(pieces, room))
    assert [ticket.is_ended for ticket in begun] == [False] * 2 + [True] * (len(begun) - 2)


def test_a_check_of_a_batch_that_is_none_is_told_by_its_place() -> None:
    good = {"program": {"source": "def f():\n    return 1", "entry": "f"}, "call": {"args": [], "kwargs": {}}, "expected": 1}
    assert len(app._checks_of([good, good])) == 2
    with pytest.raises(UsageError, match=r"in \$\.checks\[1\]$"):
        app._checks_of([good, {}])


def test_a_request_that_is_given_up_ends_its_call() -> None:
    future: Future[Outcome] = Future()

    async def give_up() -> None:
        task = asyncio.create_task(Ticket(future, 0.0).done())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert future.cancelled()


@pytest.mark.parametrize("given", [b"a b", b"x" * 65, b"line\nbreak", b"", b"\xff"])
def test_a_name_that_is_none_is_not_taken_for_one(given: bytes) -> None:
    made = request_id_of({b"x-request-id": given})
    assert made.encode("latin-1") != given
    assert request_id_of({b"x-request-id": b"mine-7"}) == "mine-7"
    if given:
        with pytest.raises(Refused, match="X-Client-ID"):
            client_of({b"x-client-id": given}, ServiceSettings())


def test_two_requests_of_a_client_are_counted_until_both_are_over() -> None:
    desk = Desk(ServiceSettings(batch_calls=4, client_calls=6, calls=9))
    with desk.admitted(Client(0), 4):
        with desk.admitted(Client(0), 2):
            pass
        with pytest.raises(Refused), desk.admitted(Client(0), 3):
            pass
    assert not desk._calls_of
