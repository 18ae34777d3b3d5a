"""Output predictions judged by readers: the same bytes as by one process, whatever the rows are and whatever becomes of the
readers; small files have none."""

import functools
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from reexec.engine.executor import Executor
from reexec.runners.readers import pool
from reexec.runners.rows import source as source_module
from reexec.runners.rows.row import Selection
from reexec.runners.stage import Summary
from reexec.runners.stages.verify import Verify, VerifySettings, ahead
from tests.support.helpers import (
    FUNCTIONS,
    all_gone,
    descendants,
    environment,
    function_row,
    lines_done,
    manifest_of,
    read_bytes,
    read_rows,
    reexec,
    wait_until,
    write_rows,
)

FUNCTION = "def f(n):\n    return n + %d\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=1) as made:
        yield made


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    rows: list[Any] = [function_row(FUNCTION % k, *(({"n": n}, n + k) for n in range(5))) for k in range(4)]
    return write_rows(tmp_path / "functions.jsonl", [*rows, {"refcode": 5}])


def all_ready(readers: pool.Readers) -> bool:
    readers._hear(0.1)
    return all(reader.is_ready for reader in readers._readers)


@pytest.fixture
def ready_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks are small and readers come early; a run waits until they are ready. Gives how many were started each time."""
    started: list[int] = []
    start = pool.Readers.start

    def start_and_wait(self: pool.Readers, count: int) -> None:
        started.append(count)
        start(self, count)
        wait_until(lambda: all_ready(self), 60, "readers")

    monkeypatch.setattr(pool.Readers, "start", start_and_wait)
    monkeypatch.setattr(ahead, "START_BYTES", 1000)
    monkeypatch.setattr(ahead, "ENOUGH_ROWS", 4)
    monkeypatch.setattr(source_module, "READ_BYTES", 3000)
    return started


def hostile_rows(count: int, executed: float) -> Iterator[Any]:
    """Rows as users have them, and as nobody should; `executed`: the share of input predictions."""
    draw = random.Random(7)
    for number in range(count):
        item, io = draw.randrange(4), draw.randrange(5)
        answer = json.dumps({"output": item + io + (number % 4 == 3)})
        row = {"itemid": item, "ioid": io, "io_pred": "o", "index": number, "output": f"So:\n```json\n{answer}\n```"}
        if draw.random() < executed:
            yield row | {"io_pred": "i", "output": json.dumps({"input": {"n": draw.randrange(6)}})}
            continue
        kind = draw.randrange(40)
        odd: dict[int, Any] = {
            0: row | {"id": f"own-{draw.randrange(60)}"},
            1: row | {"id": number, "index": 0},
            2: row | {"output": f"{{'output': ({number}, {{1, 2}})}} "},
            3: row | {"output": "no answer \ud800 here"},
            4: row | {"itemid": 4},
            5: row | {"itemid": 77},
            6: b"{broken",
            7: b"\xff\xfe not UTF-8",
            8: "",
            9: b"\xef\xbb\xbf" + json.dumps(row).encode() + b" \r",
            10: row | {"verdict": "old", "res": 1},
            11: row | {"id": None, "pair_id": None},
            12: row | {"original_id": f"first-{draw.randrange(9)}", "id": f"turn-{number}"},
            13: row | {"output": "9" * 5000 + f' {{"output": {"9" * 5000}}}'},
            14: [row],
            15: row | {"output": f'<think>{{"output": 1}} {answer}'},
            16: row | {"output": answer + " and it goes on " * 300},
            17: json.dumps(row).encode() + b"\r",
        }
        yield odd.get(kind, row)


def run(
    source: Path, functions: Path, output: Path, executor: Executor, readers: int | None, **more: Any
) -> tuple[Summary, dict[str, bytes]]:
    usage = output.with_name("usage.jsonl") if more.pop("usage", False) else None
    settings = VerifySettings(functions=functions, readers=readers, usage=usage)
    summary = Verify.run(source, output, settings, executor, **more)
    return summary, files(output)


def files(output: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in output.parent.iterdir() if path.is_file()}
    manifest = json.loads(found.pop("out.manifest.json"))
    return found | {"progress": json.dumps(manifest["progress"]).encode(), "key": json.dumps(manifest["key"]).encode()}


def same(one: Summary, other: Summary) -> bool:
    return one.lasting() == other.lasting() and (one.read, one.used, one.unreadable) == (
        other.read,
        other.used,
        other.unreadable,
    )


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name / "out.jsonl"


@pytest.mark.parametrize(("executed", "usage"), [(0, False), (0.02, False), (0.5, False), (0, True)])  # usage tells times
def test_the_same_bytes_with_any_number_of_readers(
    executed: float, usage: bool, tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    source = write_rows(tmp_path / "rows.jsonl", hostile_rows(700, executed))
    alone, expected = run(source, functions, folder(tmp_path, "alone"), executor, 1, usage=usage)
    assert ready_at_once == []
    assert alone.passing["read_beside"] == 0
    assert alone.rejected > 20
    for readers in (2, 3):
        beside, found = run(source, functions, folder(tmp_path, f"with-{readers}"), executor, readers, usage=usage)
        assert found == expected
        assert same(beside, alone)
        if executed < 0.5:
            assert beside.passing["read_beside"] > 50


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl"])
def test_shards_limits_and_other_names_of_fields(
    suffix: str, tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    rows = [
        {"completion" if name == "output" else name: value for name, value in row.items()} if isinstance(row, dict) else row
        for row in hostile_rows(900, 0.002)
    ]
    source = write_rows(tmp_path / f"rows{suffix}", rows)
    names = (("output", "completion"),)
    for number, selection in enumerate(
        (Selection(300, None, names), Selection(None, (1, 3), names), Selection(200, (0, 2), names))
    ):
        expected = run(source, functions, folder(tmp_path, f"alone{number}"), executor, 1, selection=selection)
        beside = run(source, functions, folder(tmp_path, f"beside{number}"), executor, 2, selection=selection)
        assert beside[1] == expected[1]
        assert same(beside[0], expected[0])
        assert (beside[0].passing["read_beside"] > 20) == (selection.shard is None)


def plain_rows(count: int) -> Iterator[dict[str, Any]]:
    """Nothing that is executed or rejected."""
    for number in range(count):
        item, io = number % 4, number % 5
        answer = {"output": item + io + (number % 4 == 3)}
        yield {"itemid": item, "ioid": io, "io_pred": "o", "index": number, "output": f"It is {json.dumps(answer)}"}


def test_a_row_that_repeats_an_id_of_another_block_is_rejected(
    tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    rows = [{**row, "id": f"row-{number}", "index": 0} for number, row in enumerate(plain_rows(400))]
    rows[350]["id"] = "row-3"
    source = write_rows(tmp_path / "rows.jsonl", rows)
    summary, found = run(source, functions, folder(tmp_path, "out"), executor, 2)
    assert (summary.rows, summary.rejected) == (399, 1)
    assert summary.first_reject == f"{source}, line 351: repeats the id and index of line 4, at $.id"
    assert summary.passing["read_beside"] > 0
    assert b"row-350" not in found["out.jsonl"]


def test_a_row_whose_id_is_none_that_others_take_hides_no_repeated_one_beside_it(
    tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    rows = [{**row, "id": f"row-{number}", "index": 0} for number, row in enumerate(plain_rows(400))]
    rows[301]["id"] = rows[302]["id"] = 1.5
    rows[303]["id"] = "row-3"
    source = write_rows(tmp_path / "rows.jsonl", rows)
    alone, expected = run(source, functions, folder(tmp_path, "alone"), executor, 1)
    beside, found = run(source, functions, folder(tmp_path, "beside"), executor, 2)
    assert (beside.rows, beside.rejected) == (alone.rows, alone.rejected) == (399, 1)
    assert found == expected
    assert beside.passing["read_beside"] > 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_dies_or_stops_amid_the_run_changes_nothing(
    how: signal.Signals, tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(pool, "PATIENCE_S", 5.0)  # a living reader on a busy machine answers sooner
    source = write_rows(tmp_path / "rows.jsonl", hostile_rows(700, 0))
    _, expected = run(source, functions, folder(tmp_path, "alone"), executor, 1)
    give, given = pool._Reader.give, itertools.count()

    def give_and_send(self: pool._Reader, block: Any) -> None:
        give(self, block)
        if next(given) == 3:
            os.kill(self.process.pid, how)

    monkeypatch.setattr(pool._Reader, "give", give_and_send)
    _, found = run(source, functions, folder(tmp_path, "beside"), executor, 2)
    assert next(given) > 3
    assert found == expected


def test_small_files_have_no_readers_and_large_ones_as_many_as_they_are_worth(
    tmp_path: Path, functions: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(pool.Readers, "start", lambda self, count: started.append(count))
    source = write_rows(tmp_path / "rows.jsonl", plain_rows(4000))
    size = source.stat().st_size
    monkeypatch.setattr(source_module, "READ_BYTES", 2000)
    run(source, functions, folder(tmp_path, "small"), executor, 8)
    assert started == []
    for number, (parts, most, expected) in enumerate([(1, 8, 0), (2, 8, 1), (5, 8, 4), (5, 3, 2)]):
        monkeypatch.setattr(ahead, "START_BYTES", size // parts)
        run(source, functions, folder(tmp_path, f"large{number}"), executor, most)
        assert sum(started) == expected
        started.clear()


def test_where_nobody_knows_how_much_is_left_readers_come_one_after_the_other(
    tmp_path: Path, functions: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(pool.Readers, "start", lambda self, count: started.append(count))
    rows = list(plain_rows(4000))
    source = write_rows(tmp_path / "rows.jsonl.gz", rows)
    monkeypatch.setattr(ahead, "START_BYTES", len(read_bytes(source)) // 5)
    monkeypatch.setattr(source_module, "READ_BYTES", 2000)
    run(source, functions, folder(tmp_path, "out"), executor, 4)
    assert started == [1, 1, 1]


def test_the_number_is_decided_by_processors_and_workers(
    tmp_path: Path, functions: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    monkeypatch.setattr(pool.Readers, "start", lambda self, count: started.append(count))
    monkeypatch.setattr(ahead, "START_BYTES", 100)
    monkeypatch.setattr(source_module, "READ_BYTES", 2000)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    source = write_rows(tmp_path / "rows.jsonl", plain_rows(3000))
    run(source, functions, folder(tmp_path, "one"), executor, None)
    assert started == []  # of an executor with one worker
    monkeypatch.setattr(executor, "workers", 3)
    run(source, functions, folder(tmp_path, "three"), executor, None)
    assert started == [2]


def has_told(words: list[str], count: int) -> bool:
    return len(words) == count


def test_rows_of_a_slow_pipe_are_told_before_the_next_ones_come(
    tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    source, told = tmp_path / "pipe.jsonl", list[str]()
    os.mkfifo(source)
    rows = [json.dumps(row).encode() + b"\n" for row in plain_rows(300)]
    found: list[Any] = []

    class Told:
        def resumed(self, rows: int) -> None: ...
        def remark(self, text: str) -> None: ...
        def tell(self, word: str) -> None:
            told.append(word)

    def verify() -> None:
        found.append(run(source, functions, folder(tmp_path, "out"), executor, 2, progress=Told()))

    thread = threading.Thread(target=verify)
    thread.start()
    with open(source, "wb", buffering=0) as pipe:
        for at in range(0, 300, 50):
            pipe.write(b"".join(rows[at : at + 50]))
            wait_until(functools.partial(has_told, told, at + 50), 60, "rows of a pipe that has no more")
    thread.join()
    assert found[0][0].passing["read_beside"] > 0


def test_runs_in_several_threads_have_readers_of_their_own(
    tmp_path: Path, functions: Path, executor: Executor, ready_at_once: list[int]
) -> None:
    source = write_rows(tmp_path / "rows.jsonl", plain_rows(800))
    _, expected = run(source, functions, folder(tmp_path, "alone"), executor, 1)
    found: dict[int, Any] = {}
    outputs = [folder(tmp_path, f"beside{number}") for number in range(3)]
    threads = [
        threading.Thread(
            target=lambda number=number: found.update({number: run(source, functions, outputs[number], executor, 2)})
        )
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number][1] for number in range(3)] == [expected] * 3
    assert all(found[number][0].passing["read_beside"] > 0 for number in range(3))


# -- the command ------------------------------------------------------------------------------------------------------

_EAGER = """
import time
from reexec.cli.start import main
from reexec.runners.rows import source
from reexec.runners.rows.run import StageRun
from reexec.runners.stages.verify import ahead

take = StageRun.take

def take_slowly(self, result):
    take(self, result)
    time.sleep(0.02 if result.rows > 1 else 0)  # a quick machine is not done before somebody ends it

StageRun.take = take_slowly
source.READ_BYTES = 16_000
ahead.START_BYTES = 100_000
main()
"""


def command(source: Path, output: Path) -> list[str]:
    return ["verify", str(source), "-f", str(FUNCTIONS), "-o", str(output), "--readers", "3", "--json"]


def started(source: Path, output: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _EAGER, *command(source, output)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        start_new_session=True,
    )  # fmt: skip


def is_reader(process: psutil.Process) -> bool:
    try:
        return "reexec.runners.readers.process" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def many(path: Path) -> Path:
    pairs = [(item, io, pair["output"]) for item, row in enumerate(read_rows(FUNCTIONS)) for io, pair in enumerate(row["ios"])]
    rows = (
        {"itemid": item, "ioid": io, "io_pred": "o", "index": index, "output": f"It is {json.dumps({'output': output})}"}
        for index in range(100)
        for item, io, output in pairs
    )
    return write_rows(path, rows)


def end_by_ctrl_c(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("reexec: interrupted"), err


def end_by_kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("end", [end_by_ctrl_c, end_by_kill])
def test_an_interrupted_run_leaves_no_reader_and_is_resumed_to_the_same_bytes(
    end: Callable[["subprocess.Popen[str]"], None], tmp_path: Path
) -> None:
    source = many(tmp_path / "rows.jsonl")
    alone, output = folder(tmp_path, "alone"), folder(tmp_path, "beside")
    assert reexec(*command(source, alone)[:-3], "--readers", "1").code == 0
    process = started(source, output)
    try:
        wait_until(lambda: lines_done(output) > 0, 60, "first rows")
        readers = wait_until(lambda: [one for one in descendants(process) if is_reader(one)] or process.poll() is not None, 60)
        assert readers is not True, process.communicate()  # the run was over before it could be interrupted
        children = descendants(process)
    except BaseException:
        process.kill()
        raise
    end(process)
    all_gone(children, timeout=30)
    assert 0 < manifest_of(output)["progress"]["lines"] < manifest_of(alone)["progress"]["lines"]
    done = reexec(*command(source, output))
    assert done.code == 0, done.err
    assert files(output) == files(alone)
    assert done.summary["rows"] == manifest_of(alone)["progress"]["lines"]
