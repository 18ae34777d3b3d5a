"""The interpreter's machine code is found, and lies on huge pages in a worker where the kernel gives them."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from reexec import Executor, Program
from reexec.engine.jail.text_place import place_of_text
from tests.conftest import lacking

HUGE_BYTES = 2 << 20


def mappings(pid: int) -> list[tuple[int, int, str, str]]:
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, mode, *rest = line.split(maxsplit=5)
        low, _, high = span.partition("-")
        found.append((int(low, 16), int(high, 16), mode, rest[3] if len(rest) > 3 else ""))
    return found


def test_the_place_is_whole_huge_pages_of_read_only_mappings_of_one_file() -> None:
    start, size = place_of_text(os.getpid())
    if not size:
        lacking("an interpreter with 2 MiB of text in one huge page, and a kernel with huge pages")
    assert start % HUGE_BYTES == 0
    assert size % HUGE_BYTES == 0
    inside = [entry for entry in mappings(os.getpid()) if entry[0] < start + size and entry[1] > start]
    assert sum(min(high, start + size) - max(low, start) for low, high, _, _ in inside) == size
    assert all("w" not in mode for _, _, mode, _ in inside)
    assert len({path for _, _, _, path in inside}) == 1


def test_a_larger_library_is_not_taken_for_the_interpreter() -> None:
    code = "import numpy; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        start, size = place_of_text(process.pid)
        if not size:
            lacking("an interpreter with 2 MiB of text in one huge page, and a kernel with huge pages")
        (name,) = {Path(path).name for low, high, _, path in mappings(process.pid) if low < start + size and high > start}
        assert name.startswith(("libpython", "python")), name
        process.communicate(b"\n")


def test_a_worker_has_its_text_on_huge_pages_and_still_computes() -> None:
    with Executor(workers=1) as executor:
        program = Program("def f(n):\n    return sum(i * i for i in range(n))", "f")
        values = [executor.submit(program, [n]).result().value for n in range(200)]
        assert values == [sum(i * i for i in range(n)) for n in range(200)]
        (pid,) = executor.worker_pids()
        sizes = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        kernel = tuple(int(part) for part in platform.release().split(".")[:2])
        if kernel < (6, 1) or not place_of_text(os.getpid())[1]:
            lacking("MADV_COLLAPSE (Linux 6.1) and an interpreter whose text fills a huge page")
        assert int(sizes["AnonHugePages:"]) >= HUGE_BYTES // 1024


def test_a_place_that_cannot_be_moved_is_left_as_it_was() -> None:
    code = (
        "import sys, mmap; sys.path.insert(0, sys.argv[1])\n"
        "from zygote.start.text import move_to_huge_pages as move\n"
        "print(move(0, 0), sum(range(10)))\n"
    )
    folder = Path(__file__).parents[2] / "engine"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.stdout == "False 45\n", done.stderr
