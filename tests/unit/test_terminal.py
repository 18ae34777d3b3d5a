"""Text that is not ours reaches the terminal by one way: control characters shown, markup off, length capped."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from reexec.cli import terminal
from reexec.cli.terminal import MAX_CHARACTERS, console, styled, visible
from tests.support.processor_time import within

CLI = Path(terminal.__file__).parent
HOSTILE = {
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;title\x1b\\",
    "one byte": "\x9b31m",
    "line again": "accepted\rrejected",
    "backspaces": "wrong\b\b\b\b\bright",
    "bell and delete": "\a\x7f\x00",
    "direction": "abc\u202ecba\u2066",
    "half character": "\ud83d",
    "markup": "[bold]x[/] [/] [link=http://x]y[/link] :smile:",
    "open markup": "[red",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_control_characters_are_shown(name: str) -> None:
    shown = visible(HOSTILE[name])
    shown.encode("utf-8")
    assert shown == shown.replace("\x1b", "").replace("\r", "").replace("\u202e", "")
    assert visible("a\nb\tc é 東京 😀") == "a\nb\tc é 東京 😀"
    assert visible("\x1b[1m") == "\\x1b[1m"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("colours", [False, True])
def test_a_console_prints_nothing_that_a_terminal_obeys(name: str, colours: bool) -> None:
    text = HOSTILE[name]
    out: Any = console(stderr=False)
    out.file, out._force_terminal, out._width = io.StringIO(), colours, 400
    table = Table(title=text)
    table.add_column(text)
    table.add_row(text)
    table.add_row(styled(text, "red"))
    for what in (text, table, Panel(text), Syntax(f"x = 1  # {text}", "python"), styled(text, "bold")):
        out.print(what)
    out.print(text, markup=False)
    out.rule(text)
    printed = out.file.getvalue()
    printed.encode("utf-8")
    ours = re.sub(r"\x1b\[[0-9;]*m", "", printed) if colours else printed
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066\ud83d]", ours)
    if name.endswith("markup"):
        assert text in ours
    if colours and name == "colour":
        assert "\\x1b[31mred" in ours


def test_long_text_is_cut() -> None:
    assert visible("x" * (MAX_CHARACTERS + 5)) == "x" * MAX_CHARACTERS + " ... (5 more characters)"
    within(0.5, lambda: visible("\x1b" * 10_000_000))


def test_there_is_no_other_way_to_the_terminal() -> None:
    for path in CLI.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.name != "terminal.py":
            assert "rich.console" not in source or path.name == "screen.py", path
        assert "rich.markup" not in source, path
        assert "markup=True" not in source, path
        assert "Text.from_markup" not in source, path
        prints = re.findall(r"(?<![.\w])print\((.*)", source)
        allowed = ("dump(", "json.dumps(", "name)", 'f"reexec {VERSION}")', 'f"resuming after {rows:,} rows')
        assert all(said.startswith(allowed) or "visible(" in said for said in prints), (path, prints)
