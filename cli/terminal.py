"""The one way to the terminal for text that is not ours: responses, programs, file names, what a server said.

Owns what is shown of it: control characters as `runners/visible.py` writes them, markup off, length capped.
"""

from typing import TYPE_CHECKING, Any, Final

from reexec.runners.visible import MAX_CHARACTERS as MAX_CHARACTERS
from reexec.runners.visible import UNSAFE
from reexec.runners.visible import visible as visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.text import Text

MAX_SOURCE: Final = 50_000


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
                if segment.control or not UNSAFE.search(segment.text):
                    yield segment
                else:
                    yield Segment(visible(segment.text, len(segment.text)), segment.style)

        def render_str(self, text: str, **more: Any) -> "Text":
            return super().render_str(visible(text, len(text)), **more)

    return Safe(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
