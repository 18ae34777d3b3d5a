"""Fenced blocks of a text, and what models make of them: fences within fences, within docstrings and behind the last line of
code, sessions with prompts, and differences."""

import re
from dataclasses import dataclass
from typing import Final

from .lifting.rewrite import parse_quietly

PYTHON_LABELS: Final = frozenset(("", "python", "py", "python3", "py3", "python2", "ipython", "ipython3", "sage"))
_SESSION_LABELS: Final = frozenset(("pycon", "python-repl", "pyrepl", "doctest"))
_DIFFERENCE_LABELS: Final = frozenset(("diff", "patch"))
_MARKDOWN_LABELS: Final = frozenset(("markdown", "md"))
_FENCE: Final = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<label>[^\s`]*)[^`\n]*$")
_ON_ONE_LINE: Final = re.compile(r"```[ \t]*(?:python3?|py)?[ \t]+([^`\n]+?)[ \t]*```")
_PROMPT: Final = re.compile(r"^[ \t]*(?:>>>|\.\.\.|In \[\d+\]:|\s*\.\.\.:)(?: |$)")
_DIFFERENCE_HEAD: Final = re.compile(r"^(?:diff |index |--- |\+\+\+ |@@)")
_MOST_DEPTH: Final = 3
_LONG_QUOTES: Final = ('"""', "'''")
_MOST_TRIES: Final = 200
_MOST_TRIED: Final = 1 << 20
"""Characters parsed in search of the end of blocks."""


@dataclass(frozen=True, slots=True)
class Block:
    label: str
    text: str
    closed: bool


def is_python(text: str) -> bool:
    try:
        parse_quietly(text)
    except SyntaxError:
        return False
    return True


def blocks(text: str) -> list[Block]:
    """The fenced blocks, as CommonMark reads them: a fence is closed by one of its own kind, at least as long."""
    return _read(text.split("\n"), None)


def python_blocks(text: str) -> list[str]:
    """The blocks that hold Python, those within blocks of Markdown too, in order. A block that CommonMark ends within a string
    goes on to the fence where it is Python. Never raises; parses a bounded number of characters."""
    budget = _Budget()
    found = _python_blocks(text, budget, 0)
    return found or [f"{match[1]}\n" for match in _ON_ONE_LINE.finditer(text) if is_python(match[1])][:_MOST_TRIES]


class _Budget:
    def __init__(self) -> None:
        self.tries, self.characters = _MOST_TRIES, _MOST_TRIED

    @property
    def is_spent(self) -> bool:
        return self.tries <= 0 or self.characters <= 0

    def parses(self, text: str) -> bool:
        """Whether it is Python; no where the budget is spent."""
        if self.is_spent:
            return False
        self.tries -= 1
        self.characters -= len(text)
        return is_python(text)


def _python_blocks(text: str, budget: _Budget, depth: int) -> list[str]:
    found: list[str] = []
    for block in _read(text.split("\n"), budget):
        label = block.label.lower()
        if label in _MARKDOWN_LABELS and depth < _MOST_DEPTH:
            found += _python_blocks(block.text, budget, depth + 1)
        elif label in _SESSION_LABELS:
            found.append(without_prompts(block.text))
        elif label in _DIFFERENCE_LABELS:
            found.append(after_difference(block.text))
        elif label in PYTHON_LABELS:
            found.append(_mended(block.text, budget))
    return [each for each in found if each.strip()]


def _mended(text: str, budget: _Budget) -> str:
    """Python out of a session or a difference that is labelled as Python; the text itself where it is neither."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(_PROMPT.match(line) for line in lines[:1]) and not budget.parses(text):
        return without_prompts(text)
    is_difference = all(line[:1] in "+- @" for line in lines) and any(line[:1] == "+" for line in lines)
    if is_difference and not budget.parses(text):
        return after_difference(text)
    return text


def without_prompts(text: str) -> str:
    """What was typed in a session; what Python answered is left out."""
    return "".join(f"{_PROMPT.sub('', line, count=1)}\n" for line in text.split("\n") if _PROMPT.match(line))


def after_difference(text: str) -> str:
    """The lines that a difference leaves."""
    kept = [line for line in text.split("\n") if not _DIFFERENCE_HEAD.match(line) and not line.startswith("-")]
    return "\n".join(line[1:] if line[:1] in ("+", " ") else line for line in kept)


def _read(lines: list[str], budget: _Budget | None) -> list[Block]:
    """With a budget, blocks of Python that end where no Python ends are read further."""
    found: list[Block] = []
    at = 0
    never_closed: set[str] = set()
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        at += 1
        if not fence:
            continue
        label = _label(fence["label"])
        mark = fence["mark"]
        end = len(lines) if mark in never_closed else _end(lines, at, mark)
        if end == len(lines):
            never_closed.add(mark)
        own = [_dedented(line, len(fence["indent"])) for line in lines[at:end]]
        if budget is not None and label.lower() in PYTHON_LABELS and not budget.parses("\n".join(own)):
            end, own = _further(lines, at, end, fence, own, budget)
        if end < len(lines) or own:
            found.append(Block(label, "\n".join(own) + "\n", end < len(lines)))
        at = end + 1
    return found


def _end(lines: list[str], at: int, mark: str) -> int:
    """The line that closes a fence; the end of the text where none does."""
    for number in range(at, len(lines)):
        fence = _FENCE.match(lines[number])
        if fence and not fence["label"] and fence["mark"].startswith(mark):
            return number
    return len(lines)


def _further(
    lines: list[str], at: int, end: int, fence: re.Match[str], own: list[str], budget: _Budget
) -> tuple[int, list[str]]:
    """The same block up to the first end at which it is Python: behind a line of code, or, from within a string, at a later
    fence."""
    mark, indent = fence["mark"], len(fence["indent"])
    for number in range(at, end):
        if budget.is_spent:
            break
        line = lines[number].rstrip()
        if line.endswith(mark) and not _FENCE.match(line):
            ended = [_dedented(each, indent) for each in (*lines[at:number], line[: -len(mark)])]
            if budget.parses("\n".join(ended)):
                return number, ended
    if not any(quotes in line for line in own for quotes in _LONG_QUOTES):
        return end, own
    for number in range(end + 1, len(lines)):
        if budget.is_spent:
            break
        later = _FENCE.match(lines[number])
        if later and not later["label"]:
            longer = [_dedented(each, indent) for each in lines[at:number]]
            if budget.parses("\n".join(longer)):
                return number, longer
    return end, own


def _dedented(line: str, indent: int) -> str:
    return line[indent:] if not line[:indent].strip() else line


def _label(text: str) -> str:
    """`python:main.py`, `{.python}` and `python,ignore` are python."""
    return re.split(r"[:,;(=]", text.strip("{}").lstrip("."), maxsplit=1)[0]
