"""The infer stage as one function: check what exists, ask for what the log lacks, export.

The output is written at the end, by a StageRun that begins at the first line: replies come in any order, and a failure of an
earlier run may be an answer now. Nothing touches an existing output before that; where nothing had to be asked it is left
alone.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...rows.run import Selection, StageRun, beside
from . import local
from .asking import Asking
from .client import Client, StopError
from .cost import Budget, Prices
from .endpoint import Endpoint, find_endpoint
from .export import Export, log_path_of, usable
from .known import Known, load_known
from .log import Entry, RequestLog
from .prompts import Prompts, Request
from .replay import Recording
from .settings import AskSettings, Sampling


@dataclass(slots=True)
class InferSummary:
    rows: int = 0
    """Responses in the output."""
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    unusable: int = 0
    """Rejected rows that could not be asked."""
    asked: int = 0
    """Requests that this run settled."""
    sent: int = 0
    """Tries that this run sent for them."""
    answered_before: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Spent over all runs of this output."""
    cost: float | None = None
    cost_projected: float | None = None
    """What all requests of the input will cost, going by those that are settled."""
    stopped: str | None = None
    """`max-cost` where the run ended there; `no-reply` where no request of the run got one."""
    why: str = ""
    """Of `no-reply`: what came instead of the last one."""
    left_alone: bool = False
    reasons: dict[str, int] = field(default_factory=dict)
    """Samples without a usable reply, by reason."""


@dataclass(frozen=True, slots=True)
class Told:
    """What `on_entry` learns after each settled request."""

    word: str
    """answered, or the reason."""
    cost: float | None
    projection: float | None


def infer(
    messages_path: Path,
    output_path: Path,
    sampling: Sampling,
    *,
    base_url: str | None = None,
    key_env: str | None = None,
    known: Known | None = None,
    settings: AskSettings | None = None,
    prices: Prices | None = None,
    max_cost: float | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_entry: Callable[[Told], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> InferSummary:
    """Asks `sampling.model` every prompt of a file and writes its responses. Blocks; runs an event loop of its own.

    The key is read from the environment (see endpoint.py) when the first request is about to be sent.
    KeyboardInterrupt leaves every answer in the log. Raises UsageError where nothing could be read or written, or no request
    can succeed. An output that holds responses is left as it is where the server answers nothing at all.
    """
    settings = settings or AskSettings()
    known = known or load_known()
    if sampling.model == local.NAME and base_url is None:
        settings = replace(settings, concurrency=min(settings.concurrency, local.SLOTS))
        prices = prices or Prices(0.0, 0.0)
    job = _Job(messages_path, output_path, sampling, settings, selection)
    existing = job.stage_run(overwrite)
    if job.log_path.exists() and messages_path.exists() and job.log_path.samefile(messages_path):
        raise UsageError(f"{job.log_path}: the log of this output is the input; choose another name")
    next(existing.rows(), None)  # refuses an input that is not the one the output was made from
    finished = _finished(existing)
    if finished and not job.log_path.exists():
        return job.summary(existing, left_alone=True)
    price = known.price_of(sampling.model)
    if prices is None and price is not None:
        prices = Prices(price.price_in, price.price_out)
    if max_cost is not None and prices is None:
        raise UsageError(f"--max-cost: no prices are known for {sampling.model}; give --price-in and --price-out")
    with ExitStack() as stack:
        log = RequestLog(job.log_path, usable=lambda entry: usable(entry, settings.keep))
        stack.callback(log.close)
        budget = Budget(prices, max_cost)
        budget.add(log.prompt_tokens, log.completion_tokens)
        asked = _Asked(job, log, budget, on_entry)
        if asked.count():
            if on_resume is not None and asked.answered_before:
                on_resume(asked.answered_before)
            endpoint = _open_endpoint(stack, sampling, known, base_url, key_env)
            log.clean = endpoint.secret.clean
            asked.ask(endpoint)
            if asked.dead and _responses_in(job.output):
                raise UsageError(
                    f"{endpoint.base_url} answered none of {asked.settled:,} requests ({asked.why}); "
                    f"{job.output} was left as it is"
                )
            job.facts = {"base_url": endpoint.base_url, "key_env": endpoint.key_env}
        elif finished and not overwrite:
            return job.summary(existing, asked, left_alone=True)
        job.facts |= {"tokens": [budget.prompt_tokens, budget.completion_tokens], "cost": budget.spent}
        run = job.stage_run(True)
        job.export(run, log.find)
        return job.summary(run, asked)


def replay_recorded(
    messages_path: Path,
    output_path: Path,
    recording_path: Path,
    sampling: Sampling,
    *,
    settings: AskSettings | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> InferSummary:
    """The same output from recorded responses (see replay.py): no network, no key and no log, because asking costs nothing.
    Raises UsageError where nothing could be read or written."""
    settings = settings or AskSettings()
    with Recording(recording_path, settings.keep) as recording:
        job = _Job(messages_path, output_path, sampling, settings, selection)
        job.facts = {"replay": str(recording_path)}
        job.more_key = {"replay": recording.digest}
        run = job.stage_run(overwrite, also_read=(recording_path,))
        if on_resume is not None and run.resumed_lines:
            on_resume(run.resumed_lines)
        job.export(run, recording.find, on_row)
    return job.summary(run)


class _Job:
    """What stays the same over the run: names and parameters."""

    def __init__(
        self, source: Path, output: Path, sampling: Sampling, settings: AskSettings, selection: Selection | None
    ) -> None:
        self.source, self.output, self.sampling, self.settings, self.selection = source, output, sampling, settings, selection
        self.log_path = log_path_of(output)
        self.facts: dict[str, Any] = {}
        self.more_key: dict[str, Any] = {}

    def export(
        self, run: StageRun, find: Callable[[Request], Entry | None], on_row: Callable[[str], None] | None = None
    ) -> None:
        export = Export(run, self.sampling, self.settings.keep, find)
        run.open()
        state = "interrupted"
        try:
            export.all(Prompts(run, self.sampling), on_row)
            state = "done"
        finally:
            run.close(state)
        if run.fault is not None:
            raise run.fault

    def stage_run(self, overwrite: bool, also_read: tuple[Path, ...] = ()) -> StageRun:
        return StageRun(
            "infer",
            self.source,
            self.output,
            key={**self.sampling.key(), "keep": sorted(self.settings.keep), **self.more_key},
            facts=self.facts,
            selection=self.selection,
            overwrite=overwrite,
            also_read=also_read,
        )

    def summary(self, run: StageRun, asked: "_Asked | None" = None, left_alone: bool = False) -> InferSummary:
        counts = run.progress.counts
        reasons: dict[str, int] = counts.get("reasons", {})
        result = InferSummary(
            rows=counts.get("rows", 0),
            rejected=counts.get("rejected", 0),
            first_reject=counts.get("first_reject", ""),
            unreadable=counts.get("unreadable", 0),
            unusable=counts.get("unusable", 0),
            prompt_tokens=counts.get("prompt_tokens", 0),
            completion_tokens=counts.get("completion_tokens", 0),
            left_alone=left_alone,
            reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        )
        if asked is not None:
            result.asked, result.sent, result.answered_before = asked.settled, asked.sent, asked.answered_before
            result.prompt_tokens, result.completion_tokens = asked.budget.prompt_tokens, asked.budget.completion_tokens
            result.cost, result.stopped = asked.budget.spent, "max-cost" if asked.budget_spent else None
            if asked.dead:
                result.stopped, result.why = "no-reply", asked.why
            result.cost_projected = asked.projection if asked.budget_spent else result.cost
        return result


class _Asked:
    """The first half of a run."""

    def __init__(
        self,
        job: _Job,
        log: RequestLog,
        budget: Budget,
        on_entry: Callable[[Told], None] | None,
    ) -> None:
        self._job, self._log, self.budget, self._on_entry = job, log, budget, on_entry
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

    def _requests(self) -> Iterator[Request]:
        for _, requests, _ in Prompts(self._job.stage_run(True), self._job.sampling):
            yield from requests

    def _unanswered(self) -> Iterator[Request]:
        """What the log has no reply to: first what was never asked, then what failed before. So a run that stopped at rows
        that fail comes to the others when it is run again."""
        again = 0
        for request in self._requests():
            if self._log.failed_before(request):
                again += 1
            elif not self._log.answered(request):
                yield request
        if not again:
            return
        for request in self._requests():
            if self._log.failed_before(request):
                yield request

    def ask(self, endpoint: Endpoint) -> None:
        """Raises UsageError where no request can succeed."""
        try:
            asyncio.run(self._ask(endpoint))
        except StopError as stop:
            raise UsageError(str(stop)) from None

    async def _ask(self, endpoint: Endpoint) -> None:
        sampling, settings = self._job.sampling, self._job.settings
        client = Client(endpoint, model=sampling.model, temperature=sampling.temperature, timeout_s=settings.timeout_s)
        asking = Asking(client, self._log, self.budget, settings, sampling.max_tokens, self._tell)
        try:
            await asking.run(self._unanswered())
        finally:
            self.sent, self.budget_spent = asking.sent, asking.budget_spent
            self.dead, self.why = bool(self.settled) and not asking.reached, asking.last_fault
            await client.close()

    @property
    def projection(self) -> float | None:
        return self.budget.projection(self.answered_before + self.settled, self._in_all)

    def _tell(self, entry: Entry) -> None:
        self.settled += 1
        if self._on_entry is not None:
            word = "answered" if usable(entry, self._job.settings.keep) else entry.get("reason") or "unusable"
            self._on_entry(Told(word, self.budget.spent, self.projection))


def _open_endpoint(stack: ExitStack, sampling: Sampling, known: Known, base_url: str | None, key_env: str | None) -> Endpoint:
    if sampling.model == local.NAME and base_url is None:
        return stack.enter_context(local.serve_local())
    return find_endpoint(sampling.model, known, base_url=base_url, key_env=key_env)


def _responses_in(output: Path) -> int:
    """Rows of an earlier run's output."""
    try:
        return int(json.loads(beside(output, "manifest.json").read_text())["progress"]["counts"]["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _finished(run: StageRun) -> bool:
    """Whether the run's output is complete, as its manifest says. A run that was told to overwrite has none."""
    if not run.progress.lines:
        return False
    return bool(json.loads(run.manifest_path.read_text())["state"] == "done")
