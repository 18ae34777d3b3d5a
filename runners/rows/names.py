"""Fields under names of the user's own: `output=completion` reads what a row calls `completion` as `output`.

The row keeps its own field and gains ours, so that later stages find it without being told again. A source may lead into a row:
`output=choices.0.message.content`.
"""

import difflib
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from reexec.engine.errors import UsageError
from reexec.policies.faults import unknown

from .source import read_lines
from .text import BadRowError, parse_row, splice

Names = tuple[tuple[str, str], ...]
_OF_FUNCTIONS = re.compile(r"its function cannot be used: (.+?), line \d+: ")
_MISSING_AT = re.compile(r"at \$\.(\w+)$")
# What others call our fields.
_OTHERS = {
    "output": (
        "completion",
        "response",
        "answer",
        "generation",
        "prediction",
        "model_output",
        "generated_text",
        "text",
        "reply",
    ),
    "content": ("code", "text", "source", "source_code", "body"),
    "messages": ("conversation", "conversations", "chat", "prompt", "dialog"),
    "prompt": ("question", "instruction", "query", "problem"),
    "turn_1": ("output", "completion", "response", "answer"),
    "refcode": ("code", "source", "solution", "program", "function", "canonical_solution"),
    "funcname": ("entry_point", "function_name", "name", "entry", "func_name"),
    "ios": ("pairs", "examples", "tests", "io_pairs", "test_cases"),
    "itemid": ("item_id", "function_index", "problem_id", "index", "idx"),
    "ioid": ("io_id", "pair_index", "case_id", "case"),
    "io_pred": ("direction", "kind", "task", "type", "side"),
    "id": ("uid", "uuid", "row_id", "task_id", "_id"),
}


def parse_names(given: Iterable[str]) -> Names:
    """Of `OURS=THEIRS` texts. Raises UsageError."""
    names: dict[str, str] = {}
    for text in given:
        ours, equals, theirs = (part.strip() for part in text.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"--map {text}: write it as OURS=YOURS, such as output=completion")
        if names.setdefault(ours, theirs) != theirs:
            raise UsageError(f"--map {text}: {ours} is {names[ours]} already")
    return tuple(sorted(names.items()))


_NUMBERED: Final = re.compile(r"_[1-9]\d*")
_MADE_BY: Final = {"verdict": "verify", "ios": "generate"}
_ROWS_LOOKED_AT: Final = 1000
_MOST_SHOWN: Final = 20


def check_ours(names: Names, reads: Sequence[str]) -> None:
    """Refuses names that a stage does not read. Raises UsageError."""
    for ours, theirs in names:
        if not is_read(ours, reads):
            raise UsageError(f"--map {ours}={theirs}: {unknown(ours, reads, 'field')}")


def is_read(ours: str, reads: Sequence[str]) -> bool:
    """Whether a name is among those that a stage reads; `turn_N` stands for turn_1, turn_2 and so on."""
    return ours in reads or _NUMBERED.sub("_N", ours) in reads


def check_theirs(names: Names, source: Path) -> str:
    """Refuses names that no row of the file has. Raises UsageError. A file of more rows than are looked at is not refused: what
    is said of it instead, empty where there is nothing to say."""
    if not names or not source.is_file():
        return ""
    left, there, whole = dict(names), dict[str, None](), True
    for count, (_, line) in enumerate(read_lines(source)):
        if not left or count >= _ROWS_LOOKED_AT:
            whole = not left
            break
        try:
            row = parse_row(line)
        except BadRowError:
            continue
        left = {ours: theirs for ours, theirs in left.items() if not _at(row, theirs)}
        there.update(dict.fromkeys(map(str, itertools.islice(row, _MOST_SHOWN))))
    if not left or not there:
        return ""
    ours, theirs = next(iter(left.items()))
    which = "no row" if whole else f"none of the first {_ROWS_LOOKED_AT:,} rows"
    said = f"--map {ours}={theirs}: {which} of {source} has `{theirs}`; rows have {', '.join(list(there)[:_MOST_SHOWN])}"
    if whole:
        raise UsageError(said)
    return said


def renamed(line: bytes, data: dict[str, Any], names: Names) -> tuple[bytes, dict[str, Any]]:
    """The row's line and data with our names added. A field that the row lacks adds nothing."""
    found = {ours: value for ours, theirs in names for value in _at(data, theirs)}
    if not found:
        return line, data
    return splice(line, data, found), {**data, **found}


def renamed_line(line: bytes, names: Names) -> bytes:
    if not names:
        return line
    try:
        return renamed(line, parse_row(line), names)[0]
    except BadRowError:
        return line


def _at(data: Any, path: str) -> list[Any]:
    """The value at a path as a list of one; empty where there is none."""
    if isinstance(data, dict) and path in data:
        return [data[path]]
    here: Any = data
    for part in path.split("."):
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return []
    return [here]


def likely_cause(reason: str, text: str, mends: bool = True) -> str:
    """What to try where rows lack a field, going by the first one that was rejected; empty where that says nothing. `mends`:
    whether the command has `--map`."""
    missing = _MISSING_AT.search(reason)
    elsewhere = _OF_FUNCTIONS.match(reason)
    if elsewhere is not None:
        ours, file = missing[1] if missing and "got null" in reason else "", elsewhere[1]
        said = (
            f"`reexec audit {file} --map {ours}=YOURS -o REPORT --keep NEW` writes functions under the names that are read here"
        )
        return said if ours else ""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if missing is None or not isinstance(row, dict) or not row or missing[1] in row:
        return ""
    ours = missing[1]
    theirs = next((name for name in _OTHERS.get(ours, ()) if name in row), None)
    theirs = theirs or next(iter(difflib.get_close_matches(ours, row, n=1, cutoff=0.6)), None)
    if theirs is None and ours in _MADE_BY:
        return f"rows get their `{ours}` from `reexec {_MADE_BY[ours]}`"
    if theirs is None:
        said = f"rows have {', '.join(list(map(str, row))[:8])}, and no `{ours}`"
        return f"{said}: --map {ours}=YOURS says which of them it is" if mends else said
    return f"rows have `{theirs}`, not `{ours}`" + (f": use --map {ours}={theirs}" if mends else "")
