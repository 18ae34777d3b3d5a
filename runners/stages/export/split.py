"""Which rows are for validation: decided by the function, so that no function is on both sides, whatever the order and
the number of the rows."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator

from ...digests import digest_of

# What a prompt of CodeI/O says of the pair begins here; all before it is about the function. Code or no code, the
# rows about a function share that part.
_PAIR = re.compile(r"^[^\w\n]*+given the following (?:input|output)\b", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"\w")
_MARKS = re.compile("`{3,}+")


def function_key(prompt: str) -> str:
    """Stands for the function in rows without `function_id`: the digest of the prompt's part about the function. That is
    what comes before `Given the following input` or `output`, the words of CodeI/O's prompts; else the longest fenced
    block, the code; else the whole prompt."""
    found = _PAIR.search(prompt)
    part = _without_last_lines(prompt[: found.start()]).strip() if found else ""
    if not part:
        part = max(_fenced(prompt), key=len, default="").strip()
    return digest_of(part or prompt)


def _without_last_lines(text: str) -> str:
    """Without the lines at its end that hold no word."""
    lines = text.split("\n")
    while lines and not _WORD.search(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _fenced(text: str) -> Iterator[str]:
    """The code of each fenced block, in time linear in the text."""
    lines = text.split("\n")
    closing: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if line.startswith("```"):
            closing.setdefault(line.rstrip(), []).append(index)
    index = 0
    while index < len(lines):
        marks = _MARKS.match(lines[index])
        ends = closing.get(marks[0], []) if marks else []
        at = bisect_right(ends, index)
        if at < len(ends):
            yield "\n".join(lines[index + 1 : ends[at]])
            index = ends[at]
        index += 1


def is_validation(key: str, share: float) -> bool:
    """The same for all rows of a function, in every run; about `share` of all functions."""
    number = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"split").digest())
    return number < share * 2**64
