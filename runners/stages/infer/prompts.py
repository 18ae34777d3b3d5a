"""What one row asks: its messages, its id, and the digest that binds a reply to exactly this question.

A request is (row's id, sample's index, digest). The digest covers the model, the messages and the sampling parameters; two rows
with equal digests are two requests, because a model that samples may answer them differently.
"""

import json
from dataclasses import dataclass
from typing import Any

from ...digests import digest_of, key_of
from ...records.ids import whole
from ...rows.run import Row
from ...rows.text import BadRowError, canonical, kind_of
from .settings import InferSettings


@dataclass(frozen=True, slots=True)
class Request:
    """One question, once. `key` is 16 bytes over row, sample and digest: what the log's index holds."""

    row_id: Any
    index: int
    digest: str
    messages: list[dict[str, Any]]
    response_format: dict[str, Any] | None
    has_id: bool = True
    """Whether the row carries its id itself."""

    @property
    def key(self) -> bytes:
        return request_key(self.row_id, self.index, self.digest)


def request_key(row_id: Any, index: int, digest: str) -> bytes:
    return key_of(canonical([row_id, index, digest]))


def read_prompt(row: Row, settings: InferSettings) -> list[Request]:
    """The requests of a row, one a sample. Raises BadRowError."""
    messages = _messages(row.data)
    wanted = row.data.get("response_format", settings.response_format)
    if wanted is not None and not isinstance(wanted, dict):
        raise BadRowError(f"response_format: expected an object, got {kind_of(wanted)}, at $.response_format")
    row_id = row.data.get("id")
    if not isinstance(row_id, str | None):
        number = whole(row_id)
        if number is None:
            raise BadRowError(f"id: expected a string or an integer, got {kind_of(row_id)}, at $.id")
        row_id = number
    has_id = row_id is not None
    if row_id is None:
        row_id = _hex(canonical([row.position, messages]))
    digest = _hex(canonical([settings.name, messages, settings.temperature, settings.max_tokens, wanted]))
    return [Request(row_id, index, digest, messages, wanted, has_id) for index in range(settings.samples)]


def messages_digest(messages: Any) -> str:
    """32 hex digits over messages alone, whatever model they are for."""
    return _hex(canonical(messages))


def _hex(body: bytes) -> str:
    return digest_of(body)


def _messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRowError(f"messages must be an array that is not empty, not {kind_of(messages)}, at $.messages")
    for index, message in enumerate(messages):
        where = f"at $.messages[{index}]"
        if not isinstance(message, dict):
            raise BadRowError(f"a message is an object with role and content, not {kind_of(message)}, {where}")
        if not isinstance(message.get("role"), str):
            raise BadRowError(f"role: expected a string, got {kind_of(message.get('role'))}, {where}.role")
        if not isinstance(message.get("content"), str | list):
            raise BadRowError(f"content: expected a string, got {kind_of(message.get('content'))}, {where}.content")
    try:
        json.dumps(messages, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:  # the protocol is UTF-8, which has no lone surrogates
        raise BadRowError("holds half a surrogate pair, which cannot be sent, at $.messages") from None
    except (ValueError, RecursionError) as error:
        raise BadRowError(f"cannot be sent ({error}), at $.messages") from None
    return messages
