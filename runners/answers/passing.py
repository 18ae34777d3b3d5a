"""What of a text cannot matter for the answer: passed over by the regular expression engine, many times as fast as it is read.

Owns two patterns. A brace that begins nothing is one behind which no first token of an object stands, or a string that
nothing of an object follows. A simple object is one in which every string, comment, mark and bracket of whatever reads it
(`literal.py`, `unreadable.py`, `thinking.py`) ends before its last brace: whether it is complete or breaks off amid it,
reading goes on behind it just the same. Its caller sees to it that it does not hold the key.
"""

import re
from typing import Final

from .scalars import DOUBLE_QUOTES, NAME, SINGLE_QUOTES, SPACE

_FIRST: Final = (
    rf"[(0-9.+\-\u2212\uff08{DOUBLE_QUOTES}{SINGLE_QUOTES}]|[bBuUrR]{{1,2}}[\"']|\\(?:text|math)"
    r"|(?:[Tt]rue|[Ff]alse|null|None|NaN|nan|Infinity|inf)(?!\w)"
    # A name and a colon. What stands in braces in a text with gaps, such as `f"{total:5}"`, has no space behind the colon.
    rf"|{NAME}[ \t\r\n]*+:[\s\"'\[({{]"
)
START: Final = re.compile(rf"[{{\uff5b]{SPACE}(?=[\"']|{_FIRST})")
"""A brace that can begin an object with something in it: an empty one has nothing to take."""

_BLANKS: Final = rf"(?>(?![!-\"$-.0-\[\]-~]){SPACE}|)"  # as SPACE; most characters end it at once
# A string and what can follow it: a mark, another string, LaTeX. `\Z`: the end of what is looked at, behind which it goes on.
_FOLLOWER: Final = r"(?:[,:}\"'bBuUrR\\\uff0c\uff1a\u3001\uff5d]|\Z)"
_PERHAPS: Final = (
    rf"\"(?:\"\"|\"?\Z|(?!\"\")[^\"\\]*+(?:\\.[^\"\\]*+)*+(?:\"{_BLANKS}{_FOLLOWER}|\\?\Z))"
    rf"|'(?:''|'?\Z|(?!'')[^'\\]*+(?:\\.[^'\\]*+)*+(?:'{_BLANKS}{_FOLLOWER}|\\?\Z))"
    rf"|(?![\"'])(?:{_FIRST}|[\w$.\\]*+\Z)"
)

_OUTSIDE: Final = rf"[^{{}}\"'\\\#/=<\[{DOUBLE_QUOTES}{SINGLE_QUOTES}\uff5b\uff5d\u25c1]++|\[(?!/?THINK)"
_INSIDE: Final = r"{}\\\n<\[\uff5b\uff5d\u25c1"  # what strings may not hold; a backslash and `[` but with what follows
_ESCAPED: Final = rf"\\[^{_INSIDE}]|\[(?!/?THINK)"
_STRINGS: Final = rf"\"(?!\"\")(?:[^\"{_INSIDE}]++|{_ESCAPED})*+\"|(?<!\w)'(?!'')(?:[^'{_INSIDE}]++|{_ESCAPED})*+'"
_LATEX: Final = r"\\(?:(?![lr]brace)[a-zA-Z]++|[,;:! _%$&])"  # neither a quote nor a brace
_FLAT: Final = rf"{_OUTSIDE}|{_STRINGS}|{_LATEX}"


def _simple(levels: int) -> str:
    """Behind the first brace."""
    inner = rf"|\\?\{{{_simple(levels - 1)}" if levels > 1 else ""
    return rf"(?:{_FLAT}{inner})*+\\?\}}"


_SIMPLE: Final = _simple(3)
SIMPLE_OBJECT: Final = re.compile(rf"\{{{_SIMPLE}")

ANY: Final = re.compile(rf"[{{\uff5b](?=[^{{}}\uff5b\uff5d]|\Z)(?={_BLANKS}(?:{_PERHAPS}))", re.DOTALL)
"""The next brace that may begin an object, seen up to the end of what is looked at."""
NOT_SIMPLE: Final = re.compile(rf"{ANY.pattern}(?!(?<=\{{){_SIMPLE})", re.DOTALL)
"""The next of them that begins no simple object; braces in a simple one begin simple ones too."""
