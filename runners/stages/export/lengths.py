"""How many tokens a row has: counted with a tokenizer, or estimated.

A trainer cuts rows that are longer than its `cutoff_len`, and with them the answer at their end. So they are counted here, and
the user is told.
"""

import math
import os
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ...digests import digest_of_file
from ...extras import missing_extra
from .recipe import LENGTH

BYTES_PER_TOKEN = 3.0
"""Of UTF-8 text, for the estimate: on the high side (English and code have 3.5 to 4.5, numbers and JSON nearer 2.5)."""
_MESSAGE_TOKENS = 6
_UNREAD = ("id", "function_id", "pair_id", "io_pred", "provenance", "reasoning")
"""Members that a trainer does not read."""


class Lengths:
    """Raises UsageError where the tokenizer cannot be read."""

    def __init__(self, tokenizer: Path | None = None) -> None:
        self.digest: str | None = None
        self._tokenizer: Any = None
        if tokenizer is None:
            return
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise missing_extra(f"{tokenizer}: counting tokens", "tokenizer") from None
        try:
            self.digest = digest_of_file(tokenizer)
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except OSError as error:
            raise UsageError(f"{tokenizer}: cannot be read ({os.strerror(error.errno or 0).lower()})") from None
        except Exception as error:  # the library raises nothing narrower
            raise UsageError(f"{tokenizer}: not a tokenizer.json ({error})") from None

    def is_long(self, row: dict[str, Any]) -> bool:
        """Whether a row of any format has more than LENGTH tokens."""
        texts = [text for name, value in row.items() if name not in _UNREAD for text in _texts(value)]
        frame = _MESSAGE_TOKENS * len(texts)
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        if self._tokenizer is None:
            return frame + math.ceil(size / BYTES_PER_TOKEN) > LENGTH
        if size + frame <= LENGTH:  # a token has a byte at least
            return False
        return frame + sum(len(self._tokenizer.encode(text, add_special_tokens=False).ids) for text in texts) > LENGTH


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for name, item in value.items() if name not in ("role", "from") for text in _texts(item)]
    return []
