"""`reexec explain` finds the row that is meant and the files of its run, from wherever it is asked."""

import shutil
from pathlib import Path

import pytest

from tests.support.helpers import Done, Row, function_row, reexec, response, write_rows

WIDE = {"COLUMNS": "300"}
IDS: list[object] = ["q-1", "q-10", 7, 70, "caf\u00e9", 'say "hi"', "twice", "twice"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a run, which was started in it with relative paths."""
    folder = tmp_path_factory.mktemp("explain") / "project"
    for name in ("data", "runs"):
        (folder / name).mkdir(parents=True)
    pairs = [({"n": n}, n + 1) for n in range(len(IDS))]
    write_rows(folder / "data" / "f.jsonl", [function_row("def f(n):\n    return n + 1\n", *pairs)])
    rows: list[Row | str] = [response(0, n, n + 1, id=given, index=n if given == "twice" else 0) for n, given in enumerate(IDS)]
    rows += [response(99, 0, 1, id="lost-1", provenance={"path": "raw/lost.py"}), "not JSON"]
    rows.append({"itemid": 0, "ioid": 0, "io_pred": "o", "completion": "...", "id": "unmapped"})
    write_rows(folder / "data" / "r.jsonl", rows)
    done = reexec("verify", "data/r.jsonl", "-f", "data/f.jsonl", "-o", "runs/v.jsonl", "-w", "1", cwd=folder)
    assert done.code == 1, done.err
    return folder


def explain(folder: Path, *arguments: str | Path) -> Done:
    return reexec("explain", *arguments, cwd=folder, env=WIDE)


def shown(folder: Path, wanted: str, file: str = "runs/v.jsonl") -> str:
    done = explain(folder, file, wanted, *([] if "rejects" in file or wanted == "lost-1" else ["--no-run"]))
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5])
def test_a_row_is_found_by_the_id_that_its_owner_gave_it(place: int, project: Path) -> None:
    assert f'{{"n": {place}}}' in shown(project, str(IDS[place]))


def test_the_beginning_of_an_id_is_enough_where_one_row_has_it(project: Path) -> None:
    assert '{"n": 4}' in shown(project, "caf")
    line = explain(project, "runs/v.jsonl", "q").one_line()
    assert "the ids of 2 rows begin with 'q' (lines :1, :2); give more of the id, or a line" in line
    line = explain(project, "runs/v.jsonl", "twice").one_line()
    assert "2 rows have the id 'twice' (lines :7, :8); give a line" in line
    assert '{"n": 7}' in shown(project, ":8")
    assert "no row 'nobody'" in explain(project, "runs/v.jsonl", "nobody").one_line()


def test_a_rejected_row_is_explained_by_line_and_by_id(project: Path) -> None:
    for text in (shown(project, ":1", "runs/v.rejects.jsonl"), shown(project, "lost-1"),
                 shown(project, "lost", "runs/v.rejects.jsonl")):  # fmt: skip
        assert "by verify" in text
        assert "itemid is 99, but there are 1 functions" in text
        assert f"data/r.jsonl, line {len(IDS) + 1}" in text
        assert "raw/lost.py" in text
    assert "not JSON" in shown(project, ":2", "runs/v.rejects.jsonl")
    assert "use --map output=completion" in shown(project, "unmapped", "runs/v.rejects.jsonl")


def test_it_works_from_another_folder(project: Path, tmp_path: Path) -> None:
    done = explain(tmp_path, project / "runs" / "v.jsonl", "q-1")
    assert done.code == 0, done.err
    assert "the program now" in done.out
    assert str(project / "data" / "f.jsonl") in done.out


def test_a_file_of_the_same_name_where_one_stands_is_not_taken(project: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / "f.jsonl", [function_row("def g(n):\n    return 0\n", entry="g")])
    assert str(project / "data" / "f.jsonl") in explain(tmp_path, project / "runs" / "v.jsonl", "q-1", "--no-run").out


def test_it_works_after_a_move_and_says_what_to_give_where_it_cannot(project: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(project, moved)
    manifest = moved / "runs" / "v.manifest.json"
    manifest.write_text(manifest.read_text().replace(str(project), "/nowhere"))
    done = explain(tmp_path, "moved/runs/v.jsonl", "q-1", "--no-run")
    assert done.code == 0, done.err
    assert "moved/data/f.jsonl" in done.out
    (moved / "data" / "f.jsonl").rename(tmp_path / "elsewhere.jsonl")
    failed = explain(tmp_path, "moved/runs/v.jsonl", "q-1", "--no-run")
    assert failed.code == 2
    assert "its functions file data/f.jsonl is not there; give it with -f FILE" in failed.one_line()
    assert explain(tmp_path, "moved/runs/v.jsonl", "q-1", "--no-run", "-f", "elsewhere.jsonl").code == 0
