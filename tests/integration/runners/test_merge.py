"""Shards of a run, killed and repeated, put together: the files of one run, byte for byte."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.helpers import COMMAND, FUNCTIONS, RESPONSES, Row, environment, reexec, temporary_folder

SHARDS = 7


def rows_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def killed_and_repeated(arguments: list[str | Path], pick: random.Random) -> None:
    """The command as a process that is killed now and then, until it comes to its end."""
    kept = {name: os.environ[name] for name in ("REEXEC_POLICY",) if name in os.environ}
    for attempt in range(20):
        process = subprocess.Popen(
            [COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment({"TMPDIR": temporary_folder(), **kept}),
        )  # fmt: skip
        if attempt < 2:
            time.sleep(pick.uniform(1.0, 3.0))
            process.send_signal(signal.SIGKILL)
        if process.wait(120) in (0, 1):
            return
    raise AssertionError("it never came to its end")


def responses(path: Path) -> Path:
    """The examples', several samples a prompt, with rows that repeat an id, that no function has, and that are no rows."""
    pick = random.Random(5)
    rows = [{**row, "id": f"r{index}"} for index, row in enumerate(rows_of(RESPONSES)[:60])]
    lines = []
    for row in rows:
        lines += [json.dumps({**row, "index": index}) for index in range(3)]
    bare = {name: value for name, value in rows[7].items() if name != "id"}  # samples that say the same, without id and index
    lines += [json.dumps(bare)] * 4 + [json.dumps({**bare, "index": 1, "id": None})] * 2
    lines += [lines[4], "not JSON", json.dumps({**rows[0], "itemid": 9999, "id": "x"}), "", json.dumps({"a": 1}), lines[11]]
    pick.shuffle(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """One run, and seven shards of the same."""
    folder = tmp_path_factory.mktemp("shards")
    source = responses(folder / "in.jsonl")
    done = reexec("verify", source, "--functions", FUNCTIONS, "-o", folder / "one.jsonl", "--usage", folder / "one.usage.jsonl")
    assert done.code == 1, done.err
    pick = random.Random(1)
    shards = [folder / f"shard-{index}.jsonl" for index in range(SHARDS)]
    for index, shard in enumerate(shards):
        arguments: list[str | Path] = ["verify", source, "--functions", FUNCTIONS, "-o", shard]
        arguments += ["--usage", shard.with_suffix(".usage.jsonl"), "--shard", f"{index}/{SHARDS}"]
        if index in (2, 5):
            killed_and_repeated(arguments, pick)
        else:
            done = reexec(*arguments)
            assert done.code in (0, 1), done.err
    return folder / "one.jsonl", shards


def merged(shards: list[Path], output: Path, *more: str | Path) -> Row:
    done = reexec("merge", *shards, "-o", output, "--json", *more)
    assert done.code == 0, done.err
    return done.summary


def without_times(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in ("cpu_s", "wall_s", "peak_bytes")} for row in rows]


def test_seven_shards_are_one_run(verified: tuple[Path, list[Path]], tmp_path: Path) -> None:
    one, shards = verified
    output = tmp_path / "all.jsonl"
    summary = merged([shards[index] for index in (3, 0, 6, 1, 5, 2, 4)], output)
    assert (summary["shards"], summary["rows"]) == (SHARDS, len(rows_of(one)))
    for suffix in ("jsonl", "rejects.jsonl", "passrates.jsonl"):
        assert output.with_suffix(f".{suffix}").read_bytes() == one.with_suffix(f".{suffix}").read_bytes(), suffix
    usage = [without_times(rows_of(path.with_suffix(".usage.jsonl"))) for path in (output, one)]
    assert usage[0] == usage[1]
    reasons = [row["reason"] for row in rows_of(one.with_suffix(".rejects.jsonl"))]
    assert sum("repeats the id" in reason for reason in reasons) == 2
    ours, theirs = (json.loads(path.with_suffix(".manifest.json").read_text()) for path in (output, one))
    del ours["key"]["side files"], theirs["key"]["side files"]
    assert ours["key"] == theirs["key"]
    assert ours["progress"]["counts"] == theirs["progress"]["counts"]
    assert ours["progress"]["input_digest"] == theirs["progress"]["input_digest"]


def test_merging_again_does_nothing_and_after_a_kill_begins_anew(verified: tuple[Path, list[Path]], tmp_path: Path) -> None:
    one, shards = verified
    output = tmp_path / "all.jsonl"
    assert not merged(shards, output)["left_alone"]
    before = output.stat().st_mtime_ns
    assert merged(shards, output)["left_alone"]
    assert output.stat().st_mtime_ns == before
    manifest = output.with_suffix(".manifest.json")
    record = json.loads(manifest.read_text())
    nothing = {"lines": 0, "input_digest": "", "sizes": {}, "counts": {}}
    manifest.write_text(json.dumps({**record, "state": "running", "progress": nothing}))  # as it is while merging
    output.write_bytes(one.read_bytes()[:1000])
    assert not merged(shards, output)["left_alone"]
    assert output.read_bytes() == one.read_bytes()


def test_what_was_merged_is_a_run_that_is_done(verified: tuple[Path, list[Path]], tmp_path: Path) -> None:
    one, shards = verified
    output = tmp_path / "one.jsonl"
    merged(shards, output, "--side", tmp_path / "one.usage.jsonl")
    source = one.with_name("in.jsonl")
    done = reexec("verify", source, "--functions", FUNCTIONS, "-o", output, "--usage", tmp_path / "one.usage.jsonl", "--json")
    assert done.summary["resumed_rows"] == len(rows_of(one)) + len(rows_of(one.with_suffix(".rejects.jsonl")))
    assert output.read_bytes() == one.read_bytes()


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        (lambda shards: shards[:5] + shards[6:], "shards are missing: 5/7"),
        (lambda shards: [*shards, shards[0]], "shard 0/7 is there twice"),
        (lambda shards: [*shards[1:], shards[0].with_name("one.jsonl")], "is no shard"),
        (lambda shards: [*shards[1:], shards[0].with_name("in.jsonl")], "is no output of a run"),
    ],
)
def test_what_is_not_whole_is_refused(
    verified: tuple[Path, list[Path]], tmp_path: Path, choose: Callable[[list[Path]], list[Path]], said: str
) -> None:
    done = reexec("merge", *choose(verified[1]), "-o", tmp_path / "all.jsonl")
    assert done.code == 2
    assert said in done.one_line()
    assert list(tmp_path.iterdir()) == []


def transformed(folder: Path, source: Path, index: int, count: int, *more: str) -> Path:
    output = folder / f"{index}-of-{count}.jsonl"
    assert reexec("transform", source, "-o", output, "--shard", f"{index}/{count}", *more).code in (
        0,
        1,
        2,
    )  # 2: a small shard may hold no row that can be used
    return output


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    path = tmp_path / "raw.jsonl"
    lines = [json.dumps({"content": f"print({n % 9})" if n % 4 else ""}) for n in range(50)]
    lines[20:20] = ["{", "", "[]"]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_any_number_of_shards_of_any_stage(codes: Path, tmp_path: Path, count: int) -> None:
    """Rows that repeat one of another shard are rejected as in one run."""
    one, output = tmp_path / "one.jsonl", tmp_path / "all.jsonl"
    assert reexec("transform", codes, "-o", one).code == 1
    merged([transformed(tmp_path, codes, index, count) for index in range(count)], output)
    for suffix in ("jsonl", "rejects.jsonl"):
        assert output.with_suffix(f".{suffix}").read_bytes() == one.with_suffix(f".{suffix}").read_bytes()


def test_shards_of_another_input_or_settings_are_told(codes: Path, tmp_path: Path) -> None:
    first, second = (transformed(tmp_path, codes, index, 2) for index in range(2))
    other = tmp_path / "other.jsonl"
    other.write_text(codes.read_text().replace("print(8)", "print(80)"))
    done = reexec("merge", first, second, "-o", tmp_path / "all.jsonl", "--source", other)
    assert done.code == 2
    assert "was made from another input" in done.one_line()
    codes.write_text(codes.read_text() + '\n{"content": "x"}\n{"content": "y"}\n')
    done = reexec("merge", first, second, "-o", tmp_path / "all.jsonl")
    assert "was made from another input" in done.one_line()
    (tmp_path / "b").mkdir()
    strange = transformed(tmp_path / "b", codes, 1, 2, "--max-chars", "10")
    assert "another max_characters" in reexec("merge", first, strange, "-o", tmp_path / "all.jsonl").one_line().replace(
        "-", "_"
    )


def test_a_shard_that_is_not_done_is_told(codes: Path, tmp_path: Path) -> None:
    first, second = (transformed(tmp_path, codes, index, 2) for index in range(2))
    manifest = second.with_suffix(".manifest.json")
    manifest.write_text(manifest.read_text().replace('"state": "done"', '"state": "interrupted"'))
    done = reexec("merge", first, second, "-o", tmp_path / "all.jsonl")
    assert done.code == 2
    assert "shard 1/2 is not done (interrupted)" in done.one_line()
    first.write_bytes(first.read_bytes()[:-20])
    assert "is not as shard 0/2 left it" in reexec("merge", first, second, "-o", tmp_path / "all.jsonl").one_line()


def test_moved_shards_are_merged_with_their_source_named(codes: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    reexec("transform", codes, "-o", one)
    (tmp_path / "here").mkdir()
    for index in range(3):
        transformed(tmp_path / "here", codes, index, 3)
    there = (tmp_path / "here").rename(tmp_path / "there")
    moved = codes.rename(tmp_path / "moved.jsonl")
    shards = [there / f"{index}-of-3.jsonl" for index in range(3)]
    done = reexec("merge", *shards, "-o", tmp_path / "all.jsonl")
    assert "--source" in done.one_line()
    merged(shards, tmp_path / "all.jsonl", "--source", moved)
    assert (tmp_path / "all.jsonl").read_bytes() == one.read_bytes()


def test_kept_rows_of_an_audit(tmp_path: Path) -> None:
    source = tmp_path / "functions.jsonl"
    source.write_text("".join(FUNCTIONS.read_text().splitlines(keepends=True)[:6]))
    assert reexec("audit", source, "-o", tmp_path / "one.jsonl", "--keep", tmp_path / "kept-one.jsonl").code == 0
    shards = []
    for index in range(2):
        shards.append(tmp_path / f"s{index}.jsonl")
        keep = tmp_path / f"kept-{index}.jsonl"
        assert reexec("audit", source, "-o", shards[-1], "--keep", keep, "--shard", f"{index}/2").code == 0
    assert "--side FILE" in reexec("merge", *shards, "-o", tmp_path / "all.jsonl").one_line()
    merged(shards, tmp_path / "all.jsonl", "--side", tmp_path / "kept-all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert (tmp_path / "kept-all.jsonl").read_bytes() == (tmp_path / "kept-one.jsonl").read_bytes()
