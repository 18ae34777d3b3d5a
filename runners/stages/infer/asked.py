"""The first half of a run: what the log has no reply to is asked."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from reexec.engine.errors import UsageError

from ...stage import Progress
from . import local
from .cost import Budget
from .known import Known
from .log import Entry, RequestLog
from .prompts import Request
from .settings import InferSettings

if TYPE_CHECKING:
    from .endpoint import Endpoint

TELL_COST_AFTER = 50
"""Settled requests, before it is said once what the whole run is going to cost."""


class Asked:
    """`requests` gives all requests of the input, as often as it is called."""

    def __init__(
        self,
        settings: InferSettings,
        log: RequestLog,
        budget: Budget,
        requests: Callable[[], Iterator[Request]],
        progress: Progress,
    ) -> None:
        self._settings, self._log, self.budget, self._requests = settings, log, budget, requests
        self._progress = progress
        self._in_all = 0
        self.answered_before = 0
        self.settled = 0
        self.sent = 0
        self.budget_spent = False
        self.dead = False
        """Whether the server has answered none of the requests that were sent, and refused none for what it holds."""
        self.why = ""

    def count(self) -> int:
        """Requests that the log holds no usable reply to. Reads the whole input before anything is sent: projections of the
        cost need it, and a fault of the file shows before it costs money."""
        pending = 0
        for request in self._requests():
            self._in_all += 1
            pending += not self._log.answered(request)
        self.answered_before = self._in_all - pending
        return pending

    def ask(self, stack: ExitStack, known: Known) -> "Endpoint":
        """Where it was asked. Raises UsageError where no request can succeed."""
        from .client import StopError  # with the openai client, which takes most of a second to import
        from .endpoint import find_endpoint

        settings = self._settings
        if local.is_meant(settings):
            endpoint = stack.enter_context(local.serve_local())
        else:
            endpoint = find_endpoint(settings.name, known, base_url=settings.base_url, key_env=settings.key_env)
        self._log.clean = endpoint.secret.clean
        try:
            asyncio.run(self._ask(endpoint))
        except StopError as stop:
            raise UsageError(str(stop)) from None
        return endpoint

    async def _ask(self, endpoint: "Endpoint") -> None:
        from .asking import Asking
        from .client import Client

        settings = self._settings
        client = Client(endpoint, model=settings.name, temperature=settings.temperature, timeout_s=settings.timeout_s)
        asking = Asking(client, self._log, self.budget, settings, self._tell)
        try:
            await asking.run(self._unanswered())
        finally:
            self.sent, self.budget_spent = asking.sent, asking.budget_spent
            self.dead, self.why = bool(self.settled) and not asking.reached, asking.last_fault
            await client.close()

    def _unanswered(self) -> Iterator[Request]:
        """What the log has no reply to: first what was never asked, then what failed before. So a run that stopped at rows
        that fail comes to the others when it is run again."""
        again = 0
        for request in self._requests():
            if self._log.failed_before(request):
                again += 1
            elif not self._log.answered(request):
                yield request
        if again:
            yield from (request for request in self._requests() if self._log.failed_before(request))

    def _tell(self, entry: Entry) -> None:
        self.settled += 1
        self._progress.tell("answered" if self._settings.is_usable(entry) else entry.get("reason") or "unusable")
        if self.settled == TELL_COST_AFTER and self.budget.spent is not None and self.projection is not None:
            self._progress.remark(f"cost so far {self.budget.spent:.4f}, about {self.projection:.2f} for the whole file")

    @property
    def projection(self) -> float | None:
        return self.budget.projection(self.answered_before + self.settled, self._in_all)

    def counts(self) -> dict[str, Any]:
        """What is said of the run's costs and its end."""
        stopped = "no-reply" if self.dead else "max-cost" if self.budget_spent else None
        return {
            "prompt_tokens": self.budget.prompt_tokens,
            "completion_tokens": self.budget.completion_tokens,
            "cost": self.budget.spent,
            "cost_projected": self.projection if self.budget_spent else self.budget.spent,
            "stopped": stopped,
            "why": self.why if self.dead else "",
        }

    def passing(self) -> dict[str, Any]:
        return {"asked": self.settled, "sent": self.sent, "answered_before": self.answered_before}
