"""How a run asks. What is part of every question decides the output; the rest only decides how it is asked."""

import functools
import json
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reexec.engine.errors import UsageError

from ...settings import Flag, Located, Settings
from .body import finish_word
from .cost import Prices


def _without_secrets(url: str) -> str:
    """Settings are copied into manifests and a pipeline's folder, and a key must not be."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.query:
        raise ValueError("holds a name, a password or a query; a key comes from the environment (key_env names the variable)")
    return url


def _words(given: Any) -> Any:
    return tuple(word.strip() for word in given.split(",") if word.strip()) if isinstance(given, str) else given


def _finish_words(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(map(finish_word, words))))


class InferSettings(Settings):
    model: Annotated[
        str | None,
        Field(min_length=1, description="The model's name; `local` needs the extra `local` of the package."),
        Flag(("--model", "-m"), "M"),
    ] = None
    base_url: Annotated[
        str | None,
        AfterValidator(_without_secrets),
        Field(description="Where it is served; known models find their own."),
        Flag(metavar="URL", decides=False),
    ] = None
    key_env: Annotated[
        str | None,
        Field(description="The variable that holds the key. Keys are read from there only."),
        Flag(metavar="NAME", decides=False),
    ] = None
    known: Annotated[
        Located | None,
        Field(description="A TOML file with endpoints and prices of your own."),
        Flag(metavar="FILE", decides=False),
    ] = None
    samples: Annotated[int, Field(ge=1, description="Replies to each prompt."), Flag(metavar="N")] = 1
    temperature: Annotated[float, Field(ge=0, le=2, description="Sampling temperature.")] = 0.7
    max_tokens: Annotated[int, Field(ge=1, description="Of a reply."), Flag(metavar="N")] = 4096
    json_schema: Annotated[
        Located | None, Field(description="Replies must follow this JSON schema."), Flag(metavar="FILE", decides=False)
    ] = None
    keep: Annotated[
        tuple[str, ...],
        BeforeValidator(_words),
        AfterValidator(_finish_words),
        Field(min_length=1, description="Finish reasons of replies that are kept, with commas."),
        Flag(metavar="WORDS"),
    ] = ("stop",)
    concurrency: Annotated[
        int, Field(ge=1, description="Most requests at the same time."), Flag(metavar="N", decides=False)
    ] = 32
    timeout_s: Annotated[
        float, Field(gt=0, description="Seconds for one request."), Flag(("--timeout",), "S", decides=False)
    ] = 600.0
    tries: Annotated[int, Field(ge=1, description="Tries for each request."), Flag(metavar="N", decides=False)] = 3
    price_in: Annotated[float | None, Field(ge=0, description="Per million prompt tokens."), Flag(decides=False)] = None
    price_out: Annotated[float | None, Field(ge=0, description="Per million tokens of replies."), Flag(decides=False)] = None
    max_cost: Annotated[
        float | None, Field(gt=0, description="Ask no more when the next request could pass it."), Flag(decides=False)
    ] = None
    replay: Annotated[
        Located | None, Field(description="Take recorded responses; nothing is sent."), Flag(metavar="FILE", decides=False)
    ] = None
    retry_failed: Annotated[bool, Flag(hidden=True, decides=False)] = True
    """In a pipeline: whether a later run asks again for what failed."""

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out are needed both, 0 or more, per million tokens")
        return self

    @property
    def name(self) -> str:
        """The model's, or what stands for it where responses were recorded."""
        return self.model or "recorded"

    @property
    def prices(self) -> Prices | None:
        if self.price_in is None or self.price_out is None:
            return None
        return Prices(self.price_in, self.price_out)

    @functools.cached_property
    def response_format(self) -> dict[str, Any] | None:
        """What the protocol calls so, of `json_schema`; a row's own one goes before it. Raises UsageError."""
        return None if self.json_schema is None else schema_format(self.json_schema)

    def is_usable(self, entry: dict[str, Any]) -> bool:
        """Whether an entry of the log holds a reply that is kept."""
        return "reason" not in entry and finish_word(entry.get("finish_reason")) in self.keep


def schema_format(path: Path) -> dict[str, Any]:
    """The `response_format` that asks for replies after a JSON schema. Raises UsageError."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(schema, dict):
        raise UsageError(f"{path}: a JSON schema is an object")
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
