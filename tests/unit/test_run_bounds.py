"""What a run keeps on disk, one guarantee at a time: manifest before files, the digest of lines, stale rejects, the key of a
run, compressed bytes, and writes that the kernel takes only a part of."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.rows import run as run_module
from reexec.runners.rows.row import Result
from reexec.runners.rows.run import StageRun, beside
from reexec.runners.rows.sink import Sink
from tests.support.helpers import manifest_of, read_rows, write_rows


def opened(source: Path, output: Path, **more: Any) -> StageRun:
    run = StageRun("copy", source, output, key={"policy": "a"}, facts={}, **more)
    run.open()
    return run


def copy(source: Path, output: Path, reject: int | None = None, **more: Any) -> None:
    run = opened(source, output, **more)
    for row in run.rows():
        if row.data.get("n") == reject:
            run.take(Result(row, (), reason="unwanted"))
        else:
            run.take(Result(row, (), [row.line]))
    run.close("done")


def numbers(folder: Path, count: int = 6) -> Path:
    return write_rows(folder / "in.jsonl", [{"n": n} for n in range(count)])


def test_the_manifest_is_there_before_any_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out.jsonl"
    seen = []

    def sink(path: Path, size: int = 0) -> Sink:
        seen.append(beside(output, "manifest.json").exists())
        return Sink(path, size)

    monkeypatch.setattr(run_module, "Sink", sink)
    opened(numbers(tmp_path), output).close("done")
    assert seen == [True]


def test_a_line_end_that_moved_is_another_beginning(tmp_path: Path) -> None:
    """The same bytes but for where one line ends and the next begins."""
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"a": 1}\n {"b": 2}\n')
    copy(source, output)
    source.write_text('{"a": 1} \n{"b": 2}\n{"c": 3}\n')
    with pytest.raises(UsageError, match="are not those that"):
        copy(source, output)


def test_rejects_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    source, output = numbers(tmp_path), tmp_path / "out.jsonl"
    copy(source, output, reject=3)
    rejects = beside(output, "rejects.jsonl")
    assert len(read_rows(rejects)) == 1
    copy(source, output, overwrite=True)
    assert not rejects.exists()
    assert len(read_rows(output)) == 6


def test_another_version_of_the_engine_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = numbers(tmp_path), tmp_path / "out.jsonl"
    copy(source, output)
    monkeypatch.setattr(run_module, "VERSION", "99.0")
    with pytest.raises(UsageError, match="was made with another engine"):
        copy(source, output)


def test_a_key_that_is_new_to_the_run_is_another_run(tmp_path: Path) -> None:
    source, output = numbers(tmp_path), tmp_path / "out.jsonl"
    copy(source, output)
    manifest = beside(output, "manifest.json")
    old = json.loads(manifest.read_text())
    del old["key"]["policy"]
    manifest.write_text(json.dumps(old))
    with pytest.raises(UsageError, match="was made with another policy"):
        copy(source, output)


def test_the_text_of_long_rows_is_not_kept_with_their_rejects(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", [{"n": 3, "x": "y" * 10}, {"n": 3, "x": "y" * 70_000}])
    copy(source, tmp_path / "out.jsonl", reject=3)
    short, long = read_rows(tmp_path / "out.rejects.jsonl")
    assert json.loads(short["text"])["x"] == "y" * 10
    assert "text" not in long


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_files_of_the_same_lines_are_the_same_bytes(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = []
    for at in (1_000_000_000.0, 1_700_000_000.0):
        monkeypatch.setattr("time.time", lambda at=at: at)
        sink = Sink(tmp_path / f"{at}.jsonl.{suffix}")
        sink.write(b'{"a": 1}')
        sink.flush()
        sink.close()
        contents.append((tmp_path / f"{at}.jsonl.{suffix}").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_a_file_is_written_whole_however_little_the_kernel_takes(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, bytes(data[:most]), at))
    sink = Sink(tmp_path / "out.jsonl")
    lines = [b"%d" % n * 20 for n in range(30)]
    for line in lines:
        sink.write(line)
    size = sink.flush()
    sink.close()
    data = (tmp_path / "out.jsonl").read_bytes()
    assert data == b"\n".join(lines) + b"\n"
    assert size == len(data)


def test_what_stands_behind_the_size_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"whole\nhalf a line that a kill left")
    sink = Sink(path, 6)
    sink.write(b"next")
    assert sink.flush() == 11
    sink.close()
    assert path.read_bytes() == b"whole\nnext\n"


def test_the_manifest_counts_what_it_says(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    copy(numbers(tmp_path), output, reject=3)
    progress = manifest_of(output)["progress"]
    assert progress["lines"] == 6
    assert progress["sizes"] == {"output": output.stat().st_size, "rejects": beside(output, "rejects.jsonl").stat().st_size}
