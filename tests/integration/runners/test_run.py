"""A stage's run: it goes on where it stopped, and refuses what does not belong to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.rows.row import Result, Row, Selection
from reexec.runners.rows.run import StageRun, beside
from reexec.runners.rows.source import read_lines
from tests.support.helpers import manifest_of, read_rows, write_rows


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "in.jsonl", [{"n": n} for n in range(10)])


def open_run(source: Path, output: Path, **more: Any) -> StageRun:
    arguments: dict[str, Any] = {"key": {"policy": "a"}, "facts": {}} | more
    return StageRun("copy", source, output, **arguments)


def copy(
    source: Path, output: Path, stop_after: int | None = None, end: Callable[[StageRun], None] | None = None, **more: Any
) -> int:
    """The smallest stage: copies rows, rejects those with a fault or with n = 3; how many rows it took."""
    run = open_run(source, output, **more)
    run.open()
    taken = 0
    for row in run.rows():
        counts = {"sum": row.data.get("n", 0)}
        if row.fault or row.data.get("n") == 3:
            run.take(Result(row, (), reason=row.fault or "three", counts=counts))
        else:
            run.take(Result(row, (), [row.line], [row.line], counts=counts))
        taken += 1
        if taken == stop_after:
            (end or (lambda run: run.close("interrupted")))(run)
            return taken
    run.close("done")
    return taken


def content(output: Path) -> tuple[bytes, bytes]:
    return output.read_bytes(), beside(output, "rejects.jsonl").read_bytes()


def test_a_run_goes_on_after_each_row_with_the_same_files_and_counts(source: Path, tmp_path: Path) -> None:
    copy(source, tmp_path / "whole.jsonl")
    for stop in range(1, 10):
        output = tmp_path / f"cut{stop}.jsonl"
        assert copy(source, output, stop) == stop
        assert manifest_of(output)["state"] == "interrupted"
        assert copy(source, output) == 10 - stop
        assert content(output) == content(tmp_path / "whole.jsonl")
        found = manifest_of(output)
        assert found["state"] == "done"
        assert found["progress"]["counts"]["sum"] == 45
        assert found["progress"]["counts"]["rejected"] == 1


def test_what_a_kill_left_behind_the_last_flush_is_cut_off(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    def killed(run: StageRun) -> None:
        run.close("running")  # its state, and no descriptor: what a dead process leaves

    copy(source, output, 6, killed)
    for path in (output, beside(output, "rejects.jsonl")):
        with open(path, "ab") as file:
            file.write(b'{"n": 6}\n{"n": 7')
    copy(source, output)
    copy(source, tmp_path / "whole.jsonl")
    assert content(output) == content(tmp_path / "whole.jsonl")


class Interrupting(list[bytes]):
    """Lines during which Ctrl-C comes."""

    def __iter__(self) -> Iterator[bytes]:
        raise KeyboardInterrupt


def test_a_row_that_was_begun_and_not_finished_is_done_again(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    def interrupted_within_a_row(run: StageRun) -> None:
        run.flush()
        row = Row(6, b"{}", {})
        with pytest.raises(KeyboardInterrupt):
            run.take(Result(row, (), Interrupting(), counts={"sum": 1000}))
        assert run.progress.counts["sum"] == 1010
        run.close("interrupted")

    copy(source, output, 5, interrupted_within_a_row)
    assert manifest_of(output)["state"] == "interrupted"
    assert manifest_of(output)["progress"]["counts"]["sum"] == 10
    assert copy(source, output) == 5
    assert manifest_of(output)["progress"]["counts"]["sum"] == 45


def test_a_finished_run_is_left_alone(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output)
    before = content(output)
    assert copy(source, output) == 0
    assert content(output) == before
    assert manifest_of(output)["state"] == "done"


def test_rows_appended_to_the_input_are_done_by_the_next_run(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output)
    with open(source, "a") as file:
        file.write('{"n": 10}\nnot a row\n')
    assert copy(source, output) == 2
    assert read_rows(output)[-1] == {"n": 10}
    assert read_rows(beside(output, "rejects.jsonl"))[-1]["line"] == 12


@pytest.mark.parametrize(
    "more",
    [
        {"key": {"policy": "b"}},
        {"key": {"policy": "a", "templates": "x"}},
        {"selection": Selection(limit=3)},
        {"selection": Selection(shard=(0, 2))},
        {"side_files": (Path("side.jsonl"),)},
    ],
    ids=["value", "member", "limit", "shard", "side file"],
)
def test_another_key_is_refused_and_nothing_is_touched(more: dict[str, Any], source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output, 4)
    before, manifest = content(output), manifest_of(output)
    with pytest.raises(UsageError, match=r"was made with another .*--overwrite"):
        open_run(source, output, **more)
    assert (content(output), manifest_of(output)) == (before, manifest)
    run = open_run(source, output, overwrite=True)
    run.open()
    run.close("interrupted")
    assert output.read_bytes() == b""


@pytest.mark.parametrize("change", ["edited", "shorter"])
def test_a_changed_beginning_of_the_input_is_refused_each_time(change: str, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output, 6)
    before, original = content(output), source.read_bytes()
    lines = original.splitlines(keepends=True)
    source.write_bytes(b"".join(lines[:3]) if change == "shorter" else b"".join([b'{"n":0}\n', *lines[1:]]))
    for _ in range(2):  # a refusal leaves no trace that would let the next run through
        run = open_run(source, output)
        run.open()
        with pytest.raises(UsageError, match=r"first 6 lines are not those|fewer lines than"):
            list(run.rows())
        run.close("interrupted")
    assert content(output) == before
    source.write_bytes(original)
    assert copy(source, output) == 4


def test_an_interruption_while_the_done_lines_are_passed_changes_nothing(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output, 6)
    for _ in range(2):
        run = open_run(source, output, on_consumed=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run.open()
        with pytest.raises(KeyboardInterrupt):
            list(run.rows())
        run.close("interrupted")
        assert manifest_of(output)["state"] == "interrupted"
        run = open_run(source, output)
        run.open()
        run.close("interrupted")  # before the first line
    assert copy(source, output) == 4
    assert manifest_of(output)["progress"]["counts"]["sum"] == 45


def test_an_output_shorter_than_its_manifest_is_refused(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(source, output, 6)
    output.write_bytes(output.read_bytes()[:-5])
    with pytest.raises(UsageError, match="shorter than its manifest says"):
        open_run(source, output)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stage": "copy", "key": {}, "progress": {"nonsense": 1}}', "null"])
def test_a_manifest_that_cannot_be_read_is_refused(text: str, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    beside(output, "manifest.json").write_text(text)
    with pytest.raises(UsageError, match=r"manifest\.json: cannot be read"):
        open_run(source, output)
    open_run(source, output, overwrite=True)


def test_shards_share_out_the_rows(source: Path, tmp_path: Path) -> None:
    found = []
    for index in range(3):
        output = tmp_path / f"{index}.jsonl"
        copy(source, output, selection=Selection(shard=(index, 3)))
        found += [row["n"] for row in read_rows(output)]
    assert sorted(found) == [n for n in range(10) if n != 3]
    copy(source, tmp_path / "limited.jsonl", selection=Selection(limit=2, shard=(1, 3)))
    assert [row["n"] for row in read_rows(tmp_path / "limited.jsonl")] == [1, 4]


def test_a_compressed_output_goes_on_with_whole_members(source: Path, tmp_path: Path) -> None:
    for name in ("out.jsonl.gz", "out.jsonl.zst"):
        output = tmp_path / name
        side = tmp_path / f"side-{name}"
        copy(source, output, 6, side_files=(side,))
        copy(source, output, side_files=(side,))
        for path in (output, side):
            assert [line for _, line in read_lines(path)] == [b'{"n": %d}' % n for n in range(10) if n != 3]
        beside(output, "manifest.json").unlink()
        beside(output, "rejects.jsonl").unlink()


def test_rejects_say_file_line_reason_and_keep_short_text(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", ["nope", b'{"t": "\xff"}', "x" * 70_000])
    output = tmp_path / "out.jsonl"
    copy(source, output)
    first, second, third = read_rows(beside(output, "rejects.jsonl"))
    assert first == {"file": str(source), "line": 1, "reason": "not JSON: expecting value at character 0", "text": "nope"}
    assert second["text"] == '{"t": "\ufffd"}'
    assert "text" not in third


def test_two_runs_do_not_write_one_output_at_the_same_time(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"a": 1}\n{"a": 2}\n')
    first = StageRun("copy", source, output, key={}, facts={})
    first.open()
    before = first.manifest_path.read_text()
    second = StageRun("copy", source, output, key={}, facts={}, overwrite=True)
    with pytest.raises(UsageError, match=r"out\.jsonl: another run is writing it"):
        second.open()
    assert first.manifest_path.read_text() == before
    for row in first.rows():
        first.take(Result(row, (), [row.line]))
    first.close("done")
    assert output.read_text() == source.read_text()
    third = StageRun("copy", source, output, key={}, facts={}, overwrite=True)
    third.open()
    third.close("done")
