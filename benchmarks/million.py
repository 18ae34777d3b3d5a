"""A million output predictions about the bundled functions through `reexec verify`, with rows a second and memory over time.

    python -m benchmarks.million --rows 1000000 --svg docs/million.svg

The predictions are made on the way and come through a pipe, so that nothing but the output lies on disk. Most are right; others
are wrong, written as Python, fenced or not, long or short, or no answer at all. Resident memory and processor time are those of
one process that verifies everything (`--readers 1`; the workers have nothing to do), read twice a second; lines written and
verdicts are counted at the end.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psutil

EVERY_S = 0.5
_COMMAND = "from reexec.cli.start import main; main()"
_REASONS = "Let us follow the loop step by step; each step changes the state once, and the state decides what comes next. "


@dataclass(frozen=True, slots=True)
class Moment:
    """What was seen at a moment of the run."""

    elapsed_s: float
    rows: int
    """Lines that the manifest says are done."""
    resident_mib: float
    processor_s: float
    """What the process has used so far."""


def predictions(functions: list[dict[str, Any]]) -> Iterator[tuple[bytes, str]]:
    """(line, its verdict), for ever: all pairs in turn, then again with another index."""
    pairs = [(item, io, pair["output"]) for item, row in enumerate(functions) for io, pair in enumerate(row["ios"])]
    for number in count():
        index, at = divmod(number, len(pairs))
        item, io, output = pairs[at]
        text, verdict = _response(output, number)
        row = {"itemid": item, "ioid": io, "io_pred": "o", "index": index, "output": text}
        yield json.dumps(row).encode() + b"\n", verdict


def _response(output: Any, number: int) -> tuple[str, str]:
    reasons = _REASONS * (1 + number % 7)
    kind = number % 20
    if kind < 13:
        return f"{reasons}\n```json\n{json.dumps({'output': output})}\n```\n", "accepted"
    if kind < 15:
        return f"{reasons}So the answer is {json.dumps({'output': output}, indent=1)}", "accepted"
    if kind == 15:
        return f"{reasons}\n```python\n{ {'output': output}!r}\n```", "accepted"
    if kind < 19:
        return f"{reasons}\n```json\n{json.dumps({'output': {'not': output}})}\n```\n", "wrong-answer"
    return f"{reasons}I cannot say.", "no-answer"


def run(rows: int, folder: Path) -> tuple[list[Moment], Counter[str]]:
    """Verifies so many predictions. Raises AssertionError where a verdict is not the one that was made."""
    with as_file(files("reexec.examples") / "functions.jsonl") as path:
        functions = folder / "functions.jsonl"
        functions.write_bytes(path.read_bytes())
    source, output = folder / "predictions.jsonl", folder / "verified.jsonl"
    os.mkfifo(source)
    given = [str(source), "-f", str(functions), "-o", str(output), "--readers", "1", "--json"]
    command = [sys.executable, "-c", _COMMAND, "verify", *given]
    made: Counter[str] = Counter()
    moments: list[Moment] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        feeder = os.fork()
        if not feeder:
            _feed(source, functions, rows)
        began, seen = time.monotonic(), psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):  # it may end at any moment
                used, resident = seen.cpu_times(), seen.memory_info().rss
                if resident:
                    elapsed_s = time.monotonic() - began
                    moments.append(Moment(elapsed_s, _done(output), resident / (1 << 20), used.user + used.system))
            time.sleep(EVERY_S)
        if process.returncode:
            os.kill(feeder, signal.SIGKILL)  # it may wait for a reader
        os.waitpid(feeder, 0)
        assert process.stdout is not None
        summary = json.loads(process.stdout.read())
    assert process.returncode == 0, process.returncode
    for _, verdict in islice(predictions(_rows(functions)), rows):
        made[verdict] += 1
    with open(output, "rb") as file:
        assert sum(1 for _ in file) == rows
    assert summary["verdicts"] == dict(made), (summary["verdicts"], made)
    last = moments[-1]
    return [*moments, Moment(max(last.elapsed_s, summary["wall_s"]), rows, last.resident_mib, last.processor_s)], made


def _feed(source: Path, functions: Path, rows: int) -> None:
    """In a process of its own."""
    try:
        with open(source, "wb", buffering=1 << 20) as pipe:
            for line, _ in islice(predictions(_rows(functions)), rows):
                pipe.write(line)
    finally:
        os._exit(0)


def _rows(functions: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in functions.read_bytes().splitlines()]


def _done(output: Path) -> int:
    try:
        progress = json.loads(output.with_name("verified.manifest.json").read_text())["progress"]
    except (OSError, ValueError):
        return 0
    return int(progress["lines"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--svg", type=Path, help="draw rows/s and memory over time here")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary one where missing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="reexec-million-") as folder:
        moments, verdicts = run(given.rows, Path(folder))
    print(json.dumps({**figures(moments), "verdicts": dict(verdicts)}))
    if given.svg:
        given.svg.write_text(svg(moments), encoding="utf-8")


def figures(moments: list[Moment]) -> dict[str, Any]:
    """Rows a second from the first to the last row that were seen (from the start where a run was over before the second look),
    processor time a row, and resident memory once a tenth is done and at the most. Where other work takes the processors, the
    second says more than the first."""
    working = [moment for moment in moments if moment.rows >= moments[-1].rows / 10]
    end = moments[-1]
    begin = next((moment for moment in moments if 0 < moment.rows < end.rows), moments[0])
    return {
        "rows": end.rows,
        "rows_per_s": round((end.rows - begin.rows) / max(1e-9, end.elapsed_s - begin.elapsed_s)),
        "processor_us_per_row": round((end.processor_s - begin.processor_s) / max(1, end.rows - begin.rows) * 1e6, 1),
        "resident_mib_after_a_tenth": round(working[0].resident_mib, 1),
        "resident_mib_at_most": round(max(moment.resident_mib for moment in moments), 1),
    }


# -- the picture ------------------------------------------------------------------------------------------------------

_WIDTH, _LEFT, _RIGHT, _PANEL, _TOP, _GAP = 720, 70, 30, 150, 70, 46
_INK, _OURS = "#333", "#1f6fb2"


def svg(moments: list[Moment]) -> str:
    """Rows a second (over about a hundredth of the run each) and resident memory, over the time of the run."""
    told = figures(moments)
    whole_s = moments[-1].elapsed_s
    every = max(1, len(moments) // 100)
    marks = [moments[0], *moments[1:-1:every], moments[-1]]
    marks = [mark for at, mark in enumerate(marks) if at == 0 or mark.rows > marks[at - 1].rows]
    rates = [
        (later.elapsed_s, (later.rows - earlier.rows) / (later.elapsed_s - earlier.elapsed_s))
        for earlier, later in pairwise(marks)
        if later.elapsed_s > earlier.elapsed_s
    ]
    memory = [(moment.elapsed_s, moment.resident_mib) for moment in moments if moment.elapsed_s <= whole_s]
    height = _TOP + 2 * _PANEL + _GAP + 40
    title = f"reexec verify: {told['rows']:,} output predictions through a pipe"
    below = f"{told['rows_per_s']:,} rows/s on the whole; {told['processor_us_per_row']} us of one processor a row"
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
                'font-family="sans-serif">',
                f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
                _text(16, 20, title, size=14),
                _text(16, 36, below),
                *_panel(_TOP, "rows/s", rates, whole_s),
                *_panel(_TOP + _PANEL + _GAP, "resident memory, MiB", memory, whole_s),
                _text(_WIDTH - _RIGHT, height - 10, "seconds", "end"),
                "</svg>",
            ]
        )
        + "\n"
    )


def _panel(top: int, name: str, points: list[tuple[float, float]], whole_s: float) -> list[str]:
    highest = _round_up(max(value for _, value in points))
    width = _WIDTH - _LEFT - _RIGHT

    def place(at_s: float, value: float) -> str:
        return f"{_LEFT + width * at_s / whole_s:.1f},{top + _PANEL * (1 - value / highest):.1f}"

    parts = [_text(_LEFT, top - 8, name)]
    for part in range(5):
        y = top + _PANEL * (1 - part / 4)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{highest * part / 4:,.0f}", "end"))
        parts.append(_text(_LEFT + width * part / 4, top + _PANEL + 16, f"{whole_s * part / 4:,.0f}", "middle"))
    line = " ".join(place(*point) for point in points)
    return [*parts, f'<polyline points="{line}" fill="none" stroke="{_OURS}" stroke-width="1.5"/>']


def _round_up(value: float) -> float:
    """To one that four parts of are round."""
    step = 4.0
    while step * 10 < value:
        step *= 10
    return next(step * times for times in (1, 2, 3, 4, 5, 6, 8, 10) if step * times >= value)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
