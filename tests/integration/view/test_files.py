"""`reexec view` reads what is there: compressed, damaged, still growing; its index lies elsewhere, and is renewed where the
files change."""

import gzip
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import zstandard

from tests.support.helpers import reexec, wait_until
from tests.support.large_run import LargeRun
from tests.support.viewing import folder_of, said, start_view, viewing

SMALL_RUN = LargeRun(rows=200, functions=8, rejects=9)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return SMALL_RUN.write(tmp_path)


def indexes(run: Path) -> list[Path]:
    return sorted(folder_of(run).glob("reexec/view/*/*"))


@pytest.mark.parametrize("kind", ["gz", "zst", "two frames"])
def test_compressed_files_show_the_same(run: Path, kind: str) -> None:
    with viewing(run) as view:
        plain = [view.get(path).text.replace(view.token, "") for path in ("row/7", "row/205")]
        listed = view.get("rows", verdict="wrong-answer").rows()
    data = run.read_bytes()
    packed = run.with_name(f"verified.jsonl.{'gz' if kind == 'gz' else 'zst'}")
    if kind == "gz":
        packed.write_bytes(gzip.compress(data))
    else:
        half = len(data) // 2 if kind == "two frames" else len(data)
        packed.write_bytes(zstandard.compress(data[:half]) + zstandard.compress(data[half:]))
    run.unlink()
    with viewing(packed) as view:
        assert [
            view.get(path).text.replace(view.token, "").replace(packed.name, run.name) for path in ("row/7", "row/205")
        ] == plain
        assert view.get("rows", verdict="wrong-answer").rows() == listed


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_file_that_breaks_off_is_shown_up_to_there(run: Path, kind: str) -> None:
    data = run.read_bytes()
    packed = gzip.compress(data, 0) if kind == "gz" else zstandard.compress(data)
    place = run.with_name(f"verified.jsonl.{kind}")
    place.write_bytes(packed[: len(packed) * 3 // 4])
    run.unlink()
    with viewing(place) as view:
        page = view.get("rows")
        assert f"{place.name}: the file breaks off (" in page.text
        assert (10 if kind == "gz" else 0) < page.count < 209 + 1


def test_damaged_lines_are_shown_as_what_they_are(run: Path) -> None:
    lines = run.read_bytes().splitlines()
    damaged = [
        b"{",
        b"[1]",
        b'{"verdict": 1}',
        b"\xff\xfe\xfd",
        b'{"a": ' + b"[" * 9000,
        b'{"verdict": "accepted", "id": "ok"}',
        b"\x00",
    ]
    run.write_bytes(
        b"\n".join([*lines[:100], *damaged, b"", b'\xef\xbb\xbf{"verdict": "accepted"}', *lines[100:], b'{"id": "x", "verd'])
    )
    with viewing(run) as view:
        assert view.get("rows", verdict="unreadable", stage="verify").count == 7
        for number, why in ((100, "not JSON"), (101, "expected a JSON object, got an array"), (102, "no verdict"),
                            (103, "not UTF-8 at byte 0"), (104, "nested deeper than 400")):  # fmt: skip
            page = view.get(f"row/{number}")
            assert why in page.text
            assert damaged[number - 100].decode("utf-8", "replace")[:50] in said(page.all("pre")[0])
        assert "Row ok." in view.get("row/105").text
        assert "line 109" in said(view.get("row/107").all("main")[0])
        assert f"Row {100:032x}." in view.get("row/108").text
        assert "verified.jsonl, line 210" in view.get("row/208").text


def test_a_run_that_grows_says_so_and_is_read_again_when_that_is_asked(run: Path) -> None:
    lines = run.read_bytes().splitlines(keepends=True)
    run.write_bytes(b"".join(lines[:50]) + lines[50][:40])
    manifest = run.with_name("verified.manifest.json")
    manifest.write_text(manifest.read_text().replace('"done"', '"running"'))
    with viewing(run) as view:
        page = view.get("rows")
        assert "verified.jsonl is not finished" in page.text
        assert (page.count, view.get("rows", verdict="unreadable").count) == (60, 1)
        assert "have changed" not in page.text
        run.write_bytes(b"".join(lines))
        manifest.write_text(manifest.read_text().replace('"running"', '"done"'))
        page = view.get("rows")
        assert page.count == 60
        assert "have changed" in page.text
        (form,) = (form for form in page.all("form") if form.get("method") == "post")
        answer = view.client.post(view.address + form.get("action").split("/", 2)[2], follow_redirects=True)
        assert answer.status_code == 200
        wait_until(lambda: view.get("rows").count == 209)
        page = view.get("rows")
        assert "have changed" not in page.text
        assert "not finished" not in page.text
        assert f"Row {150:032x}." in view.get("row/150").text
    assert len(indexes(run)) == 1


def test_a_row_that_is_gone_is_not_shown_as_another(run: Path) -> None:
    with viewing(run) as view:
        data = run.read_bytes()
        with open(run, "r+b") as file:  # as a run that goes on cuts a file back
            file.truncate(1000)
            file.seek(0)
            file.write(data[5:1005])
        for number in (0, 3, 199):
            assert "The file has changed since it was read" in view.get(f"row/{number}").text
        assert view.get("rows").count == 209


def test_the_index_is_made_once_and_the_runs_files_stay_as_they_are(run: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.parent.iterdir()}
    seen = []
    for _ in range(2):
        with viewing(run) as view:
            view.get("row/3")
        (made,) = indexes(run)
        files = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
        seen.append(files)
        assert made.stat().st_mode & 0o077 == made.parent.stat().st_mode & 0o077 == 0
    assert seen[0] == seen[1]
    shutil.rmtree(folder_of(run))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.parent.iterdir()} == before


def test_an_index_that_is_broken_is_one_line(run: Path) -> None:
    with viewing(run):
        pass
    (made,) = indexes(run)
    (made / "index.duckdb").write_bytes(b"no database")
    done = reexec("view", run, env={"XDG_CACHE_HOME": str(folder_of(run))})
    assert done.code == 2
    assert "the index cannot be read" in done.one_line()


def test_a_reading_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    run = LargeRun(rows=20_000, functions=10).write(tmp_path)
    process = start_view(run, "--no-browser")
    wait_until(lambda: indexes(run), 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("reexec: interrupted")
    assert indexes(run) == []
    killed = start_view(run, "--no-browser")
    wait_until(lambda: indexes(run), 60)
    killed.kill()
    killed.communicate(timeout=60)
    assert indexes(run) != []
    with viewing(run) as view:
        assert view.get("rows").count == 20_000
    assert [path.name for path in indexes(run) if "unfinished" in path.name] == []


def test_without_a_cache_folder_it_works_and_leaves_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    env = {"XDG_CACHE_HOME": "/proc/nowhere", "TMPDIR": str(tmp_path / "temporary")}
    with viewing(run, env=env) as view:
        assert view.get("rows").count == 209
        assert [path.name.startswith("reexec-view-") for path in (tmp_path / "temporary").iterdir()] == [True]
        assert view.end()[0] == 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_only_the_runs_that_were_seen_last_keep_an_index(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "cache" / "reexec" / "view").mkdir(parents=True)
    for age in range(12):
        folder = tmp_path / "cache" / "reexec" / "view" / f"old-{age}"
        folder.mkdir()
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    with viewing(SMALL_RUN.write(tmp_path), env=cache):
        pass
    left = sorted(path.name for path in (tmp_path / "cache" / "reexec" / "view").iterdir())
    assert len(left) == 8
    assert [name for name in left if name.startswith("old")] == [f"old-{age}" for age in range(7)]


def test_a_pipelines_folder_and_any_stages_output_are_shown(tmp_path: Path) -> None:
    reexec("pipeline", "--init", tmp_path / "pipeline.toml")
    assert reexec("pipeline", tmp_path / "pipeline.toml", cwd=tmp_path).code == 0
    record = json.loads((tmp_path / "run" / "pipeline.json").read_text())
    with viewing(tmp_path / "run") as view:
        page = view.get()
        for count in record["funnel"].values():
            assert f'<td class="n">{count}</td>' in page.text
        assert view.get(page.link("no-input-generator").split("/", 2)[2]).count == 1
        assert "reexec: examples/raw/morse.py" in view.get("rows", stage="generate").text
        assert view.get("rows", stage="verify-2").count > 0
    with viewing(tmp_path / "run" / "03-functions.jsonl") as view:
        assert view.get("rows").count == view.get("rows", verdict="left out").count == 3
