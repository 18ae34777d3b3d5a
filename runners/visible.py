"""Text that is not ours, made fit to be shown: control characters as they are escaped in Python (`\\x1b`).

A terminal obeys control characters: it can be made to set its title, its clipboard, or lines that were printed before. In a
page they hide text, or turn its direction, so that a reader sees another text than the one that is there.
"""

import re
from typing import Final

MAX_CHARACTERS: Final = 4000

# All that moves the cursor, changes the terminal, turns the direction of text, or is no character; not newline and tab.
UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def visible(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`text` with control characters shown, cut after `limit` characters of it. Never raises, in time linear in the limit."""
    shown = text if len(text) <= limit else text[:limit]
    shown = UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), shown)
    return shown if len(text) <= limit else f"{shown} ... ({len(text) - limit:,} more characters)"
