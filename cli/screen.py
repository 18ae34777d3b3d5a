"""What a person sees: a progress bar on a terminal (none in a pipe), tables, and the one-line summary for machines.

rich is imported when something is shown with it: a run in a pipe does not wait for it.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reexec.engine.errors import ReexecError
from reexec.engine.version import VERSION
from reexec.runners.rows.names import likely_cause
from reexec.runners.rows.source import other_form, read_lines

from .terminal import console, styled, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    out: Console
    err: Console

STYLES = {
    "accepted": "green",
    "reproducible": "green",
    "wrong-answer": "red",
    "engine-error": "bold white on red",
    "rejected": "magenta",
    "no-answer": "yellow",
}


def __getattr__(name: str) -> "Console":
    """`out` and `err`, the two consoles."""
    if name not in ("out", "err"):
        raise AttributeError(name)
    made = globals()[name] = console(stderr=name == "err")
    return made


def style_of(word: str) -> str:
    return STYLES.get(word, "cyan")


class Meter:
    """Counts words as they come and shows them: rows/s, counts and time left."""

    def __init__(self, bar: "Progress | None", task: Any, done_before: int) -> None:
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self._bar, self._task = bar, task
        self._before = done_before
        self.began = time.monotonic()
        self._shown = 0.0

    def resumed(self, rows: int) -> None:
        self._before = rows
        print(f"resuming after {rows:,} rows that are done already", file=sys.stderr)
        self._show()

    def remark(self, text: str) -> None:
        print(visible(text), file=sys.stderr)

    def tell(self, word: str) -> None:
        self.rows += 1
        self.counts[word] += 1
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            self._show()

    def _show(self) -> None:
        if self._bar is None:
            return
        from rich.text import Text

        words = Text(" ").join(styled(f"{word} {count:,}", style_of(word), 60) for word, count in self.counts.most_common(5))
        self._bar.update(self._task, completed=self._before + self.rows, words=words, rate=f"{self.rows_per_s:,.0f}/s")

    @property
    def wall_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def rows_per_s(self) -> float:
        return self.rows / max(self.wall_s, 1e-9)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Meter]:
    """A bar on stderr where that is a terminal; the Meter counts in any case."""
    if not sys.stderr.isatty():
        yield Meter(None, None, 0)
        return
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Words(ProgressColumn):
        def render(self, task: Any) -> Text:
            words: Text = task.fields["words"]
            return words

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}" if total else "{task.completed:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        Words(),
        console=__getattr__("err"),
        transient=True,
    )
    with bar:
        task = bar.add_task(visible(title, 200), total=total, words=Text(), rate="")
        meter = Meter(bar, task, 0)
        yield meter
        meter._show()


def count_lines(path: Path, limit: int | None, share: int = 1) -> int | None:
    """Lines of a plain file, for the time left; None for compressed ones."""
    if path.suffix in (".gz", ".zst") or not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except OSError:  # whoever reads it in earnest says why
        return None
    return min(lines // share, limit) if limit else lines // share


def count_table(title: str, counts: dict[str, int]) -> "Table":
    from rich.table import Table

    total = sum(counts.values()) or 1
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("verdict" if "accepted" in counts or "wrong-answer" in counts else "what")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    for word, count in counts.items():
        bar = "█" * max(1, round(30 * count / total))
        table.add_row(
            styled(word, style_of(word), 200),
            f"{count:,}",
            f"{100 * count / total:.1f} %",
            styled(bar, style_of(word)),
        )
    return table


def number_of(count: int, what: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def pace(meter: Meter, workers: int, isolation: str) -> str:
    at_once = f"{number_of(workers, 'worker')}, isolation {isolation}"
    return f"{number_of(meter.rows, 'row')} in {meter.wall_s:.1f} s: {meter.rows_per_s:,.0f} rows/s, {at_once}"


def tell_rejects(rejected: int, first: str, rejects: Path, all_of_them: bool = False, has_map: bool = True) -> None:
    """The one line on stderr that says why rows are missing from the output, and where all of them are, the likely cause."""
    if rejected and all_of_them:
        cause = _likely_cause(rejects, has_map)
        said = f"no row could be used, {rejected:,} {'was' if rejected == 1 else 'were'} rejected (see {rejects}): {first}"
        print(visible(f"reexec: {said}{f'; {cause}' if cause else ''}"), file=sys.stderr)
    elif rejected:
        rows = f"{number_of(rejected, 'row')} {'was' if rejected == 1 else 'were'}"
        more = "" if rejected == 1 else ", the first of them"
        print(visible(f"reexec: {rows} rejected (see {rejects}){more}: {first}"), file=sys.stderr)


def tell_no_rows(source: Path) -> None:
    print(visible(f"reexec: {source}: no rows in it to work on"), file=sys.stderr)


def _likely_cause(rejects: Path, has_map: bool) -> str:
    try:
        for _, line in read_lines(rejects):
            record = json.loads(line)
            return other_form(Path(record["file"])) or likely_cause(record["reason"], record.get("text", ""), has_map)
    except (ReexecError, OSError, ValueError, KeyError, TypeError):
        pass
    return ""


def summary(command: str, **fields: Any) -> None:
    """The `--json` line: the last line of stdout."""
    print(json.dumps({"command": command, "version": VERSION, **fields}), flush=True)
