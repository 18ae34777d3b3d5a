"""What a run would send: the first prompt, requests and tokens. Nothing is sent and nothing is written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...rows.row import Result, Selection
from .cost import estimate_prompt_tokens
from .log import RequestLog
from .settings import InferSettings
from .stage import Infer


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


def estimate(source: Path, output: Path, settings: InferSettings, selection: Selection | None = None) -> Estimate:
    """Raises UsageError where the prompts cannot be read."""
    stage = Infer(source, output, settings)
    log = RequestLog(stage.log_path, usable=settings.is_usable, read_only=True)
    found = Estimate()
    try:
        for row, requests in stage.all_requests(selection):
            found.rows += 1
            if isinstance(requests, Result):
                found.unusable += 1
                found.first_fault = found.first_fault or f"{source}, line {row.number}: {requests.reason}"
                continue
            tokens = estimate_prompt_tokens(requests[0].messages)
            for request in requests:
                if log.answered(request):
                    found.answered += 1
                    continue
                found.first = found.first or request.messages
                found.requests += 1
                found.prompt_tokens += tokens
                found.completion_tokens_most += settings.max_tokens
    finally:
        log.close()
    if settings.prices is not None:
        found.cost_most = settings.prices.of(found.prompt_tokens, found.completion_tokens_most)
    return found
