"""What a merge refuses, what it leaves alone, and what its manifest says: of shards of `transform`."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec import UsageError
from reexec.runners import merge as merge_module
from reexec.runners.merge import merge
from tests.support.helpers import manifest_of, reexec

SHARDS = 3
ROWS = 25


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, its shards, and their input, whose lines 2 and 10 are no rows."""
    folder = tmp_path_factory.mktemp("merge")
    lines = [json.dumps({"content": f"print({number})"}) for number in range(ROWS)]
    lines[1] = lines[9] = "{"
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    assert reexec("transform", folder / "in.jsonl", "-o", folder / "one.jsonl").code == 1
    for index in range(SHARDS):
        shard = ("--shard", f"{index}/{SHARDS}")
        assert reexec("transform", folder / "in.jsonl", "-o", folder / f"s{index}.jsonl", *shard).code in (0, 1)
    return folder


def shards(folder: Path) -> list[Path]:
    return [folder / f"s{index}.jsonl" for index in range(SHARDS)]


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(UsageError) as error:
        merge(*arguments, **options)
    return str(error.value)


@pytest.mark.parametrize("index", range(SHARDS))
def test_each_missing_shard_is_named(made: Path, tmp_path: Path, index: int) -> None:
    left = [path for number, path in enumerate(shards(made)) if number != index]
    assert refused(left, tmp_path / "all.jsonl") == f"shards are missing: {index}/{SHARDS}"
    assert list(tmp_path.iterdir()) == []


def test_the_first_reject_is_that_of_the_lowest_line_and_counts_are_of_all_rows(made: Path, tmp_path: Path) -> None:
    merge(shards(made), tmp_path / "all.jsonl")
    ours, theirs = manifest_of(tmp_path / "all.jsonl"), manifest_of(made / "one.jsonl")
    assert ours["progress"]["counts"] == theirs["progress"]["counts"]
    assert ", line 2: " in ours["progress"]["counts"]["first_reject"]
    assert ours["progress"]["lines"] == theirs["progress"]["lines"] == ROWS
    assert (ours["state"], ours["progress"]["sizes"]) == ("done", theirs["progress"]["sizes"])
    assert (tmp_path / "all.jsonl").read_bytes() == (made / "one.jsonl").read_bytes()


def test_a_shard_that_is_there_twice_is_told(made: Path, tmp_path: Path) -> None:
    for index in range(SHARDS):
        assert f"shard {index}/{SHARDS} is there twice" in refused([*shards(made), shards(made)[index]], tmp_path / "all.jsonl")
    twice = [shards(made)[0], shards(made)[0], shards(made)[1]]
    assert "shard 0/3 is there twice" in refused(twice, tmp_path / "all.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", '{"content": "print(0)"}\n', "more", "changed"])
def test_shards_of_another_input_are_refused_however_short_it_is(made: Path, tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.jsonl"
    whole = (made / "in.jsonl").read_text()
    texts = {"more": whole + '{"content": "x"}\n', "changed": whole.replace("print(8)", "print(9)")}
    other.write_text(texts.get(text, text))
    assert "was made from another input" in refused(shards(made), tmp_path / "all.jsonl", source=other)
    assert not (tmp_path / "all.jsonl").exists()


def test_a_shard_of_a_limited_run_is_refused(made: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    assert reexec("transform", made / "in.jsonl", "-o", part, "--shard", f"2/{SHARDS}", "--limit", "3").code in (0, 1)
    assert "was made with --limit" in refused([*shards(made)[:2], part], tmp_path / "all.jsonl")


def test_the_output_is_none_of_the_shards(made: Path) -> None:
    before = shards(made)[1].read_bytes()
    assert "is one of the shards" in refused(shards(made), shards(made)[1], overwrite=True)
    assert shards(made)[1].read_bytes() == before


def test_the_output_of_another_run_is_replaced_only_where_it_is_asked_for(made: Path, tmp_path: Path) -> None:
    output = tmp_path / "all.jsonl"
    assert reexec("transform", made / "in.jsonl", "-o", output, "--max-chars", "9").code in (0, 1)
    before = output.read_bytes()
    assert "is the output of another run" in refused(shards(made), output)
    assert output.read_bytes() == before
    (tmp_path / "mine.jsonl").write_text("a file of the user's\n")
    assert "is not a run's output" in refused(shards(made), tmp_path / "mine.jsonl")
    assert (tmp_path / "mine.jsonl").read_text() == "a file of the user's\n"
    assert not merge(shards(made), output, overwrite=True).left_alone
    assert output.read_bytes() == (made / "one.jsonl").read_bytes()


def test_while_it_is_merged_the_manifest_says_that_it_is_not_done(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "all.jsonl"

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merge_module, "_interleave", killed)
        with pytest.raises(KeyboardInterrupt):
            merge(shards(made), output)
    found = manifest_of(output)
    assert found["state"] == "running"
    assert (found["progress"]["lines"], found["progress"]["sizes"]) == (0, {})
    assert not merge(shards(made), output).left_alone
    assert merge(shards(made), output).left_alone
    assert manifest_of(output)["state"] == "done"


def test_a_count_of_lines_that_lacks_a_row_is_told(made: Path, tmp_path: Path) -> None:
    path = made / "s1.shard.txt"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    try:
        path.write_bytes(b"".join(lines[:-2]) + lines[-2].rstrip(b"\n") + b" " * len(lines[-1]) + b"\n")
        assert len(path.read_bytes()) == len(whole)
        assert f"has {len(lines) - 1} rows of {len(lines)}" in refused(shards(made), tmp_path / "all.jsonl")
    finally:
        path.write_bytes(whole)
    merge(shards(made), tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == (made / "one.jsonl").read_bytes()
