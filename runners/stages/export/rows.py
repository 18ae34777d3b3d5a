"""A final row as one training example. Rows of CodeI/O have the five fields `prompt, turn_1, feedback_1, turn_2,
feedback_2` and nothing else; ours have any number of turns, ids, verdicts and provenance."""

import re
from dataclasses import dataclass
from typing import Any

from ...records.ids import text_of_id
from ...records.turns import Asked, asked_in, history_of, messages_of
from ...rows.text import BadRowError, kind_of
from ...texts import Entry, Texts, TextsFile
from .split import function_key

JOINED = TextsFile(
    "export.toml",
    {
        "joined.first": Entry(("answer",)),
        "joined.feedback": Entry(("feedback",), optional=True),
        "joined.next": Entry(("answer",)),
    },
)
_TURN = re.compile("turn_([0-9]{1,4})")
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of training data, before its format."""

    prompt: str
    system: str
    answers: tuple[str, ...]
    feedback: tuple[str, ...]
    """What was said of each answer; as many as answers, empty where nothing was."""
    right_at_once: bool
    reasoning: tuple[str, ...]
    """What the model thought before each answer; as many as answers, empty where nothing is known."""
    key: str
    """Equal for rows about the same function."""
    id: str
    function_id: str
    io_pred: str
    pair_id: str
    provenance: dict[str, Any]
    history: tuple[tuple[str, str], ...] = ()
    """Questions and answers before the prompt."""
    repaired: bool = False
    """Whether it held half characters, which were replaced."""


def joined(texts: Texts, example: Example) -> str:
    """All turns as one response."""
    parts = []
    for number, (answer, feedback) in enumerate(zip(example.answers, example.feedback, strict=True)):
        parts.append(texts.fill("joined.next" if number else "joined.first", answer=answer))
        if feedback:
            parts.append(texts.fill("joined.feedback", feedback=feedback))
    return "".join(parts)


def read_example(row: dict[str, Any], needs_answer: bool = True) -> Example:
    """A final row; or, where no answer is needed, a row of prompts or answers, whose messages are the prompt. Raises
    BadRowError."""
    given, row = row, well_formed(row)
    asked = _asked(row)
    prompt = asked.prompt
    if not isinstance(prompt, str) or not prompt.strip():
        raise BadRowError(f"the prompt: expected a string, got {_kind(prompt)}, at $.prompt")
    answers, feedback = _turns(row) if needs_answer or "messages" not in row else ((), ())
    verdicts = row.get("verdicts")
    if verdicts is not None and (not isinstance(verdicts, list) or len(verdicts) != len(answers)):
        raise BadRowError(f"verdicts must be an array of one word for each of {len(answers)} turns, at $.verdicts")
    provenance = row.get("provenance") or {}
    if not isinstance(provenance, dict):
        raise BadRowError(f"provenance: expected an object, got {kind_of(provenance)}, at $.provenance")
    texts = {name: _text(row, name) for name in ("id", "function_id", "pair_id", "io_pred")}
    return Example(
        prompt=prompt,
        system=asked.system,
        history=asked.history,
        answers=answers,
        feedback=feedback,
        # Where nobody wrote the verdicts down: a second turn is there exactly where the first one failed.
        right_at_once=verdicts[0] == "accepted" if verdicts else len(answers) == 1,
        reasoning=_reasoning(row, len(answers)),
        key=texts["function_id"] or function_key(prompt),
        provenance=provenance,
        repaired=row is not given,
        **texts,
    )


def _turns(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    answers, feedback = [], []
    number = 1
    while (answer := row.get(f"turn_{number}")) is not None:
        said = row.get(f"feedback_{number}")
        if not isinstance(answer, str):
            raise BadRowError(f"the answer: expected a string, got {kind_of(answer)}, at $.turn_{number}")
        if not isinstance(said, str | None):
            raise BadRowError(f"the feedback: expected a string, got {kind_of(said)}, at $.feedback_{number}")
        if not answer.strip():
            if number > 1 and not said:
                break  # an empty text for null
            raise BadRowError(f"the answer is empty, at $.turn_{number}")
        answers.append(answer)
        feedback.append(said or "")
        number += 1
    if not answers:
        first = "; `reexec assemble` makes training rows of verified ones" if "verdict" in row and "turn_1" not in row else ""
        raise BadRowError(f"there is no answer{first}, at $.turn_1")
    later = next(
        (name for name, value in row.items() if value and (found := _TURN.fullmatch(name)) and int(found[1]) > number), ""
    )
    if later:
        raise BadRowError(f"there is no turn_{number} before it, at $.{later}")
    return tuple(answers), tuple(feedback)


def _asked(row: dict[str, Any]) -> Asked:
    if "prompt" not in row and "messages" in row:
        asked = asked_in(messages_of(row))
        if asked.history and row.get("original_id") is not None:
            raise BadRowError("a row of a later turn; the first turn's rows are what is asked, at $.original_id")
        return asked
    return Asked(row.get("prompt"), _text(row, "system"), history_of(row))  # type: ignore[arg-type]  # looked at next


def _reasoning(row: dict[str, Any], count: int) -> tuple[str, ...]:
    given = row.get("reasoning")
    if isinstance(given, str) and count == 1:
        return (given,)
    if not isinstance(given, list) or len(given) != count:
        return ("",) * count
    return tuple(text if isinstance(text, str) else "" for text in given)


def well_formed(value: Any) -> Any:
    """`value` with half characters (lone surrogates) replaced by U+FFFD; itself where there are none."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return _HALF.sub("\ufffd", value)
        return value
    if isinstance(value, list):
        items = [well_formed(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if isinstance(value, dict):
        members = {well_formed(name): well_formed(item) for name, item in value.items()}
        same = all(new is old for new, old in zip(members.values(), value.values(), strict=False))
        return value if same and members.keys() == value.keys() else members
    return value


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if name in ("id", "function_id", "pair_id"):
        try:
            return text_of_id(value)
        except ValueError as error:
            raise BadRowError(f"{name} {error}, at $.{name}") from None
    if not isinstance(value, str | None):
        raise BadRowError(f"{name}: expected a string, got {kind_of(value)}, at $.{name}")
    return value or ""


def _kind(value: Any) -> str:
    return "an empty one" if isinstance(value, str) else kind_of(value)
