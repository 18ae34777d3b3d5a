"""What a program finds of the others on its worker, while their results wait to be sent and their calls have been read ahead:
on every isolation level, and on `none`, where /proc/self/maps tells all its memory, in every byte of it."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from reexec import Check, Executor, Program, load_policy
from reexec.engine import conformance
from reexec.engine.errors import EngineError
from reexec.policies.model import IsolationLevel
from tests.conftest import lacking

SEARCH = (Path(conformance.__file__).parent / "inside" / "search.py.txt").read_text(encoding="utf-8")

# Reads all memory that the process has, by /proc/self/maps, beside what the search finds by objects and near them.
EVERY_BYTE = r"""
def mapped():
    try:
        with open("/proc/self/maps") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    for line in lines:
        span, mode, *_ = line.split()
        low, high = (int(part, 16) for part in span.split("-"))
        if "r" not in mode or high - low > 1 << 30 or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
            continue
        tail = b""
        for address in range(low, high, PAGE):
            if libc.write(writer, address, PAGE) == PAGE:
                page = os.read(reader, PAGE)
                yield tail + page
                tail = page[-64:]
            else:
                tail = b""

def everywhere(hint):
    found, pages = search(hint)
    found = set(found)
    for data in mapped():
        pages += 1
        found.update(item.decode() for item in SHAPE.findall(data))
    return [sorted(found), pages]
"""
THIEF = Program(SEARCH + EVERY_BYTE, "everywhere")
FREED = Program(
    r"""
import ctypes, re
SHAPE = re.compile(b"[0-9a-f]{24}")
def fill_and_scan():
    found, blocks = set(), 0
    for allocate in (ctypes.pythonapi.PyMem_RawMalloc, ctypes.pythonapi.PyObject_Malloc):
        allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        for size in [*range(16, 513, 16), 640, 1024, 2048, 4096, 1 << 14, 1 << 16, 1 << 18]:
            for _ in range(max(4, min(2000, (4 << 20) // size))):
                blocks += 1
                found.update(SHAPE.findall(ctypes.string_at(allocate(size), size)))
    return [sorted(item.decode() for item in found), blocks > 10_000]
""",
    "fill_and_scan",
)


def planted() -> str:
    return "planted-" + secrets.token_hex(16)


@pytest.fixture(scope="module", params=list(IsolationLevel))
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    settings = ["limits.cpu_s=40", "limits.idle_s=40", f'isolation.lowest="{request.param.value}"']
    try:
        executor = Executor(load_policy("codeio", settings=settings), workers=1, isolation=request.param)
    except EngineError as error:
        lacking(str(error))
    with executor:
        yield executor


def victims(count: int) -> tuple[list[Check], set[str]]:
    """Each has a mark in its source, one in its arguments, a third that it computes, and one that it prints."""
    checks, marks = [], set()
    for _ in range(count):
        source, argument, result = planted(), planted(), planted()
        marks |= {source, argument, result}
        hidden = result[::-1]
        program = Program(f"MARK = '{source}'\ndef f(given, hidden):\n    return [given, hidden[::-1], MARK] * 3\n", "f")
        checks.append(Check(program, [argument, hidden], None))
    return checks, marks


def run_among(executor: Executor, program: Program, call: list[object], each_side: int = 20) -> tuple[object, set[str]]:
    """The value of `program`, sent between victims in one stream, twice, so that others ran before; all marks of the others."""
    value, marks = None, set()
    for _ in range(2):
        before, some = victims(each_side)
        after, more = victims(each_side)
        marks |= some | more
        checks = [*before, Check(program, call, None, id="thief"), *after]
        verdicts = list(executor.check_many(checks))
        assert {verdict.word for verdict in verdicts} == {"wrong-answer"}, [
            v.outcome for v in verdicts if v.word != "wrong-answer"
        ]
        (thief,) = (verdict for verdict in verdicts if verdict.id == "thief")
        assert thief.outcome is not None
        value = thief.outcome.value
    return value, marks


def test_nothing_of_its_neighbours_is_in_a_programs_memory(executor: Executor) -> None:
    own = planted()
    value, marks = run_among(executor, THIEF, [own])
    assert isinstance(value, list)
    found, pages = value
    assert found == [own], f"its neighbours' marks: {marks & set(found)}"
    assert pages > 500, "the memory was not read"
    if executor.isolation is IsolationLevel.NONE:
        assert pages > 5_000, "/proc/self/maps was not read"


def test_nothing_of_its_neighbours_is_in_freed_blocks_of_any_size(executor: Executor) -> None:
    value, marks = run_among(executor, FREED, [])
    assert isinstance(value, list)
    found, filled = value
    assert filled
    texts = {part for mark in marks for part in re.findall("[0-9a-f]{24}", mark)}
    assert not texts & set(found)


def test_the_scan_of_freed_blocks_finds_what_a_program_freed_itself(executor: Executor) -> None:
    """So it would find what the zygote had freed."""
    own = secrets.token_hex(64)
    source = FREED.source + (
        "\ndef leaves(text):\n    raw = [text.encode() * n for n in range(1, 9) for _ in range(200)]\n    del raw\n"
        "    return fill_and_scan()\n"
    )
    value = executor.submit(Program(source, "leaves"), [own]).result().value
    assert any(part in own * 2 for part in value[0])
