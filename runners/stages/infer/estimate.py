"""What a run would send: the first prompt, requests and tokens. Nothing is sent and nothing is written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...rows.run import Selection, StageRun
from .cost import Prices, estimate_prompt_tokens
from .export import log_path_of, usable
from .log import RequestLog
from .prompts import Prompts
from .settings import AskSettings, Sampling


@dataclass(slots=True)
class Estimate:
    first: list[dict[str, Any]] = field(default_factory=list)
    """The messages of the first request that would be sent."""
    rows: int = 0
    unusable: int = 0
    first_fault: str = ""
    requests: int = 0
    """That would be sent; those that the log answers already are not among them."""
    answered: int = 0
    prompt_tokens: int = 0
    completion_tokens_most: int = 0
    cost_most: float | None = None


def estimate(
    messages_path: Path,
    output_path: Path,
    sampling: Sampling,
    *,
    settings: AskSettings | None = None,
    prices: Prices | None = None,
    selection: Selection | None = None,
) -> Estimate:
    """Raises UsageError where the prompts cannot be read."""
    keep = (settings or AskSettings()).keep
    run = StageRun("infer", messages_path, output_path, key={}, facts={}, selection=selection, overwrite=True)
    log = RequestLog(log_path_of(output_path), usable=lambda entry: usable(entry, keep), read_only=True)
    found = Estimate()
    try:
        for row, requests, fault in Prompts(run, sampling):
            found.rows += 1
            if fault:
                found.unusable += 1
                found.first_fault = found.first_fault or f"{messages_path}, line {row.number}: {fault}"
                continue
            tokens = estimate_prompt_tokens(requests[0].messages)
            for request in requests:
                if log.answered(request):
                    found.answered += 1
                    continue
                found.first = found.first or request.messages
                found.requests += 1
                found.prompt_tokens += tokens
                found.completion_tokens_most += sampling.max_tokens
    finally:
        log.close()
    if run.fault is not None:
        raise run.fault
    if prices is not None:
        found.cost_most = prices.of(found.prompt_tokens, found.completion_tokens_most)
    return found
