"""`reexec explain` of a row that a stage left out: why, and what stood there."""

import json
from pathlib import Path
from typing import Any

from rich.panel import Panel
from rich.table import Table

from reexec.runners.reports.dropped import origin_of
from reexec.runners.rows.names import likely_cause

from . import screen
from .terminal import styled, visible

_MAX_TEXT = 4000


def explain_reject(record: dict[str, Any], stage: str, output: Path) -> None:
    """Prints a record of the rejects of `output`, which `stage` wrote."""
    text = record.get("text")
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("left out", styled(f"by {stage or 'its stage'}; it is not in {output}", screen.style_of("rejected")))
    table.add_row("reason", visible(str(record.get("reason", "?"))))
    cause = likely_cause(str(record.get("reason", "")), text, not stage.startswith("grade ")) if isinstance(text, str) else ""
    if cause:
        table.add_row("likely cause", visible(cause))
    table.add_row("read from", visible(f"{record.get('file', '?')}, line {record.get('line', '?')}"))
    origin = origin_of(text)
    if origin:
        table.add_row("raw file", visible(origin))
    for name, value in record.items():
        if name not in ("file", "line", "reason", "text"):
            table.add_row(visible(name), visible(value if isinstance(value, str) else json.dumps(value)))
    screen.out.print(table)
    if isinstance(text, str):
        screen.out.print(Panel(visible(_readable(text), _MAX_TEXT), title="the row", title_align="left", border_style="dim"))


def _readable(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
