"""Code blocks of a Markdown text: where one ends, and which of a section's blocks make a function.

Owns fences and the look at code that tells a fence from a line of a string. Code is never compiled here: it comes from a
model, and the compiler can be made to take its time or to crash.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"(?P<indent>[ \t]*+)(?P<marks>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`]*+)$")
# What holds quotes: strings, those of several lines first, and comments. An open string of several lines is none.
_STRING = re.compile(
    r'"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+"""'
    r"|'''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+'''"
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
    r"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'"
    r"|#[^\n]*+",
    re.DOTALL,
)
_QUOTE = re.compile("[\"'#]")
_DEFINED = re.compile(
    r"^(?:(?:async[ \t]++)?+def|class)[ \t]++(\w++)|^(\w++)[ \t]*+(?::[^=\n]*+)?+=(?!=)"
    r"|^(?:from[ \t]++[\w.]++[ \t]++)?+import[ \t]++([^\n#]++)",
    re.MULTILINE,
)
_WORD = re.compile(r"\w++")


@dataclass(frozen=True, slots=True)
class Fence:
    """A line that opens or closes a code block."""

    indent: int
    marks: str
    info: str

    @property
    def language(self) -> str:
        return (self.info or " ").split(" ")[0].strip("{}.").lower()

    def closes(self, opening: "Fence") -> bool:
        return not self.info and self.marks[0] == opening.marks[0] and len(self.marks) >= len(opening.marks)


def fence_of(line: str) -> Fence | None:
    """The fence that a line is."""
    if "```" not in line and "~~~" not in line:
        return None
    found = _FENCE.match(line)
    return Fence(len(found["indent"]), found["marks"], found["info"].strip()) if found else None


def end_of_block(
    text: str, starts: list[int], opening: Fence, start: int, following: Iterator[tuple[int, Fence]], heading: int
) -> tuple[int, int]:
    """(line after the code, line from where to go on) of the block that `opening` on the line `start` opens.

    `starts` are the places of the lines in the text, `following` the fences behind it with their lines, and `heading` the
    line of the next heading, where a block ends that is not closed. A fence inside a string of several lines is text.
    """
    position = starts[start + 1]
    for line, fence in following:
        place = starts[line]
        while position < place and (quote := _QUOTE.search(text, position, place)) is not None:
            string = _STRING.match(text, quote.start())
            position = string.end() if string else quote.end()
        if position > place:
            continue
        if fence.info:
            return min(line, heading), min(line, heading)
        if fence.closes(opening):
            return line, line + 1
    return heading, heading


def function_code(blocks: list[str], function: str) -> str | None:
    """The code of the last block that defines the function, with the blocks before and behind it that define what it uses
    and that are no other version of it. None where none defines it."""
    definitions = [_definitions(block) for block in blocks]
    chosen = next((index for index in range(len(blocks) - 1, -1, -1) if function in definitions[index]), None)
    if chosen is None:
        return None
    used = set(_WORD.findall(blocks[chosen]))
    known = set(definitions[chosen])
    taken = {chosen}
    # Nearest first: of two versions of a helper the later one counts.
    for index in (*range(chosen - 1, -1, -1), *range(chosen + 1, len(blocks))):
        own = definitions[index]
        if function in own or not (own - known) & used:
            continue
        taken.add(index)
        known |= own
        used |= set(_WORD.findall(blocks[index]))
    return "\n\n".join(blocks[index] for index in sorted(taken))


def _definitions(code: str) -> set[str]:
    """The names that a block defines at its outermost level."""
    names: set[str] = set()
    for found in _DEFINED.finditer(code):
        imported = found[3]
        if imported is None:
            names.add(found[1] or found[2])
        else:
            names.update(part.split(" as ")[-1].strip(" ()").split(".")[0] for part in imported.split(","))
    return names
