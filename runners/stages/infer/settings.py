"""How a run asks: what is part of every question (Sampling), and what only decides how it is asked (AskSettings)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from .body import finish_word


@dataclass(frozen=True, slots=True)
class Sampling:
    """`response_format` is what the protocol calls so; a row's own one goes before it."""

    model: str
    temperature: float = 0.7
    max_tokens: int = 4096
    samples: int = 1
    response_format: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise UsageError("the model has no name")
        if self.samples < 1 or self.max_tokens < 1:
            raise UsageError(f"samples ({self.samples}) and max_tokens ({self.max_tokens}) must be 1 or more")
        if not 0 <= self.temperature <= 2:
            raise UsageError(f"temperature {self.temperature}: must be from 0 to 2")

    def key(self) -> dict[str, Any]:
        """What decides whether an existing output was made by the same questions."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "max tokens": self.max_tokens,
            "samples": self.samples,
            "response format": self.response_format,
        }


@dataclass(frozen=True, slots=True)
class AskSettings:
    concurrency: int = 32
    """Most requests on their way at the same time."""
    tries: int = 3
    timeout_s: float = 600.0
    """For one try, from sending to the last byte."""
    keep: frozenset[str] = frozenset({"stop"})
    """Finish reasons of replies that are kept, in the words of body.py: `stop` is every natural end."""

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.tries < 1:
            raise UsageError(f"concurrency ({self.concurrency}) and tries ({self.tries}) must be 1 or more")
        if not self.timeout_s > 0:
            raise UsageError(f"timeout {self.timeout_s}: must be more than 0 seconds")
        if not self.keep:
            raise UsageError("no finish reason is kept; `stop` is the usual one")
        object.__setattr__(self, "keep", frozenset(map(finish_word, self.keep)))


def schema_format(path: Path) -> dict[str, Any]:
    """The `response_format` that asks for replies after a JSON schema. Raises UsageError."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(schema, dict):
        raise UsageError(f"{path}: a JSON schema is an object")
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
