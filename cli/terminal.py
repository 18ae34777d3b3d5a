"""The one way to the terminal for text that is not ours: responses, programs, file names, what a server said.

Owns what is shown of it: control characters as they are escaped in Python (`\\x1b`), markup off, length capped. A terminal
obeys control characters: it can be made to set its title, its clipboard, or lines that were printed before.
"""

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.text import Text

MAX_CHARACTERS: Final = 4000
MAX_SOURCE: Final = 50_000

# All that moves the cursor, changes the terminal, turns the direction of text, or is no character; not newline and tab.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def visible(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`text` with control characters shown, cut after `limit` characters of it. Never raises, in time linear in the limit."""
    shown = text if len(text) <= limit else text[:limit]
    shown = _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), shown)
    return shown if len(text) <= limit else f"{shown} ... ({len(text) - limit:,} more characters)"


def styled(text: str, style: str, limit: int = MAX_CHARACTERS) -> "Text":
    """Foreign text in a style."""
    from rich.text import Text

    return Text().append(visible(text, limit), style)


def console(stderr: bool) -> "Console":
    """A console that shows control characters of everything that is printed on it, and takes no text for markup: what is to
    be styled is given as `styled`."""
    from rich.console import Console
    from rich.segment import Segment

    class Safe(Console):
        def on_broken_pipe(self) -> None:
            """Left to main.py, as for all other printing; rich would end the process with code 1."""
            raise

        def render(self, renderable: Any, options: Any = None) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                if segment.control or not _UNSAFE.search(segment.text):
                    yield segment
                else:
                    yield Segment(visible(segment.text, len(segment.text)), segment.style)

        def render_str(self, text: str, **more: Any) -> "Text":
            return super().render_str(visible(text, len(text)), **more)

    return Safe(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
