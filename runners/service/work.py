"""One call through the executor, awaited; what is large is decoded, judged and written in a thread, so that the event loop
goes on serving."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from reexec.engine.executor import Executor
from reexec.engine.judging.verdict import Verdict, judge
from reexec.engine.outcome import Outcome
from reexec.engine.own_terms import CallLimits, Files
from reexec.engine.program import Check, Program
from reexec.policies.comparison import ComparisonRule

from ..rows.text import parse_row
from .desk import Client, Desk
from .languages import Languages
from .metrics import Metrics

LARGE_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Shop:
    """What the routes work with."""

    executor: Executor
    desk: Desk
    metrics: Metrics
    languages: Languages


async def aside[T](size: int, function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)`, in a thread where there is much to do."""
    return await asyncio.to_thread(function, *arguments) if size > LARGE_BYTES else function(*arguments)


async def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises BadRowError."""
    return await aside(len(body), parse_row, body)


@dataclass(slots=True)
class Ticket:
    """A call on its way."""

    future: Future[Outcome]
    since: float

    def answer_bytes(self) -> int:
        """Of its answer, which must be there."""
        job = getattr(self.future, "job", None)
        return job.answer.size() if job is not None and job.answer is not None else 0

    async def done(self) -> None:
        """Returns when it is; cancelled, it ends the call."""
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()

        def ring(_: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(rung.set)

        self.future.add_done_callback(ring)
        try:
            await rung.wait()
        except asyncio.CancelledError:
            self.future.cancel()
            raise


def begin(
    shop: Shop, client: Client, program: Program, call: Any, timeout_s: float, *, rule: ComparisonRule | None = None,
    watch_arguments: bool = False, watch_sources: bool = False, limits: CallLimits | None = None, files: Files | None = None,
) -> Ticket:  # fmt: skip
    """Hands a call to the executor; calls of one client take turns with those of others. Raises UsageError, EngineError."""
    future = shop.executor.submit(
        program, call, rule=rule, watch_arguments=watch_arguments, watch_sources=watch_sources, timeout=timeout_s, group=client,
        limits=limits, files=files,
    )  # fmt: skip
    return Ticket(future, time.monotonic())


async def outcome_of(shop: Shop, ticket: Ticket) -> tuple[Outcome, int]:
    """The outcome, and how many bytes it came as. Raises DeadlineExceededError."""
    await ticket.done()
    size = ticket.answer_bytes()
    outcome = await aside(size, ticket.future.result)
    shop.metrics.ran(outcome, time.monotonic() - ticket.since)
    return outcome, size


async def verdict_of(shop: Shop, check: Check, ticket: Ticket) -> tuple[Verdict, int]:
    """The verdict, and how many bytes its outcome came as. Raises DeadlineExceededError."""
    await ticket.done()
    size = ticket.answer_bytes()
    verdict = await aside(size, _judged, shop.executor, check, ticket.future)
    assert verdict.outcome is not None
    shop.metrics.ran(verdict.outcome, time.monotonic() - ticket.since)
    shop.metrics.judged(verdict.word)
    return verdict, size


def _judged(executor: Executor, check: Check, future: Future[Outcome]) -> Verdict:
    return judge(future.result(), check.expected, check.rule_or(executor.policy.comparison), check.id)
