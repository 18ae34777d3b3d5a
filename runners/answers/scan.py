"""Which object in a text is the answer: the rule, and a scan that keeps it in linear time.

The rule. From left to right, each `{` is read; where a complete object begins, it is taken whole and reading goes on
behind it, so its strings are never searched and what stands in it belongs to it. Where none begins, the next `{` is
tried, be it inside of what could not be read. Of the objects so taken, the last that has the key is the answer. Only if
there is none, the last one *within* a taken object is (`{"answer": {"output": 3}}`), the outermost of nested ones.
The key counts where it is written plainly in quotes, `"output"` or `'output'`, not as `"\\u006futput"`.

Why it is linear although readings start anew at braces inside of failed ones: a failed reading leaves behind which of
the braces that it saw *as brackets* were still open; from those it would fail again, so they are not tried. Those that
it saw closed are read a second time, and taken. Any other reading begins at a brace that all readings before it saw
inside a string, or did not reach. Readings are outside of strings, in a double-quoted or in a single-quoted one; two
that differ in this stay different for as long as both go on, to which `scalars.py` keeps. So no character is read by
more than three of them, twice by each.
"""

import re
from typing import Final

from .literal import Found, Unfinished, read_object
from .scalars import SPACE

# A brace that can begin an object with something in it. Most braces of prose, code and formulas cannot; those are
# passed over by the regular expression engine, and so is an empty object, from which there is nothing to take.
_START: Final = re.compile(
    rf"\{{{SPACE}(?=[\"'(0-9.+-]|[bBuUrR]{{1,2}}[\"']|(?:[Tt]rue|[Ff]alse|null|None|NaN|nan|Infinity|inf)(?!\w))"
)


def spellings(key: str) -> tuple[str, str]:
    """The key as it may be written: in double and in single quotes."""
    return f'"{key}"', f"'{key}'"


def last_object(text: str, key: str) -> tuple[Found | None, str]:
    """The object that is the answer by the rule above, or None and the reason in a few words."""
    written = spellings(key)
    last_key = max(text.rfind(each) for each in written)
    if last_key < 0:
        return None, f'no JSON object with the key "{key}"'
    taken: Found | None = None
    within: Found | None = None
    hopeless: set[int] = set()
    fault = f'no JSON object with the key "{key}"'
    position = 0
    # An object with the key begins before the last key; the lookahead must still see the quote.
    while brace := _START.search(text, position, last_key + 1):
        start = brace.start()
        position = start + 1
        if start in hopeless:
            continue
        reading = read_object(text, start, written)
        if isinstance(reading, Unfinished):
            hopeless.update(reading.opened)
            if reading.keyed:
                why = "is cut off" if reading.cut_off else "is not valid JSON"
                fault = f'the JSON object with the key "{key}" {why}'
            continue
        position = reading.end
        if reading.found is None:
            continue
        if reading.found.start == start:
            taken = reading.found
        else:
            within = reading.found
    found = taken or within
    return found, "" if found else fault
