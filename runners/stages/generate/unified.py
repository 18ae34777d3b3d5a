"""The unified form: four sections of a model's response, as models write them.

A section's heading is its name on a line of its own, as a heading of any level or in bold, numbered or not, in any case,
with or without a colon, and with additions (`## 🧠 Main Function (main_solution)`); text may follow a bold one on its line.
Where a reply has no such line, names that are underlined or stand alone are headings, and a quotation or indentation around
all of it is taken off.
Headings inside closed code blocks are code. Of a section that comes several times the last one with content counts, and of
its code blocks the last one that defines the function, together with the blocks that define what it uses.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from textwrap import dedent

from ...answers.thinking import without_thoughts
from .blocks import Fence, end_of_block, fence_of, function_code

MAIN, DESCRIPTION, GENERATOR, PROBLEM = "main function", "input output description", "input generator", "problem statement"

# Every pattern reads a line once: responses may be megabytes of anything.
_MARKS = re.compile(r"[ \t]{0,3}+(?P<bullet>[-+\u2022][ \t]++(?=[*_#]))?+(?P<hashes>#{0,6}+)[ \t]*+(?P<bold>[*_]{0,3}+)[ \t]*+")
_DECORATION = re.compile(r"[^\w`\"'(\[]*+")
_NUMBER = re.compile(
    r"\((?:[0-9]{1,2}+|[ivx]{1,4}+|[a-d])\)[ \t]*+"
    r"|(?:(?:section|part|step)[ \t]++)?+(?:[0-9]{1,2}+|[ivx]{1,4}+|[a-d])[ \t]*+(?:[.):\uff1a][ \t]*+|\ufe0f?\u20e3[ \t]*+)",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"`?+(?:(?P<main>main[ _-]?+(?:function|solution))|(?P<generator>input[ _-]?+generators?+)"
    r"|(?P<problem>problem[ _-]?+(?:statement|description))"
    r"|(?P<description>(?:inputs?+[ ]{0,2}+(?:[/&,-]|and\b)?+[ ]{0,2}+outputs?+|i[ ]?+/[ ]?+o)"
    r"(?:[ ]++(?:descriptions?+|requirements?+|specifications?+|formats?+))?+))"
    r"(?![^\W_]|/)`?+",
    re.IGNORECASE,
)
_SECTION = {"main": MAIN, "generator": GENERATOR, "problem": PROBLEM, "description": DESCRIPTION}
# Names that stand alone on a line, in a reply whose headings have no marks or are underlined.
_ALONE = re.compile(r"(?:Main[ ]Function|Input[ ]Output[ ]Description|Input[ ]Generator|Problem[ ]Statement)")
_UNDERLINE = re.compile(r"[ \t]{0,3}+(?:={3,}+|-{3,}+)[ \t]*+$")
_MORE_WORDS = re.compile(r"[ \t]++(?:function|code|implementation|section|description|in python|python)(?!\w)", re.IGNORECASE)
_RULE = re.compile(r"[ \t]*+(?:-{3,}+|\*{3,}+|_{3,}+)[ \t]*+$")
_END_TOKEN = re.compile(
    r"(?:<\|(?:im_end|endoftext|end_of_text|eot_id|end|return|eom_id|end_of_turn)\|>|</s>|<eos>|<end_of_turn>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>)"
)
_MARKDOWN = {"", "markdown", "md", "text", "txt", "plaintext"}


class BadFormError(ValueError):
    """A response that is not in the unified form: `reason` is one of reasons.ROW_REASONS."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unified:
    refcode: str
    io_requirements: str
    inputgencode: str
    problem_description: str


def parse_unified(text: str, main: str = "main_solution", generator: str = "input_generator") -> Unified:
    """The four sections of a response. Raises BadFormError."""
    sections = _sections(_plain_lines(text))
    code = _code(sections, MAIN, main, "no-main-function")
    description = _text(sections, DESCRIPTION, "no-description")
    makes = _code(sections, GENERATOR, generator, "no-input-generator")
    return Unified(code, description, makes, _text(sections, PROBLEM, "no-problem-statement"))


def _plain_lines(text: str) -> list[str]:
    """The lines of a response without what is not its text: a byte-order mark, thinking, end tokens, a fence around it all."""
    text = without_thoughts(text.lstrip("\ufeff"))
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for index in range(len(lines) - 1, -1, -1):  # tokens stand behind all else
        lines[index] = _without_end_tokens(lines[index])
        if lines[index].strip():
            break
    first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    for index in range(first, min(first + 4, len(lines))):  # a sentence may stand before the fence
        fence = fence_of(lines[index])
        if fence is not None and fence.language in _MARKDOWN and _is_wrapper(lines, index, fence):
            return _unwrapped(lines, index, fence)
        if fence is not None or _heading(lines[index]) is not None:
            break
    return lines if any(_heading(line) for line in lines) else _marked(lines)


def _marked(lines: list[str]) -> list[str]:
    """A reply without headings, taken out of a quotation or an indentation around all of it, and with its underlined headings,
    and those that stand alone, marked."""
    if all(line.startswith(">") for line in lines if line.strip()):
        lines = [line[1:] for line in lines]
    lines = dedent("\n".join(lines)).split("\n")
    marked: list[str] = []
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        underlined = _UNDERLINE.match(following) is not None
        alone = (not index or not lines[index - 1].strip()) and (not following.strip() or fence_of(following) is not None)
        if (underlined or alone) and _ALONE.fullmatch(line.strip()):
            marked.append(f"## {line.strip()}")
        elif not (index and _UNDERLINE.match(line) and marked[-1].startswith("## ")):
            marked.append(line)
    return marked


def _without_end_tokens(line: str) -> str:
    while True:
        short = line.rstrip()
        end = max((found.end() for found in _END_TOKEN.finditer(short, max(0, len(short) - 40))), default=-1)
        if end != len(short) or not short:
            return line
        start = max(found.start() for found in _END_TOKEN.finditer(short, max(0, len(short) - 40)))
        line = short[:start]


def _is_wrapper(lines: list[str], index: int, fence: Fence) -> bool:
    """Whether the response as a whole stands in the fence: the first thing in it is a heading."""
    inner = next((line for line in lines[index + 1 : index + 8] if line.strip()), "")
    return fence.language in ("markdown", "md") or _heading(inner, in_code=True) is not None


def _unwrapped(lines: list[str], index: int, fence: Fence) -> list[str]:
    kept = [line[min(fence.indent, len(line) - len(line.lstrip())) :] for line in lines[index + 1 :]]
    for last in range(len(kept) - 1, -1, -1):
        if kept[last].strip():
            closing = fence_of(kept[last])
            if closing is not None and closing.closes(fence):
                kept[last] = ""
            break
    return kept


@dataclass(slots=True)
class _Section:
    lines: list[str]
    blocks: list[tuple[str, str]]
    """(language, code) of each fenced block."""
    holds: bool
    """Whether there is more than blank lines."""

    def add(self, lines: list[str]) -> None:
        self.lines.extend(lines)
        self.holds = self.holds or any(line.strip() for line in lines)


def _heading(line: str, *, in_code: bool = False) -> tuple[str, str] | None:
    """(section, text that follows on the line) where the line is a section's heading. Inside code that was not closed a
    single # is a comment."""
    outer = _MARKS.match(line)
    if outer is None or len(line) == outer.end() or len(line) > 400:
        return None
    hashes, bold = len(outer["hashes"]), bool(outer["bold"])
    text = line[outer.end() :].rstrip().rstrip("#").rstrip()
    closed_bold = text.endswith(("**", "__"))
    if hashes or bold:
        text = text[_decoration(text) :]
    numbered = _NUMBER.match(text)
    if numbered:
        text = text[numbered.end() :].lstrip("*_ ")
        text = text[_decoration(text) :] if hashes or bold else text
    found = _NAME.match(text)
    if found is None or found.lastgroup is None:
        return None
    name, end = _SECTION[found.lastgroup], found.end()
    while more := _MORE_WORDS.match(text, end):
        end = more.end()
    bold = bold or text[end:].lstrip().startswith(("**", "__")) or bool(numbered and "**" in line)
    rest = text[end:].strip().strip("*_`").strip()
    colon = rest[:1] in (":", "\uff1a") if rest else False
    if colon:
        rest = rest[1:].strip().strip("*_").strip()
    if in_code and not (bold or hashes > 1):
        return None
    if not (hashes or bold or numbered or colon):
        return None
    if outer["bullet"] and (rest or not (bold or hashes)):
        return None  # an item of a list that speaks of it
    if not rest:
        return name, ""
    if colon:
        return (name, rest) if bold or hashes else None  # else a sentence that begins with the name
    added = not (rest[0].isalnum() or rest[0] in "\"',.;")  # (main_solution), - main_solution, an emoji
    return (name, "") if added and (hashes or numbered or closed_bold) else None


def _decoration(text: str) -> int:
    """How many characters stand before the first word, such as an emoji and blanks."""
    found = _DECORATION.match(text)
    return found.end() if found else 0


class _Blocks:
    """Where the code blocks of a text begin and end."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.fences = {index: fence for index, line in enumerate(lines) if (fence := fence_of(line))}
        self._places = list(self.fences)
        self._headings = [index for index, line in enumerate(lines) if _heading(line, in_code=True)]
        self._text = "\n".join(lines)
        self._starts = [0]
        for line in lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def end_of(self, start: int) -> tuple[int, int]:
        """(line after the code, line from where to go on) of the block that opens at `start`. One that is not closed ends
        where the next heading of a section or the next block with a language begins."""
        after = bisect_right(self._headings, start)
        heading = self._headings[after] if after < len(self._headings) else len(self._lines)
        places = range(bisect_right(self._places, start), len(self._places))
        following = ((self._places[at], self.fences[self._places[at]]) for at in places)
        return end_of_block(self._text, self._starts, self.fences[start], start, following, heading)


def _sections(lines: list[str]) -> dict[str, _Section]:
    found: dict[str, _Section] = {}
    current = _Section([], [], False)  # what stands before the first heading belongs to nobody
    name = ""
    blocks = _Blocks(lines)
    index = 0
    while index < len(lines):
        line = lines[index]
        fence = blocks.fences.get(index)
        heading = None if fence else _heading(line)
        if fence:
            end, after = blocks.end_of(index)
            code = [inner[min(fence.indent, len(inner) - len(inner.lstrip())) :] for inner in lines[index + 1 : end]]
            current.blocks.append((fence.language, _unindented("\n".join(code).strip("\n"))))
            current.add(lines[index:after])
            index = after
        elif heading:
            name, rest = heading
            current = _Section([rest] if rest else [], [], bool(rest))
            index += 1
        else:
            current.add([line])
            index += 1
        if name and (current.holds or name not in found):  # the last one that holds something
            found[name] = current
    return found


def _unindented(code: str) -> str:
    """Code whose first line is indented never compiles: what all of its lines are indented by is taken away."""
    return dedent(code) if code[:1] in (" ", "\t") else code


def _text(sections: dict[str, _Section], name: str, reason: str) -> str:
    section = sections.get(name)
    lines = list(section.lines) if section else []
    while lines and (not lines[-1].strip() or _RULE.match(lines[-1])):  # rules stand before the next heading
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    if len(lines) > 2:
        first, last = fence_of(lines[0].strip()), fence_of(lines[-1].strip())
        if first and last and last.closes(first) and not any(fence_of(line) for line in lines[1:-1]):
            lines = lines[1:-1]
    text = "\n".join(lines).strip()
    if not text:
        raise BadFormError(reason, f"nothing under `{_title(name)}`")
    return text


def _code(sections: dict[str, _Section], name: str, function: str, reason: str) -> str:
    section = sections.get(name)
    if section is None:
        raise BadFormError(reason, f"no section `{_title(name)}`")
    python = [block for block in section.blocks if block[0] in _PYTHON]
    unnamed = [block for block in section.blocks if block[0] in _PYTHON or not block[0]]
    if not unnamed:
        raise BadFormError(reason, f"no python code under `{_title(name)}`")
    for blocks in (python, unnamed):
        code = function_code([text for _, text in blocks], function)
        if code is not None:
            return code
    raise BadFormError(reason, f"the code under `{_title(name)}` defines no {function}")


_PYTHON = {"python", "python3", "py", "py3", "python2", "ipython"}


def _title(name: str) -> str:
    return "## " + name.title()
