"""The loop that keeps requests on their way until each is answered or given up, and the log knows of it.

What is held in memory is bounded: requests come from an iterator, and only a window of them is open at a time (on their way, or
waiting for their next try). An entry is logged in the same breath in which a reply arrives, with no await in between, so that
no interruption falls between an answer and its line.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from reexec.engine.errors import UsageError

from . import local
from .client import Client, Fault, Reply, StopError
from .control import MOST_PATIENCE_S, Controller, backoff_s
from .cost import Budget, estimate_prompt_tokens
from .log import Entry, RequestLog
from .prompts import Request
from .settings import InferSettings

PATIENCE = 30
"""Times that a crowded server may send one request away before it counts as failed: such replies are no tries."""
FAILURES_IN_A_ROW = 20
"""Requests that fail one after the other, with no answer between them, before the run stops: the server is down. A row's own
fault, such as a prompt that is too long, is not among them."""
REFUSALS_IN_A_ROW = 200
"""The same for requests that are refused in words that do not say whether the row or the whole run is at fault."""
_DEALT_WITH = ("refused", "refusal", "no-text")
"""Reasons for which a server that works gives no answer."""
LONGER = 2
"""How many times the tokens a reply gets that was cut for its length."""


class _BudgetSpentError(Exception):
    """The next request could cost more than is left."""


class Asking:
    """See the module. `on_entry` is told of each entry that was logged."""

    def __init__(
        self,
        client: Client,
        log: RequestLog,
        budget: Budget,
        settings: InferSettings,
        on_entry: Callable[[Entry], None],
    ) -> None:
        self._client, self._log, self._budget, self._settings, self._on_entry = client, log, budget, settings, on_entry
        self._max_tokens = settings.max_tokens
        self.control = Controller(local.concurrency(settings))
        self.on_their_way = 0
        self.budget_spent = False
        self.sent = 0
        self.last_fault = ""
        self.reached = False
        """Whether the server has dealt with any request: answered it, or refused it for what it holds."""
        self._failed_in_a_row = 0
        self._refused_in_a_row = 0
        self._changed = asyncio.Event()
        self._chance = random.Random()  # noqa: S311 - jitter

    async def run(self, requests: Iterable[Request]) -> None:
        """Raises StopError where no request can succeed, UsageError where the log cannot be written; requests on their way are
        then dropped."""
        window = asyncio.Semaphore(2 * local.concurrency(self._settings))
        try:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    await window.acquire()
                    if self.budget_spent:
                        break
                    task = group.create_task(self._settle(request))
                    task.add_done_callback(lambda _: window.release())
        except BaseExceptionGroup as group:
            raise _first(group) from None

    # -- one request ------------------------------------------------------------------------------------------

    async def _settle(self, request: Request) -> None:
        """All tries of a request, to its entry in the log. Where the budget ends it stays unasked."""
        try:
            entry, fault = await self._tried(request)
        except _BudgetSpentError:
            return
        written = self._log.append(request, entry)
        self._on_entry(written)
        if fault is None:
            self.reached = True
            self._failed_in_a_row = self._refused_in_a_row = 0
            return
        self.last_fault = f"{written['reason']}, {written['message']}"
        if fault.reason in _DEALT_WITH:
            self.reached = True
        if fault.of_the_row:
            return
        if fault.reason == "refused":
            self._refused_in_a_row += 1
        else:
            self._failed_in_a_row += 1
        for count, most in ((self._failed_in_a_row, FAILURES_IN_A_ROW), (self._refused_in_a_row, REFUSALS_IN_A_ROW)):
            if count >= most:
                raise StopError(f"{most} requests in a row failed, the last of them: {self.last_fault}")

    async def _tried(self, request: Request) -> tuple[Entry, Fault | None]:
        """The entry for the log, and the fault that the last try ended with."""
        estimate = estimate_prompt_tokens(request.messages)
        max_tokens = self._max_tokens
        attempts = failures = sent_away = 0
        prompt_tokens = completion_tokens = 0
        while True:
            attempts += 1
            worst = self._budget.worst(estimate, max_tokens)
            began = await self._enter(worst)
            try:
                result = await self._client.send(request, max_tokens)
            finally:
                self._leave(worst)
            paid = result if isinstance(result, Reply) else result.spent
            if paid is not None:
                prompt_tokens += paid.prompt_tokens or 0
                completion_tokens += paid.completion_tokens or 0
                self._budget.add(paid.prompt_tokens or 0, paid.completion_tokens or 0)
            if isinstance(result, Reply):
                self.control.succeeded()
            elif result.crowded:
                self.control.congested(began, asyncio.get_running_loop().time(), result.wait_s)
            spent = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
            if isinstance(result, Reply):
                again = result.finish_reason == "length" and "length" not in self._settings.keep
                if not again or max_tokens > self._max_tokens:
                    return {**_reply_entry(result), "spent": spent, "attempts": attempts}, None
                max_tokens = LONGER * self._max_tokens
                continue
            if result.wait_s is not None and result.wait_s > MOST_PATIENCE_S:
                raise StopError(
                    f"the server asks to wait {result.wait_s:,.0f} s ({result.message}); give the command again then"
                )
            if result.reason == "rate-limit" or result.wait_s is not None:
                sent_away += 1
            else:
                failures += 1
            if not result.again or failures >= self._settings.tries or sent_away > PATIENCE:
                return {"reason": result.reason, "message": result.message, "spent": spent, "attempts": attempts}, result
            await asyncio.sleep(max(result.wait_s or 0.0, backoff_s(failures + sent_away, self._chance)))

    # -- who may send -----------------------------------------------------------------------------------------

    async def _enter(self, worst: float) -> float:
        """A place among the requests on their way, and the money for it; gives the time of sending."""
        loop = asyncio.get_running_loop()
        while True:
            affordable = self._budget.fits(worst)
            if self.budget_spent or not (affordable or self.on_their_way):
                self.budget_spent = True
                self._changed.set()
                raise _BudgetSpentError
            if affordable and self.control.may_start(loop.time(), self.on_their_way):
                break
            await self._wait_for_change(self.control.not_before - loop.time())
        self.on_their_way += 1
        self._budget.reserve(worst)
        self.sent += 1
        return loop.time()

    def _leave(self, worst: float) -> None:
        """Does not await: an interruption must not come between a reply and its line in the log."""
        self.on_their_way -= 1
        self._budget.release(worst)
        self._changed.set()

    async def _wait_for_change(self, rest_s: float) -> None:
        """Until another request is back, or the rest that the server asked for is over."""
        self._changed.clear()
        try:
            async with asyncio.timeout(rest_s + 0.001 if rest_s > 0 else None):
                await self._changed.wait()
        except TimeoutError:
            return


def _reply_entry(reply: Reply) -> Entry:
    entry: dict[str, Any] = {"output": reply.text}
    if reply.reasoning is not None:
        entry["reasoning"] = reply.reasoning
    entry["finish_reason"] = reply.finish_reason
    if reply.served_finish_reason != reply.finish_reason:
        entry["served_finish_reason"] = reply.served_finish_reason
    entry["usage"] = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
    entry["served_model"] = reply.model
    return entry


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    """What ended the requests: the error of the user's endpoint or disk, else whatever came first."""
    errors = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in errors if isinstance(error, StopError | UsageError)), errors[0])
