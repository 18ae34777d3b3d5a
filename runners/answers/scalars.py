"""Tokens of JSON and of Python literals, in one grammar: what a token looks like and which value it stands for.

Owns the spelling of numbers, words, strings, blanks and comments, also as word processors, input methods, Markdown and
LaTeX write them. Knows nothing of brackets or of answers; `constructors.py` knows what `np.float64(3.5)` is worth.

Every quantifier that could give characters back is possessive, and no alternative of a loop can begin like another, so
that matching takes time linear in the token. `scan.py` says what keeps a whole scan linear.
"""

import json
import re
import sys
import unicodedata
from typing import Any, Final

from .constructors import NAMES

MAX_DIGITS: Final = 4300
"""Digits a number may have: what CPython's own int() takes (`sys.int_info.default_max_str_digits`), fixed here because
that setting can be changed under us, and because conversion takes time quadratic in the digits."""

_DECODER: Final = json.JSONDecoder(strict=False)
_INT_BOUND: Final = 10**MAX_DIGITS
_CHUNK: Final = sys.int_info.str_digits_check_threshold  # int() never refuses that many digits, whatever the setting

# --- what a token looks like ---

DOUBLE_QUOTES: Final = "\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02"
SINGLE_QUOTES: Final = "\u2018\u2019\u201a\u201b\uff07"
"""Typographic quotes. Any of a kind closes what any of it opened, so that a string ends at the next one."""

# Blanks that are none in JSON: of one width or another, of no width, marks of direction, soft hyphens.
_ODD_BLANKS: Final = (
    "\u000b\u0085\u00a0\u00ad\u034f\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u2069\u3000\ufeff"
)
# Commands that make space or set the size of the bracket behind them, `\\` at the end of a line, and one before a newline.
_LATEX_BLANK: Final = (
    r"\\(?:(?:left|right|middle|[bB]igg?[lrm]?|quad|qquad|displaystyle|textstyle|allowbreak)(?![a-zA-Z])|[,;:! \n\\])"
)
_COMMENT: Final = r"(?:\#|//)[^\n{}]*+\n|/\*[^{}*]*+(?:\*(?!/)[^{}*]*+)*+\*/"  # with no braces, which would hide objects
SPACE: Final = (
    r"(?:[ \t\r\f]++|\n(?:[ \t]*+>[> \t]*+)?+"  # a line of a Markdown quotation begins with >
    rf"|[{_ODD_BLANKS}]++|{_COMMENT}|{_LATEX_BLANK})*+"
)
_TRIPLE: Final = r"""\"{3}(?:[^\"\\]|\\.|\"(?!\"\"))*+\"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*+'{3}"""
# Three quotes begin a string of Python's that only three of them end, or nothing.
_PIECE: Final = (
    rf"[bBuUrR]{{0,2}}(?:{_TRIPLE}"
    r"""|"(?!"")[^"\\]*+(?:\\.[^"\\]*+)*+"|'(?!'')[^'\\]*+(?:\\.[^'\\]*+)*+')"""
)
_TYPOGRAPHIC: Final = (
    rf"[{DOUBLE_QUOTES}][^{DOUBLE_QUOTES}]*+[{DOUBLE_QUOTES}]|[{SINGLE_QUOTES}][^{SINGLE_QUOTES}]*+[{SINGLE_QUOTES}]"
)
_SIGN: Final = "[-+\u2212]"
_DIGITS: Final = r"[0-9]++(?:_[0-9]++)*+"
_FLOAT: Final = rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:[eE]{_SIGN}?{_DIGITS})?+"
_NUMBER: Final = (
    rf"{_SIGN}?(?:0[xX](?:_?[0-9a-fA-F]++)++|0[oO](?:_?[0-7]++)++|0[bB](?:_?[01]++)++"
    rf"|{_FLOAT}(?:[jJ]|[ ]*+[-+][ ]*+{_FLOAT}[jJ])?+)"
)
_WORD: Final = (
    r"(?:[Tt]rue|TRUE|[Ff]alse|FALSE|null|NULL|None|NaN|nan|NAN|(?:np|numpy)\.(?:True_|False_)|set\([ ]*+\)"
    rf"|{_SIGN}?(?:Infinity|inf|INF|\u221e|(?:np|numpy|math)\.(?:inf|Inf|infty|nan|NaN)))(?!\w)"
)
_MARK: Final = (
    r"[][{}(),:\uff0c\uff1a\u3001\uff5b\uff5d\uff3b\uff3d\uff08\uff09]|\\(?:[][{}()]|[lr]brace(?![a-zA-Z])"
    r"|(?:text|math)(?:tt|rm|bf|it|sf|up|normal)?\{)"
)
_FACTORY: Final = (  # what a defaultdict makes its values by
    r"(?:<class '[\w.]++'>|<function [\w.]*+(?:<(?:lambda|locals)>[\w.]*+)*+ at 0x[0-9a-fA-F]++>"
    r"|(?:int|float|list|dict|set|str|tuple|bool|None)(?!\w))"
)
_CALL: Final = (
    rf"{_SIGN}?(?:(?:np|numpy|collections|array|builtins)\.)?(?:{'|'.join(sorted(NAMES, reverse=True))})\("
    rf"(?:(?<=defaultdict\()[ ]*+{_FACTORY}[ ]*+(?:,|(?=\))))?+"
)
_OPTION: Final = r"(?:dtype|maxlen)[ ]*+=[ ]*+(?:<class '[\w.]++'>|['\"]?[\w.<>|]++['\"]?)"

NAME: Final = r"(?:[^\W\d]|\$)[\w$]*+"
_NAME_OF_MEMBER: Final = rf"{NAME}(?=[ \t\r\n]*+:)"

TOKEN: Final = re.compile(
    rf"{SPACE}(?:({_MARK})|({_PIECE}(?:{SPACE}{_PIECE})*+)|({_NUMBER})|({_WORD})|({_CALL})|({_OPTION})|({_TYPOGRAPHIC})"
    rf"|({_NAME_OF_MEMBER}))",
    re.DOTALL,
)
"""One token after any space; `lastindex` of the match is its kind."""

MARK: Final = 1
STRING: Final = 2
NUMBER: Final = 3
WORD: Final = 4
CALL: Final = 5
"""`name(`: a constructor and its opening bracket."""
OPTION: Final = 6
"""A named argument of a constructor that changes nothing of the value."""
TYPOGRAPHIC: Final = 7
"""A string in typographic quotes."""
BARE: Final = 8
"""A name before a colon: a key without quotes, as JavaScript has them."""

_PLAIN_NUMBER: Final = r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?+(?:[eE][-+]?[0-9]{1,4})?+"
_BLANK: Final = r"[ \t\r\n]*+"
RUN: Final = re.compile(rf"""(?:{_BLANK}(?:{_PLAIN_NUMBER}|'[^'"\\}}]*+'|"[^'"\\}}]*+"){_BLANK},){{8,}}+""")
"""Many numbers and strings that JSON spells alike but for the quotes, each with a comma."""

_MEMBER: Final = rf"""(?:{_PLAIN_NUMBER}|'[^'"\\()}}]*+'|"[^'"\\()}}]*+"){_BLANK}"""
TUPLES: Final = re.compile(
    rf"(?:{_BLANK}\({_BLANK}{_MEMBER},{_BLANK}(?:{_MEMBER}(?:,{_BLANK}{_MEMBER})*+(?:,{_BLANK})?+)?+\){_BLANK},){{4,}}+"
)
"""Several tuples of such numbers and strings, each with a comma."""
_LAST_COMMA: Final = re.compile(rf",{_BLANK}\)")

SPACES: Final = re.compile(SPACE)

MARKS: Final = {mark: mark for mark in "[]{}(),:"}
"""Which of `[]{}(),:` a MARK stands for; `t` for a LaTeX command around text."""
MARKS.update(zip("\uff0c\uff1a\u3001\uff5b\uff5d\uff3b\uff3d\uff08\uff09", ",:,{}[]()", strict=True))
MARKS.update({"\\" + mark: mark for mark in "[]{}()"}, **{r"\lbrace": "{", r"\rbrace": "}"})


def mark_of(token: str) -> str:
    """Which of `[]{}(),:` a MARK token stands for; `t` where it is a LaTeX command that takes text in braces."""
    return MARKS.get(token, "t")


_PIECES: Final = re.compile(rf"{SPACE}([bBuUrR]{{0,2}})(?:({_TRIPLE})|(\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'))", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}]*)\}|(\r\n|.))", re.DOTALL
)
_BYTES_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL)
_LATEX_ESCAPE: Final = re.compile(r"\\([_{}%$#&])")
_SIMPLE_ESCAPES: Final = {
    "\n": "", "\r\n": "", "\r": "", "\\": "\\", "'": "'", '"': '"',
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_UNFINISHED_ESCAPES: Final = frozenset("xuUN")  # these letters need what follows; every other one stays with its backslash

# --- which value it stands for ---


def read_word(token: str) -> Any:
    """The value of a WORD token."""
    match token:
        case "True" | "true" | "TRUE" | "np.True_" | "numpy.True_":
            return True
        case "False" | "false" | "FALSE" | "np.False_" | "numpy.False_":
            return False
        case "None" | "null" | "NULL":
            return None
    if token.startswith("set"):
        return set()
    negative = token[0] in "-\u2212"
    magnitude = float("nan" if token.lower().endswith("nan") else "inf")
    return -magnitude if negative else magnitude


def read_number(token: str) -> int | float | complex | None:
    """The value of a NUMBER token; None where it has more than MAX_DIGITS digits.

    Raises ValueError for an integer that neither JSON nor Python reads (`007`).
    """
    token = token.replace("\u2212", "-")
    if len(token) > MAX_DIGITS:  # a sign and underscores are not digits
        token = token.replace("_", "").replace(" ", "")
        if len(token) - token.startswith(("+", "-")) > MAX_DIGITS:
            return None
    digits = token.lstrip("+-").replace("_", "")
    if digits.isdigit():
        if digits[0] == "0" and digits.strip("0"):
            raise ValueError("an integer with leading zeros")
        return read_integer("-" + digits if token[0] == "-" else digits)
    if token[-1] in "jJ":
        return complex(token.replace(" ", ""))
    if digits[:2].lower() in ("0x", "0o", "0b"):
        value = int(token, 0)
        return value if abs(value) < _INT_BOUND else None
    return float(token)


def read_run(run: str) -> list[Any]:
    """The values of a RUN."""
    values: list[Any] = _DECODER.decode(f"[{run[:-1]}]".replace("'", '"'))
    return values


def read_tuples(run: str) -> list[Any]:
    """The values of TUPLES."""
    lists = _LAST_COMMA.sub(")", run[:-1]).replace("(", "[").replace(")", "]").replace("'", '"')
    return list(map(tuple, _DECODER.decode(f"[{lists}]")))


def read_integer(token: str) -> int:
    """The exact value of a decimal integer, whatever `sys.set_int_max_str_digits` was told."""
    if len(token) <= _CHUNK:
        return int(token)
    digits = token.lstrip("-")
    value = 0
    for at in range(0, len(digits), _CHUNK):
        chunk = digits[at : at + _CHUNK]
        value = value * 10 ** len(chunk) + int(chunk)
    return -value if token[0] == "-" else value


def pieces_of(token: str) -> int:
    """About how many steps it takes to read a STRING token beside the one for the token."""
    return token.count("\\") + (token.count('"') + token.count("'")) // 2 - 1


def read_string(token: str) -> str | bytes:
    """The value of a STRING token by Python's rules; adjacent strings are joined.

    Raises ValueError for what Python refuses: an unfinished `\\x`, an unknown prefix, bytes joined to text. An escape
    that Python does not know keeps its backslash, as there, but without a warning.
    """
    if "\\" not in token and token[0] in "\"'" and token.find(token[0], 1) == len(token) - 1:
        return token[1:-1]
    pieces = []
    position = 0
    while piece := _PIECES.match(token, position):
        pieces.append(_read_piece(piece[1], piece[2][3:-3] if piece[2] else piece[3][1:-1]))
        position = piece.end()
    if isinstance(pieces[0], bytes):
        if not all(isinstance(piece, bytes) for piece in pieces):
            raise ValueError("bytes beside text")
        return b"".join(pieces)  # type: ignore[arg-type]
    if not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("bytes beside text")
    return "".join(pieces)  # type: ignore[arg-type]


def read_typographic(token: str) -> str:
    """The value of a TYPOGRAPHIC token, with escapes as in other strings. Raises ValueError."""
    return _ESCAPE.sub(_unescape, token[1:-1])


def without_latex(token: str) -> str:
    """A STRING token of a LaTeX object without the backslashes that LaTeX wants before `_`, `{`, `%` and their like."""
    return _LATEX_ESCAPE.sub(r"\1", token)


def _read_piece(prefix: str, body: str) -> str | bytes:
    prefix = prefix.lower()
    if prefix not in ("", "u", "r", "b", "br", "rb"):
        raise ValueError("an unknown string prefix")
    if "b" in prefix:
        if not body.isascii():
            raise ValueError("bytes hold ASCII only")
        if "r" not in prefix:
            body = _BYTES_ESCAPE.sub(_unescape_byte, body)
        return body.encode("latin-1")
    return body if prefix == "r" else _ESCAPE.sub(_unescape, body)


def _unescape(escape: re.Match[str]) -> str:
    octal, x, u, long, name, simple = escape.groups()
    if simple is not None:
        return _unescape_simple(simple, _UNFINISHED_ESCAPES)
    if octal is not None:
        return chr(int(octal, 8))
    if name is not None:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            raise ValueError("an unknown character name") from None
    return chr(int(x or u or long, 16))  # ValueError beyond 0x10ffff


def _unescape_byte(escape: re.Match[str]) -> str:
    octal, x, simple = escape.groups()
    if simple is not None:
        return _unescape_simple(simple, frozenset("x"))
    return chr(int(octal, 8) & 0xFF if octal is not None else int(x, 16))  # Python, too, keeps the low byte of an octal


def _unescape_simple(letter: str, unfinished: frozenset[str]) -> str:
    if letter in unfinished:
        raise ValueError("an unfinished escape")
    return _SIMPLE_ESCAPES.get(letter, "\\" + letter)
