"""The text of a completion: plain, one message, or a conversation, as trainers hand them over."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..records.content import text_of

OURS = (None, "assistant", "model", "ai")
"""Roles under which a model speaks."""


def completion_text(completion: Any) -> str:
    """What the model said last. Of a conversation that is the last message of the model's that holds text: what users and
    tools say is no answer, and neither is what stands among a message's parts as thinking. Raises ValueError for what is
    no completion."""
    if completion is None:
        return ""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Mapping):
        return text_of(completion.get("content"))
    if isinstance(completion, Sequence):
        return _last_of(completion)
    if hasattr(completion, "content"):
        return text_of(completion.content)
    raise ValueError(f"a completion is a text or a list of messages, not {type(completion).__name__}")


def _last_of(messages: Sequence[Any]) -> str:
    for message in reversed(messages):
        if isinstance(message, str):
            return message
        role = message.get("role") if isinstance(message, Mapping) else getattr(message, "role", None)
        if role in OURS and (text := completion_text(message)):
            return text
    return ""
