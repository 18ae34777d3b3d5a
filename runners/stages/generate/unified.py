"""The unified form: four sections of a model's response, as models write them.

A section's heading is its name on a line of its own, as a heading of any level or in bold, numbered or not, in any case,
with or without a colon; text may follow a bold one on its line. Headings inside closed code blocks are code. Of a section
that comes several times the last one with content counts, and of its code blocks the last python one.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

MAIN, DESCRIPTION, GENERATOR, PROBLEM = "main function", "input output description", "input generator", "problem statement"

_NAMES = {
    MAIN: MAIN,
    "main solution": MAIN,
    DESCRIPTION: DESCRIPTION,
    "i o description": DESCRIPTION,
    "input output": DESCRIPTION,
    "inputs outputs description": DESCRIPTION,
    GENERATOR: GENERATOR,
    "input generator function": GENERATOR,
    PROBLEM: PROBLEM,
    "problem description": PROBLEM,
}
# Every pattern reads a line once: responses may be megabytes of anything.
_MARKS = re.compile(r"\s{0,3}(?P<hashes>#{0,6})\s*(?P<bold>[*_]{0,3})\s*")
_NUMBER = re.compile(r"(?:(?:section|part|step)\s+)?(?:\d{1,2}|[ivx]{1,4}|[a-d])\s*[.):]\s+", re.IGNORECASE)
_NAME = re.compile(
    r"`?(?P<name>[a-z][a-z /&-]{0,40}[a-z])`?\s*(?P<colon>:?)\s*(?P<bold>[*_]{0,3})\s*(?P<late>:?)(?P<rest>.*)", re.IGNORECASE
)
_FENCE = re.compile(r"(?P<indent>\s*)(?P<marks>`{3,}|~{3,})\s*(?P<info>[^`\s][^`]*)?$")
_RULE = re.compile(r"\s*(?:-{3,}|\*{3,}|_{3,})\s*$")
_PYTHON = {"python", "python3", "py", "py3"}


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
    sections = _sections(text.replace("\r\n", "\n").split("\n"))
    code = _code(sections, MAIN, main, "no-main-function")
    description = _text(sections, DESCRIPTION, "no-description")
    makes = _code(sections, GENERATOR, generator, "no-input-generator")
    return Unified(code, description, makes, _text(sections, PROBLEM, "no-problem-statement"))


@dataclass(slots=True)
class _Section:
    lines: list[str]
    blocks: list[tuple[str, str]]
    """(language, code) of each fenced block."""

    def is_empty(self) -> bool:
        return not any(line.strip() for line in self.lines)


def _heading(line: str, *, in_code: bool = False) -> tuple[str, str] | None:
    """(section, text that follows on the line) where the line is a section's heading. Inside code that was not closed a
    single # is a comment."""
    outer = _MARKS.match(line)
    if outer is None or len(line) == outer.end():
        return None
    text = line[outer.end() :].rstrip().rstrip("#").rstrip()
    numbered = _NUMBER.match(text)
    if numbered:
        text = text[numbered.end() :].lstrip("*_ ")
    found = _NAME.match(text)
    if found is None:
        return None
    words = re.sub(r"[/&-]|\band\b", " ", found["name"].lower())
    name = _NAMES.get(" ".join(words.split()))
    bold = bool(outer["bold"] or found["bold"])
    colon = found["colon"] or found["late"]
    rest = found["rest"].strip()
    if name is None or (in_code and not (bold or len(outer["hashes"]) > 1)):
        return None
    if rest and not (bold and colon):  # a sentence that begins with the name
        return None
    if not (outer["hashes"] or bold or numbered or colon):
        return None
    return name, rest


class _Blocks:
    """Where the code blocks of a text begin and end."""

    def __init__(self, lines: list[str]) -> None:
        self._count = len(lines)
        self.fences = {index: fence for index, line in enumerate(lines) if (fence := _FENCE.match(line))}
        self._places = list(self.fences)
        self._headings = [index for index, line in enumerate(lines) if _heading(line, in_code=True)]

    def end_of(self, start: int) -> tuple[int, int]:
        """(line after the code, line from where to go on) of the block that opens at `start`. One that is not closed ends
        where the next heading of a section or the next block with a language begins."""
        marks = self.fences[start]["marks"]
        after = bisect_right(self._headings, start)
        heading = self._headings[after] if after < len(self._headings) else self._count
        for place in range(bisect_right(self._places, start), len(self._places)):
            index = self._places[place]
            fence = self.fences[index]
            if fence["info"]:
                return min(index, heading), min(index, heading)
            if fence["marks"][0] == marks[0] and len(fence["marks"]) >= len(marks):
                return index, index + 1
        return heading, heading


def _sections(lines: list[str]) -> dict[str, _Section]:
    found: dict[str, _Section] = {}
    current = _Section([], [])  # what stands before the first heading belongs to nobody
    blocks = _Blocks(lines)
    index = 0
    while index < len(lines):
        line = lines[index]
        fence = blocks.fences.get(index)
        if fence:
            end, after = blocks.end_of(index)
            indent = len(fence["indent"])
            code = [inner[min(indent, len(inner) - len(inner.lstrip())) :] for inner in lines[index + 1 : end]]
            language = (fence["info"] or " ").split(" ")[0].strip("{}.").lower()
            current.blocks.append((language, "\n".join(code).strip("\n")))
            current.lines.extend(lines[index:after])
            index = after
            continue
        heading = _heading(line)
        if heading:
            name, rest = heading
            current = _Section([rest] if rest else [], [])
            before = found.get(name)
            if before is None or before.is_empty():
                found[name] = current
            else:
                found[f"{name} again"] = current  # takes the place of the one before when it turns out to hold something
        else:
            current.lines.append(line)
        index += 1
        for again in [key for key in found if key.endswith(" again") and not found[key].is_empty()]:
            found[again.removesuffix(" again")] = found.pop(again)
    return found


def _text(sections: dict[str, _Section], name: str, reason: str) -> str:
    section = sections.get(name)
    lines = list(section.lines) if section else []
    while lines and (not lines[-1].strip() or _RULE.match(lines[-1])):  # rules stand before the next heading
        lines.pop()
    text = "\n".join(lines).strip()
    fenced = re.fullmatch(r"(`{3,}|~{3,})[^\n]*\n(.*)\n\1", text, re.DOTALL)
    text = fenced[2].strip() if fenced else text
    if not text:
        raise BadFormError(reason, f"nothing under `{_title(name)}`")
    return text


def _code(sections: dict[str, _Section], name: str, function: str, reason: str) -> str:
    section = sections.get(name)
    if section is None:
        raise BadFormError(reason, f"no section `{_title(name)}`")
    blocks = [code for language, code in section.blocks if language in _PYTHON]
    blocks = blocks or [code for language, code in section.blocks if not language]
    if not blocks:
        raise BadFormError(reason, f"no python code under `{_title(name)}`")
    if not re.search(rf"^def\s+{re.escape(function)}\s*\(", blocks[-1], re.MULTILINE):
        raise BadFormError(reason, f"the code under `{_title(name)}` defines no {function}")
    return blocks[-1]


def _title(name: str) -> str:
    return "## " + name.title()
