"""A flame graph of the host while it checks: what its two threads, the caller's and the I/O thread, spend their time with.

    python -m benchmarks.flame --way call --svg docs/host-call.svg

py-spy looks at a process of its own that runs trivial checks on real workers: it reads the stacks from outside, so the process
runs as fast as ever. Install it beside this package (`pip install py-spy`); it may look at its own children without further
rights. The width of a box is the share of the samples in which its function was on the stack of the thread that held the
interpreter's lock. System calls that release it, waiting above all, are not in the picture.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from reexec import Check, Executor, Program, load_policy

RATE = 250  # samples a second
WIDTH, ROW, MARGIN = 1200, 17, 8
CHARACTER = 6.1  # pixels of one, about
ROOTS = {"caller": "check_many", "I/O thread": "_round"}
"""Threads by a function that each of them is always in."""


@dataclass
class Box:
    name: str
    samples: int = 0
    inside: "dict[str, Box]" = field(default_factory=dict)

    def add(self, stack: Iterable[str], samples: int) -> None:
        self.samples += samples
        box = self
        for name in stack:
            box = box.inside.setdefault(name, Box(name))
            box.samples += samples

    def depth(self) -> int:
        return 1 + max((box.depth() for box in self.inside.values()), default=0)


def work(way: str, checks: int, memory: str) -> None:
    """The process that is looked at."""
    policy = load_policy("codeio", settings=[f"execution={way}", f"limits.memory_bytes={memory}"])
    program = Program("def f(n):\n    return n + 1\n", "f")
    with Executor(policy, workers=2) as executor:
        for verdict in executor.check_many(Check(program, [n], n + 1) for n in range(checks)):
            assert verdict.accepted


def read(raw: str) -> Box:
    """Of py-spy's `raw` form: a line for each stack, outermost function first, and the number of its samples."""
    root = Box("host")
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        names = [frame.partition(" (")[0] + _place(frame) for frame in stack.split(";")]
        for thread, function in ROOTS.items():
            at = next((at for at, name in enumerate(names) if name.split(" ")[0].rpartition(".")[2] == function), None)
            if at is not None:
                root.add([thread, *names[at:]], int(count))
    return root


def _place(frame: str) -> str:
    """The module of a function, as `package/module`, without its lines."""
    path = frame.rpartition("(")[2].rpartition(":")[0].removesuffix(".py")
    return " " + "/".join(path.split("/")[-2:]) if path else ""


def drawn(root: Box, title: str) -> str:
    height = MARGIN * 2 + ROW * (root.depth() + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 10}" font-size="12">{escape(title)}</text>',
    ]
    if not root.samples:
        raise SystemExit("no sample shows a thread at work: more checks, please")
    parts += boxes(root, MARGIN, WIDTH - 2 * MARGIN, MARGIN + ROW, root.samples)
    return "\n".join([*parts, "</svg>", ""])


def boxes(box: Box, left: float, width: float, top: float, whole: int) -> Iterator[str]:
    """The box and those inside it, the widest first; too narrow ones are left out."""
    share = box.samples / whole
    shown = escape(box.name[: int(width / CHARACTER)]) if width > 4 * CHARACTER else ""
    hue = sum(map(ord, box.name.rpartition(" ")[2])) * 37 % 60
    yield (
        f'<g><title>{escape(box.name)}: {share:.1%}</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.3):.1f}" '
        f'height="{ROW - 1}" fill="hsl({hue},75%,72%)"/><text x="{left + 2:.1f}" y="{top + 11}">{shown}</text></g>'
    )
    for inner in sorted(box.inside.values(), key=lambda each: -each.samples):
        wide = width * inner.samples / box.samples
        if wide >= 1:
            yield from boxes(inner, left, wide, top + ROW, whole)
        left += wide


def shares(box: Box) -> Counter[str]:
    """Samples by the function that was running."""
    found: Counter[str] = Counter()
    for inner in box.inside.values():
        found += shares(inner)
    found[box.name] += box.samples - sum(inner.samples for inner in box.inside.values())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=["call", "batch"], default="call")
    parser.add_argument("--checks", type=int, default=0, help="0: as many as take a quarter of a minute or so")
    parser.add_argument("--memory", default="1GiB", help="limits.memory_bytes of the checks")
    parser.add_argument("--svg", type=Path, help="where the picture goes")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--py-spy", default="py-spy", help="the program's path")
    asked = parser.parse_args()
    checks = asked.checks or {"call": 10_000, "batch": 100_000}[asked.way]
    if asked.work:
        work(asked.way, checks, asked.memory)
        return
    with tempfile.TemporaryDirectory(prefix="reexec-flame-") as folder:
        raw = Path(folder) / "stacks"
        own = [sys.executable, "-m", "benchmarks.flame", "--work", "--way", asked.way, "--checks", str(checks)]
        look = [asked.py_spy, "record", "--gil", "--format", "raw", "--rate", str(RATE), "--output", str(raw), "--", *own]
        subprocess.run([*look, "--memory", asked.memory], check=True, stdout=subprocess.DEVNULL)
        root = read(raw.read_text(encoding="utf-8"))
    if asked.svg is not None:
        title = f"The host's process, {asked.way}: {checks:,} trivial checks, {root.samples:,} samples"
        asked.svg.write_text(drawn(root, title), encoding="utf-8")
    for thread in root.inside.values():
        print(f"{thread.name}: {thread.samples / root.samples:.0%} of the samples")
    for name, samples in shares(root).most_common(12):
        print(f"  {samples / root.samples:6.1%}  {name}")


if __name__ == "__main__":
    main()
