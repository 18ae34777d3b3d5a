"""The infer stage: check what exists, ask for what the log lacks, write the output.

The output is written at the end, from the first line: replies come in any order, and a failure of an earlier run may be an
answer now. Nothing touches an existing output before that; where nothing had to be asked it is left alone. With a recording
there is no network, no key and no log, because asking costs nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...execution import one_result
from ...records.turns import FIELDS
from ...rows.documents import read_document
from ...rows.row import Result, Row, Selection
from ...rows.run import StageRun, beside
from ...rows.text import canonical
from ...stage import FirstLines, Progress, Silent, Stage, Summary
from . import local
from .asked import Asked
from .cost import Budget, Prices
from .known import Known, load_known
from .log import Entry, RequestLog
from .prompts import Request, read_prompt
from .replay import Recording
from .reply import failure_of, line_of
from .settings import InferSettings


class Infer(Stage[InferSettings]):
    """Counts responses (`rows`), samples without a usable reply (`reasons`), rows that could not be asked (`unusable`), and the
    tokens spent over all runs of an output. Of a run there are `asked` (settled requests), `sent` (tries), `answered_before`,
    and with prices `cost` and what all requests will cost (`cost_projected`). `stopped` is `max-cost` where it ended there, and
    `no-reply` where no request got one; `why` says what came instead."""

    name = "infer"
    reads = ("response_format", *FIELDS)
    settings_type = InferSettings
    numbers = ("prompt_tokens", "completion_tokens", "unusable")
    tallies = ("reasons",)
    passing = ("asked", "sent", "answered_before")
    counts_used_in = "rows"

    def __init__(self, source: Path, output: Path, settings: InferSettings) -> None:
        super().__init__(source, output, settings)
        if not settings.model and not settings.replay:
            raise UsageError("--model: which model is to be asked? (or --replay FILE)")
        self.log_path = beside(output, "log.jsonl")
        self.find: Callable[[Request], Entry | None] = lambda _: None
        self._recorded: str | None = None
        self._facts: dict[str, Any] = {}

    def open(self, stack: ExitStack, executor: object) -> None:
        if self.settings.replay is not None:
            recording = stack.enter_context(Recording(self.settings.replay, self.settings))
            self.find, self._recorded = recording.find, recording.digest
            self._facts = {"replay": str(self.settings.replay)}

    def key(self) -> dict[str, Any]:
        replayed = {"replay": self._recorded} if self._recorded else {}
        return {"model": self.settings.name, "response format": self.settings.response_format, **replayed}

    def facts(self) -> dict[str, Any]:
        return self._facts

    @property
    def also_read(self) -> tuple[Path, ...]:
        return (self.settings.replay,) if self.settings.replay else ()

    @classmethod
    def words_a_row(cls, settings: InferSettings) -> int:
        return 1 if settings.replay else settings.samples

    # -- from rows to requests --------------------------------------------------------------------------------

    def note(self, row: Row) -> None:
        self._requests(row)

    def _requests(self, row: Row) -> list[Request]:
        requests = read_prompt(row, self.settings)
        if requests[0].has_id:
            self.seen.refuse_repeated(canonical(requests[0].row_id).decode(), row, "repeats the id of", "id")
        return requests

    def all_requests(self, selection: Selection | None) -> Iterator[tuple[Row, list[Request] | Result]]:
        """Every row with its requests, or the reject that it is."""
        self.seen = FirstLines()
        run = self.stage_run(selection, True)
        for row in run.rows():
            yield row, one_result(row, self._requests, row)
        if run.fault is not None:
            raise run.fault

    # -- from replies to rows ---------------------------------------------------------------------------------

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        """Words: `answered`, or the reason of the first sample that is not."""
        for row in rows:
            requests = one_result(row, self._requests, row)
            if isinstance(requests, Result):
                yield Result(row, requests.words, reason=requests.reason, counts={**requests.counts, "unusable": 1})
            else:
                yield one_result(row, self._result, row, requests)

    def _result(self, row: Row, requests: list[Request]) -> Result:
        found = [(request, self.find(request)) for request in requests]
        good = [(request, entry) for request, entry in found if entry and self.settings.is_usable(entry)]
        lines = [line_of(row, request, entry, self.settings.name) for request, entry in good]
        failed = [failure_of(request, entry) for request, entry in found if not (entry and self.settings.is_usable(entry))]
        counts: dict[str, Any] = {"rows": len(lines), "prompt_tokens": 0, "completion_tokens": 0, "reasons": {}}
        for _, entry in found:
            spent = (entry or {}).get("spent") or (entry or {}).get("usage") or {}
            for name in ("prompt_tokens", "completion_tokens"):
                counts[name] += spent.get(name) or 0
        if not failed:
            return Result(row, ("answered",), lines, counts=counts)
        for one in failed:
            counts["reasons"][one["reason"]] = counts["reasons"].get(one["reason"], 0) + 1
        more: dict[str, Any] = {"id": requests[0].row_id, "attempts": sum(one["attempts"] for one in failed)}
        if len(requests) > 1:
            more["samples"] = failed
        reason = f"{failed[0]['reason']}: {failed[0]['message']}"
        return Result(row, (str(failed[0]["reason"]),), lines, reason=reason, counts=counts, more=more)

    # -- the run ----------------------------------------------------------------------------------------------

    @classmethod
    def run(
        cls,
        source: Path,
        output: Path,
        settings: InferSettings | None = None,
        executor: object = None,
        *,
        selection: Selection | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Summary:
        """Asks the model every prompt of a file and writes its responses. Blocks; runs an event loop of its own.

        The key is read from the environment (see endpoint.py) when the first request is about to be sent. KeyboardInterrupt
        leaves every answer in the log. Raises UsageError where nothing could be read or written, or no request can succeed. An
        output that holds responses is left as it is where the server answers nothing at all.
        """
        settings = settings or InferSettings()
        if settings.replay is not None:
            return super().run(source, output, settings, selection=selection, overwrite=overwrite, progress=progress)
        cls.check_names(source, selection, progress or Silent())
        known, stage = load_known(settings.known), cls(source, output, settings)
        existing = stage.stage_run(selection, overwrite)
        if stage.log_path.exists() and source.exists() and stage.log_path.samefile(source):
            raise UsageError(f"{stage.log_path}: the log of this output is the input; choose another name")
        next(existing.rows(), None)  # refuses an input that is not the one the output was made from
        finished = _finished(existing)
        if finished and not stage.log_path.exists():
            return stage._left_alone(existing, None)
        return stage._ask_and_write(known, existing, finished, selection, overwrite, progress or Silent())

    def _ask_and_write(
        self, known: Known, existing: StageRun, finished: bool, selection: Selection | None, overwrite: bool, progress: Progress
    ) -> Summary:
        with ExitStack() as stack:
            log = RequestLog(self.log_path, usable=self.settings.is_usable)
            stack.callback(log.close)
            budget = Budget(self._prices(known), self.settings.max_cost)
            budget.add(log.prompt_tokens, log.completion_tokens)
            asked = Asked(self.settings, log, budget, lambda: self._only_requests(selection), progress)
            if asked.count():
                if asked.answered_before:
                    progress.resumed(asked.answered_before)
                endpoint = asked.ask(stack, known)
                if asked.dead and _responses_in(self.output):
                    raise UsageError(
                        f"{endpoint.base_url} answered none of {asked.settled:,} requests ({asked.why}); "
                        f"{self.output} was left as it is"
                    )
                self._facts = {"base_url": endpoint.base_url, "key_env": endpoint.key_env}
            elif finished and not overwrite:
                return self._left_alone(existing, asked)
            self._facts |= {"tokens": [budget.prompt_tokens, budget.completion_tokens], "cost": budget.spent}
            self.find, self.seen = log.find, FirstLines()
            run = self.stage_run(selection, True)
            self.write(run, Silent())
        return self.summary(run.progress.counts, run.progress.lines, 0, self._more(asked), passing=asked.passing())

    def _only_requests(self, selection: Selection | None) -> Iterator[Request]:
        for _, requests in self.all_requests(selection):
            if not isinstance(requests, Result):
                yield from requests

    def _prices(self, known: Known) -> Prices | None:
        if self.settings.prices is not None:
            return self.settings.prices
        if local.is_meant(self.settings):
            return Prices(0.0, 0.0)
        price = known.price_of(self.settings.name)
        if price is not None:
            return Prices(price.price_in, price.price_out)
        if self.settings.max_cost is not None:
            raise UsageError(f"--max-cost: no prices are known for {self.settings.name}; give --price-in and --price-out")
        return None

    def _left_alone(self, run: StageRun, asked: Asked | None) -> Summary:
        passing = asked.passing() if asked else None
        counts, lines = self.empty_counts() | run.progress.counts, run.progress.lines
        return self.summary(counts, lines, 0, self._more(asked), passing=passing, left_alone=True)

    def _more(self, asked: Asked | None) -> dict[str, Any]:
        own = {"model": self.settings.name}
        return {**own, **(asked.counts() if asked else dict.fromkeys(("cost", "cost_projected", "stopped", "why")))}

    def conclude(self, partial: bool) -> dict[str, Any]:
        return self._more(None)


def _responses_in(output: Path) -> int:
    """Rows of an earlier run's output."""
    try:
        return int(read_document(beside(output, "manifest.json"))["progress"]["counts"]["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _finished(run: StageRun) -> bool:
    """Whether the run's output is complete, as its manifest says. A run that was told to overwrite has none."""
    return bool(run.progress.lines) and bool(read_document(run.manifest_path)["state"] == "done")


infer = Infer.run
