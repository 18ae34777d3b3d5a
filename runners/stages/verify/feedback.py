"""The text that a model is told about its prediction, and the status words of CodeI/O's files."""

from typing import Any

from reexec.engine.judging.verdict import VERDICT_WORDS, Verdict

from ...rows.text import MAX_QUOTED_CHARACTERS, dump, quoted, quoted_json
from ...texts import Entry, Texts, TextsFile

_ANY = Entry(may=("expected", "predicted", "returned", "where", "exception", "message", "detail", "limit", "time"))
FEEDBACK_FILE = TextsFile(
    "feedback.toml",
    {
        **{f"output.{word}": _ANY for word in ("accepted", "wrong-answer", "no-answer")},
        **{f"input.{word}": _ANY for word in VERDICT_WORDS},
        "output.not-run": Entry(may=_ANY.may, optional=True),
        "input.wrong-answer-varying": Entry(may=_ANY.may, optional=True),
    },
)
_SIDE = {"o": "output", "i": "input"}

# `res.status` of CodeI/O's files, which its readers know.
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


def said_of(word: str, io_pred: str, message: str) -> str:
    """The members that tell of a verdict, as JSON: `"res": {"status": ..., "message": ...}, "verdict": ...`."""
    return f'"res": {{"status": "{status_of(word, io_pred)}", "message": {dump(message)}}}, "verdict": "{word}"'


def constants(texts: Texts) -> dict[tuple[str, str], str]:
    """`said_of` verdicts that need no execution, by side and word, where it is the same for all predictions."""
    keys = [(side, word) for side in _SIDE for word in ("accepted", "wrong-answer", "no-answer")]
    names = {key: f"{_SIDE[key[0]]}.{key[1]}" for key in keys}
    return {key: said_of(key[1], key[0], texts.fill(name)) for key, name in names.items() if not texts.fields(name)}


def feedback_text(
    texts: Texts,
    verdict: Verdict,
    io_pred: str,
    *,
    predicted: Any,
    expected: Any,
    limit: float,
    varying: bool = False,
    detail: str = "",
    as_json: bool = False,
) -> str:
    """What is said of a verdict. `varying`: the value that was returned is another one each time, and is not quoted.
    `as_json`: the predicted value was read as JSON, as the expected one always is."""
    outcome = verdict.outcome
    name = f"{_SIDE[io_pred]}.{verdict.word}"
    if io_pred == "o" and outcome is not None and not outcome.ok:
        name, detail = "output.not-run", outcome.describe()
        if texts.is_empty(name):  # a file of the user's own, which knows only outputs that are compared
            texts = FEEDBACK_FILE.load()
    if varying and verdict.word == "wrong-answer" and not texts.is_empty(f"{name}-varying"):
        name = f"{name}-varying"
    fields, values = texts.fields(name), dict[str, str]()
    if not fields:
        return texts.fill(name)
    if "expected" in fields:
        values["expected"] = quoted_json(expected)
    if "predicted" in fields:
        values["predicted"] = quoted_json(predicted) if as_json else quoted(predicted)
    if "returned" in fields:
        values["returned"] = quoted(outcome.value) if outcome else ""
    if "limit" in fields:
        values["limit"] = f"{limit:g}"
    if "time" in fields:
        values["time"] = f"{limit:g} second{'' if limit == 1 else 's'}"
    exception = outcome.exception if outcome else None
    return texts.fill(
        name,
        where=verdict.comparison.path if verdict.comparison else "$",
        exception=exception.type if exception else "",
        message=exception.message[:MAX_QUOTED_CHARACTERS] if exception else "",
        detail=detail or (outcome.detail if outcome else ""),
        **values,
    )
