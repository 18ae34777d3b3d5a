"""What a verified row says of its turn, and how the turns of one conversation are tied together.

A revision row's id is the digest of the row that it revises (its id and index) and the number of the turn. So the turns are
found again by ids alone, whatever the order of their files, and however many samples each turn had.
"""

from dataclasses import dataclass
from typing import Any

from ..digests import digest_of
from ..rows.text import BadRowError, kind_of
from .content import is_content, text_of
from .ids import text_of_id, whole

FIELDS = (
    *("id", "index", "io_pred", "itemid", "ioid", "function_id", "pair_id", "messages", "reasoning", "reasoning_content"),
    *("provenance", "original_id", "original_index", "retry_count", "history_errors"),
)
"""What a row of any turn may have, beside the response and what `verify` says of it."""

# The words of CodeI/O's `res.status` where a row has no verdict of ours; all others are failures.
_OF_STATUS = {"success": "accepted", "error": "engine-error"}


@dataclass(frozen=True, slots=True)
class Turn:
    """The judged answer of one turn."""

    id: str
    index: int
    text: str
    feedback: str
    verdict: str
    given_id: str | int = ""
    """The id as the row spells it."""
    reasoning: str | None = None

    @property
    def accepted(self) -> bool:
        return self.verdict == "accepted"

    @property
    def checked(self) -> bool:
        """False where the engine failed: such a row says nothing about the answer."""
        return self.verdict != "engine-error"


def read_turn(row: dict[str, Any]) -> Turn:
    """Raises BadRowError. Rows of CodeI/O have `res.status` and no `verdict`."""
    result = row.get("res")
    status = result.get("status") if isinstance(result, dict) else None
    verdict = row.get("verdict")
    if verdict is None and isinstance(status, str):
        verdict = _OF_STATUS.get(status, status)
    if not isinstance(verdict, str):
        raise BadRowError("not a verified row: it has no verdict, at $.verdict")
    message = result.get("message") if isinstance(result, dict) else None
    if not isinstance(message, str):
        raise BadRowError(f"the feedback: expected a string, got {kind_of(message)}, at $.res.message")
    text = row.get("output")
    if not isinstance(text, str | None):
        raise BadRowError(f"the response: expected a string, got {kind_of(text)}, at $.output")
    given = row.get("id")
    try:
        row_id = text_of_id(given)
    except ValueError as error:
        raise BadRowError(f"id {error}, at $.id") from None
    if not row_id:
        raise BadRowError("the row has no id to tie its turns together by, at $.id")
    index = whole(row.get("index", 0))
    if index is None:
        raise BadRowError(f"index: expected an integer, got {kind_of(row['index'])}, at $.index")
    thoughts = (row.get(name) for name in ("reasoning", "reasoning_content"))
    reasoning = next((thought for thought in thoughts if isinstance(thought, str)), None)
    spelled = given if isinstance(given, str) else int(row_id)
    return Turn(row_id, index, text or "", message, verdict, spelled, reasoning)


def revision_id(turn: Turn, number: int) -> str:
    """The id of the row that asks for turn `number` (from 2) after this one: 32 hex digits."""
    return digest_of(turn.id, str(turn.index), str(number))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row's messages come to, before its answer."""

    prompt: str
    """What the user asked last."""
    system: str
    """What the system's messages said, those of a developer among them."""
    history: tuple[tuple[str, str], ...] = ()
    """Questions and answers before the prompt: examples for the model."""


def asked_in(messages: list[dict[str, Any]]) -> Asked:
    """Messages of one side that follow each other are one. Raises BadRowError, with the path, for what has no place in it."""
    said: list[tuple[str, list[str]]] = []
    system = []
    for place, message in enumerate(messages):
        role, text = message["role"], text_of(message.get("content"))
        if role in ("system", "developer"):
            system.append(text)
        elif role not in ("user", "assistant"):
            raise BadRowError(f"a message of the role {role!r} has no place in a row of training, at $.messages[{place}].role")
        elif said and said[-1][0] == role:
            said[-1][1].append(text)
        elif role == "assistant" and not said:
            raise BadRowError(f"an answer before any question, at $.messages[{place}]")
        else:
            said.append((role, [text]))
    if not said:
        raise BadRowError("no message of the user, at $.messages")
    if said[-1][0] == "assistant":
        raise BadRowError(f"the messages end with an answer, at $.messages[{len(messages) - 1}]")
    texts = ["\n\n".join(each) for _, each in said]
    return Asked(texts[-1], "\n\n".join(system), tuple(zip(texts[:-1:2], texts[1::2], strict=True)))


def history_of(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The `history` of a final row: `[question, answer]` for each exchange before the prompt. Raises BadRowError."""
    given = row.get("history")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise BadRowError(f"history: expected an array of exchanges, got {kind_of(given)}, at $.history")
    found = []
    for place, pair in enumerate(given):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise BadRowError(f"an exchange is an array of a question and an answer, at $.history[{place}]")
        found.append((pair[0], pair[1]))
    return tuple(found)


def messages_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The row's conversation so far. Raises BadRowError."""
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRowError(f"messages must be an array with what was asked, not {kind_of(messages)}, at $.messages")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not is_content(message.get("content")):
            raise BadRowError(f"a message has `role` and `content` (a text, or parts with texts), at $.messages[{place}]")
        if not isinstance(message.get("role"), str):
            raise BadRowError(f"the role must be a string, at $.messages[{place}].role")
    return messages
