"""Tokens of JSON and of Python literals, in one grammar: what a token looks like and which value it stands for.

Owns the spelling of numbers, words, strings and comments. Knows nothing of brackets or of answers.

Every quantifier that could give characters back is possessive, so that matching takes time linear in the token. The
lexing has one property on which the linear time of a whole scan rests (`scan.py` says how), and which any addition
must keep: at each character, reading is outside of strings, in a double-quoted or in a single-quoted one, and two
readings that differ there never become the same later on. Hence no token of its own for a triple quote (three adjacent
strings, which Python joins, give the same value unless there is a quote inside), and no quotes or braces in a comment.
"""

import re
import sys
import unicodedata
from typing import Any, Final

MAX_DIGITS: Final = 4300
"""Digits a number may have: what CPython's own int() takes (`sys.int_info.default_max_str_digits`), fixed here because
that setting can be changed under us, and because conversion takes time quadratic in the digits."""

_INT_BOUND: Final = 10**MAX_DIGITS
_CHUNK: Final = sys.int_info.str_digits_check_threshold  # int() never refuses that many digits, whatever the setting

# --- what a token looks like ---

SPACE: Final = r"""(?:[ \t\n\r\f]++|(?:\#|//)[^\n"'{}]*+\n)*+"""
_PIECE: Final = r"""[bBuUrR]{0,2}(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')"""
_DIGITS: Final = r"[0-9]++(?:_[0-9]++)*+"
_FLOAT: Final = rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?+"
_NUMBER: Final = (
    r"[-+]?(?:0[xX](?:_?[0-9a-fA-F]++)++|0[oO](?:_?[0-7]++)++|0[bB](?:_?[01]++)++"
    rf"|{_FLOAT}(?:[jJ]|[ ]*+[-+][ ]*+{_FLOAT}[jJ])?+)"
)
_WORD: Final = r"(?:[Tt]rue|[Ff]alse|null|None|NaN|nan|[-+]?(?:Infinity|inf)|set\([ ]*+\))(?!\w)"

TOKEN: Final = re.compile(rf"{SPACE}(?:([][{{}}(),:])|({_PIECE}(?:{SPACE}{_PIECE})*+)|({_NUMBER})|({_WORD}))", re.DOTALL)
"""One token after any space; `lastindex` of the match is its kind."""

MARK: Final = 1
STRING: Final = 2
NUMBER: Final = 3
WORD: Final = 4

SPACES: Final = re.compile(SPACE)

_PIECES: Final = re.compile(rf"{SPACE}([bBuUrR]{{0,2}})(?:\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)')", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}]*)\}|(\r\n|.))", re.DOTALL
)
_BYTES_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL)
_SIMPLE_ESCAPES: Final = {
    "\n": "", "\r\n": "", "\r": "", "\\": "\\", "'": "'", '"': '"',
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_UNFINISHED_ESCAPES: Final = frozenset("xuUN")  # these letters need what follows; every other one stays with its backslash

# --- which value it stands for ---


def read_word(token: str) -> Any:
    """The value of a WORD token."""
    match token:
        case "True" | "true":
            return True
        case "False" | "false":
            return False
        case "None" | "null":
            return None
    return set() if token.startswith("set") else float(token)  # float() knows nan, inf and Infinity in any case


def read_number(token: str) -> int | float | complex | None:
    """The value of a NUMBER token; None where it has more than MAX_DIGITS digits.

    Raises ValueError for an integer that neither JSON nor Python reads (`007`).
    """
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


def read_string(token: str) -> str | bytes:
    """The value of a STRING token by Python's rules; adjacent strings are joined.

    Raises ValueError for what Python refuses: an unfinished `\\x`, an unknown prefix, bytes joined to text. An escape
    that Python does not know keeps its backslash, as there, but without a warning.
    """
    if "\\" not in token and token[0] in "\"'" and token.find(token[0], 1) == len(token) - 1:
        return token[1:-1]
    pieces = [_read_piece(*piece.group(1, 2, 3)) for piece in _PIECES.finditer(token)]
    if isinstance(pieces[0], bytes):
        if not all(isinstance(piece, bytes) for piece in pieces):
            raise ValueError("bytes beside text")
        return b"".join(pieces)  # type: ignore[arg-type]
    if not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("bytes beside text")
    return "".join(pieces)  # type: ignore[arg-type]


def _read_piece(prefix: str, double: str | None, single: str | None) -> str | bytes:
    body = double if double is not None else single or ""
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
