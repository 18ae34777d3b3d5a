"""The code in a model's answer.

Samples name what they hold. `solution` and `code` are a whole program, `completion` continues the prompt: these
are code by contract and stay as they are, unless they are no Python and hold a fenced block. `response`, `output`, `text`
and chat messages are prose with code in it: blocks first, then the longest run of lines that is Python.
"""

import ast
import re
from dataclasses import dataclass
from typing import Any, Final

from ..answers.thinking import without_thoughts
from .blocks import blocks, is_python, python_blocks
from .lifting.rewrite import free_names, parse_quietly
from .samples import many_of
from .task import BadSampleError

_CODE_FIELDS: Final = ("solution", "code")
_PROSE_FIELDS: Final = ("response", "output", "generation", "text", "messages")
_FIELDS: Final = (*_CODE_FIELDS, "completion", *_PROSE_FIELDS)
_INDENTED: Final = re.compile(r"^(?: {4}|\t)", re.MULTILINE)
"""How Markdown marks code without fences."""
_MARKS: Final = tuple(
    tuple(re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*\r?$\n?", re.MULTILINE) for mark in pair)
    for pair in (("[BEGIN]", "[DONE]"), ("[PYTHON]", "[/PYTHON]"))
)
_BEFORE_FENCE: Final = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_STARTS: Final = re.compile(r"^(?:def |class |async def |import |from \w[\w.]* import |@\w)")
# What is read of a text on the host, whatever a model writes: each is far above what honest answers need.
_MOST_CHARACTERS: Final = 1 << 19
_MOST_BLOCKS: Final = 64
_MOST_STARTS: Final = 40
_MOST_PARSES: Final = 400
_MOST_PARSED: Final = 1 << 21
"""Characters parsed more than once."""


@dataclass(frozen=True, slots=True)
class Code:
    """`text` is the program; `how` says where it was found; `reason` why there is none."""

    text: str
    how: str
    reason: str = ""


def code_of(row: dict[str, Any], prompt: str = "", entry: str = "") -> Code:
    """The program of a sample. `prompt` is what a `completion` continues, `entry` a name that the program must define. Raises
    BadSampleError for a row that holds several samples, or no member that may hold one."""
    _refuse_unusable(row)
    for name in _CODE_FIELDS:
        if isinstance(row.get(name), str):
            return _by_contract(_between_marks(row[name]), name, entry)
    if isinstance(row.get("completion"), str):
        return _completed(_between_marks(row["completion"]), prompt, entry)
    for name in _PROSE_FIELDS:
        text = _said(row.get(name))
        if text is not None:
            found = extract_code(text, entry)
            if found.text and prompt and entry:
                return Code(_with_prompt(found.text, prompt, entry), found.how)
            return found
    return Code("", "", "no text in any of " + ", ".join(_FIELDS))


def code_in_language(row: dict[str, Any], names: frozenset[str]) -> Code:
    """The program of a sample in another language, whose names (of code blocks) are `names`. Code by contract stays as it is
    but for fences around it; of free text, the last block with one of the names counts, else the last without a name, else all
    of it."""
    _refuse_unusable(row)
    for name in _FIELDS:
        text = _said(row.get(name))
        if text is None:
            continue
        found = [block for block in blocks(_answer_in(text)) if block.text.strip()]
        chosen = [block for block in found if block.label.lower() in names] or [block for block in found if not block.label]
        if chosen:
            last = chosen[-1]
            return Code(last.text if last.closed else _unfenced(last.text), "block")
        if found and name in _PROSE_FIELDS:
            return Code("", "", "no block of the language in the answer")
        return Code(text, name) if text.strip() else Code("", "", "no code in the answer")
    return Code("", "", "no text in any of " + ", ".join(_FIELDS))


def _refuse_unusable(row: dict[str, Any]) -> None:
    name = many_of(row)
    if name is not None and not any(isinstance(row.get(each), str) for each in _FIELDS):
        count = len(row[name])
        raise BadSampleError(f"{count} texts in one row: one sample a row, or a file whose rows all hold lists, at $.{name}")
    if row.keys().isdisjoint(_FIELDS):
        raise BadSampleError(f"the sample has none of {', '.join(_FIELDS)}, at $")


def _between_marks(text: str) -> str:
    """What stands between the marks that MBPP's and Code Llama's prompts ask for: `[BEGIN]` and `[DONE]`, `[PYTHON]` and
    `[/PYTHON]`, each on a line of its own."""
    for begin, end in _MARKS:
        opened = begin.search(text)
        closed = end.search(text, opened.end() if opened else 0)
        if closed is not None:
            text = text[: closed.start()]
        if opened is not None:
            text = text[opened.end() :]
    return text


def _unfenced(text: str) -> str:
    """Without a fence behind the last line of code, which CommonMark takes for code."""
    for mark in ("```", "~~~"):
        text = f"{text.rstrip().removesuffix(mark)}\n" if text.rstrip().endswith(mark) else text
    return text


def _with_prompt(text: str, prompt: str, entry: str) -> str:
    """The program of an answer in prose to a prompt in code: what continues the prompt, and what takes names from it (imports,
    helpers) without giving them again, stands behind it."""
    if not _defines(text, entry):
        return f"{prompt}{text}"
    try:
        given = _top_level(prompt) - {entry}
    except SyntaxError:
        return text
    return f"{prompt}\n\n{text}" if given & set(free_names(parse_quietly(text))) else text


def _said(value: Any) -> str | None:
    """The text of a field; of a list of messages, that of the last one the model wrote."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _said(value.get("content"))
    if isinstance(value, list):
        for message in reversed(value):
            if isinstance(message, str):
                return message
            if isinstance(message, dict) and message.get("role") in (None, "assistant"):
                parts = message.get("content")
                if isinstance(parts, list):
                    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))
                return parts if isinstance(parts, str) else None
    return None


def _answer_in(text: str) -> str:
    return _between_marks(without_thoughts(text.replace("\r\n", "\n").replace("\r", "\n")))


def _by_contract(text: str, field: str, entry: str) -> Code:
    if ("```" in text or "~~~" in text) and not is_python(text):
        found = extract_code(text, entry)
        if found.text:
            return found
    return Code(text, field)


def _completed(text: str, prompt: str, entry: str) -> Code:
    whole = prompt + text
    if ("```" in text or "~~~" in text) and not is_python(whole):
        head = _BEFORE_FENCE.split(text, maxsplit=1)[0]
        if head[:1].isspace() and head.strip() and is_python(prompt + head):  # a block that the prompt had opened
            return Code(prompt + head, "completion")
        found = extract_code(text, entry)
        if found.text:
            return found if not entry or _defines(found.text, entry) else Code(prompt + found.text, found.how)
    return Code(whole, "completion")


def extract_code(text: str, entry: str = "") -> Code:
    """The program in free text.

    Of the fenced blocks that are Python, the last that defines `entry` counts; without one, the last that is more than
    calls and prints. What it uses and does not define is taken from the blocks before it. An unclosed block ends with the
    text. Without blocks: the whole text if it is Python, else its longest run of lines that is. Never raises on any text;
    takes seconds at most.
    """
    if len(text) > _MOST_CHARACTERS:
        return Code("", "", f"an answer of {len(text):,} characters; code is looked for in {_MOST_CHARACTERS:,} at most")
    text = _answer_in(text)
    found = python_blocks(text)[-_MOST_BLOCKS:]
    python = [block for block in found if is_python(block)]
    if python:
        return Code(_chosen(python, entry), "block")
    if found:  # code that does not compile is still the answer
        return Code(found[-1], "block")
    if text.strip() and is_python(text):
        return Code(text, "text")
    run = _longest_run(text) or _longest_run(_INDENTED.sub("", text))
    return Code(run, "lines") if run else Code("", "", "no code in the answer")


def _chosen(texts: list[str], entry: str) -> str:
    at = len(texts) - 1
    defining = [index for index, text in enumerate(texts) if entry and _defines(text, entry)]
    if defining:
        at = defining[-1]
    else:
        programs = [] if entry else [index for index, text in enumerate(texts) if _reads(text)]
        substantial = [index for index, text in enumerate(texts) if not entry and _is_substantial(text)]
        at = (programs or substantial or [at])[-1]
    chosen = texts[at]
    parsed = 0
    for earlier in reversed(texts[:at]):
        parsed += len(chosen)
        if parsed > _MOST_PARSED:
            break
        missing = set(free_names(parse_quietly(chosen)))
        if missing & _top_level(earlier) and not (entry and _defines(earlier, entry)):
            chosen = f"{earlier}\n\n{chosen}"
    return chosen


def _top_level(text: str) -> set[str]:
    names: set[str] = set()
    for node in parse_quietly(text).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name.partition(".")[0] for alias in aliases)
            case ast.Assign(targets=targets):
                names.update(each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
    return names


def _defines(text: str, entry: str) -> bool:
    """Whether the program has the function, or the class `Solution` has it as a method."""
    try:
        body = parse_quietly(text).body
    except SyntaxError:
        return False
    if entry.partition(".")[0] in _top_level(text):
        return True
    solution = next((node for node in body if isinstance(node, ast.ClassDef) and node.name == "Solution"), None)
    return solution is not None and any(isinstance(node, ast.FunctionDef) and node.name == entry for node in solution.body)


def _is_substantial(text: str) -> bool:
    """Whether it is more than an example of use, which only calls and prints."""
    body = parse_quietly(text).body
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in body) or _reads(text)


def _reads(text: str) -> bool:
    """Whether it is a script that reads its input."""
    return "input(" in text or "stdin" in text or "open(" in text


def _longest_run(text: str) -> str:
    lines = text.split("\n")
    best = ""
    parses = parsed = 0
    starts = [number for number, line in enumerate(lines) if _STARTS.match(line)][:_MOST_STARTS]
    for start in starts:
        end = len(lines)
        while end > start and parses < _MOST_PARSES and parsed < _MOST_PARSED:
            candidate = "\n".join(lines[start:end]) + "\n"
            if len(candidate) <= len(best):
                break
            parses += 1
            parsed += len(candidate)
            try:
                parse_quietly(candidate)
            except SyntaxError as error:
                end = min(end - 1, start + (error.lineno or 1) - 1)
                continue
            best = candidate
            break
    return best
