"""The text that a model is told about its prediction, from a template file, and the original's status words."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.judging.verdict import VERDICT_WORDS, Verdict

from ...rows.text import dump

MAX_QUOTED_CHARACTERS = 600
_TEMPLATES = Path(__file__).parents[2] / "templates"
_SIDE = {"o": "output", "i": "input"}

# `res.status` of the original's files, which its readers know.
_STATUS = {
    "accepted": "success",
    "no-answer": "no answer",
    "cpu-limit": "timeout",
    "wall-limit": "timeout",
    "engine-error": "error",
}


def status_of(word: str, io_pred: str) -> str:
    if word == "wrong-answer":
        return "failed" if io_pred == "o" else "AssertionError"
    return _STATUS.get(word, "exception")


def quoted(value: Any) -> str:
    """A value as JSON text, cut in the middle."""
    text = dump(value)
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    half = MAX_QUOTED_CHARACTERS // 2 - 20
    return f"{text[:half]} ... ({len(text) - 2 * half} characters left out) ... {text[-half:]}"


class Feedback:
    """The texts of one template file. Raises UsageError where one is missing or has an unknown placeholder."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder}: not a folder of templates")
        own = (folder / "feedback.toml") if folder else None
        path = own if own is not None and own.exists() else _TEMPLATES / "feedback.toml"
        self.path = path
        try:
            self.source = path.read_text(encoding="utf-8")
            self._texts: dict[str, dict[str, str]] = tomllib.loads(self.source)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: cannot be read as TOML ({error})") from None
        for side, words in (("output", VERDICT_WORDS[:3]), ("input", VERDICT_WORDS)):
            for word in words:
                try:
                    self._texts[side][word].format(**dict.fromkeys(_PLACEHOLDERS, ""))
                except KeyError as error:
                    raise UsageError(f"{path}: {error} is missing or not a placeholder, at $.{side}.{word}") from None
                except (ValueError, IndexError, AttributeError, TypeError) as error:
                    raise UsageError(f"{path}: {error}, at $.{side}.{word}") from None

    def text(
        self, verdict: Verdict, io_pred: str, *, predicted: Any, expected: Any, limit: float, varying: bool = False,
        detail: str = "",
    ) -> str:  # fmt: skip
        outcome = verdict.outcome
        exception = outcome.exception if outcome else None
        word: str = verdict.word
        if varying and word == "wrong-answer":
            word = "wrong-answer-varying"
        template = self._texts[_SIDE[io_pred]].get(word) or self._texts[_SIDE[io_pred]][verdict.word]
        return template.format(
            expected=quoted(expected),
            predicted=quoted(predicted),
            returned=quoted(outcome.value) if outcome else "",
            where=verdict.comparison.path if verdict.comparison else "$",
            exception=exception.type if exception else "",
            message=exception.message[:MAX_QUOTED_CHARACTERS] if exception else "",
            detail=detail or (outcome.detail if outcome else ""),
            limit=f"{limit:g}",
        )


_PLACEHOLDERS = ("expected", "predicted", "returned", "where", "exception", "message", "detail", "limit")


@functools.cache
def default_feedback() -> Feedback:
    return Feedback()
