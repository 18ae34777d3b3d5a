"""The `content` of a chat message: a text, or a list of parts as some servers and files write it.

Parts that hold text are joined; parts that hold thinking are kept apart from it, because thinking is not answering. Parts of
other kinds (pictures, calls of tools) hold nothing that is read here.
"""

from typing import Any

_THINKING = ("thinking", "reasoning")
_NAMES = ("text", "thinking", "reasoning", "content", "summary", "reasoning_content")
_DEEPEST = 8


def is_content(value: Any) -> bool:
    """Whether a value can be the content of a message: a text, null, or a list of texts and parts."""
    if isinstance(value, list):
        return all(isinstance(part, str | dict) for part in value)
    return isinstance(value, str | None)


def text_of(content: Any) -> str:
    """The text of a content without its thinking."""
    return _joined(content, thinking=False)


def thinking_of(content: Any) -> str:
    """The thinking that stands among the parts of a content."""
    return "" if isinstance(content, str) else _joined(content, thinking=True)


def plain(value: Any, depth: int = 0) -> str:
    """All text of a member that holds thinking, whatever its form: a text, a part, or a list of them."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(plain(part, depth + 1) for part in value)
    if isinstance(value, dict):
        return next((plain(value[name], depth + 1) for name in _NAMES if value.get(name)), "")
    return ""


def _joined(content: Any, *, thinking: bool) -> str:
    if isinstance(content, str):
        return content
    parts = [content] if isinstance(content, dict) else content if isinstance(content, list) else []
    return "".join(plain(part) for part in parts if isinstance(part, str | dict) and _is_thinking(part) == thinking)


def _is_thinking(part: str | dict[str, Any]) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and any(word in kind.lower() for word in _THINKING)
