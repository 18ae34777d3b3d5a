"""verify --execute-outputs: an output prediction is held against what the function returns now, not against the record."""

from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.execution import ExecutorOptions
from reexec.runners.pipeline.config import load_config
from reexec.runners.pipeline.plan import make_plan
from reexec.runners.stages.verify import VerifySettings, verify
from reexec.runners.stages.verify.feedback import FEEDBACK_FILE
from tests.support.helpers import Row, function_row, manifest_of, read_rows, response, write_rows

SOURCE = "def f(n):\n    if n == 3:\n        raise KeyError('three')\n    return n + 1\n"
# (input, recorded output): the second record is wrong, the function fails on the last.
PAIRS = [({"n": 1}, 2), ({"n": 2}, 99), ({"n": 3}, 4)]
ROWS = [response(0, 0, 2), response(0, 1, 3), response(0, 1, 99), response(0, 2, 4), response(0, 1, {"n": 98}, "i")]


def verified(folder: Path, execute: bool, *, templates: Path | None = None) -> list[Row]:
    functions = write_rows(folder / "f.jsonl", [function_row(SOURCE, *PAIRS)])
    rows, output = write_rows(folder / "r.jsonl", ROWS), folder / "v.jsonl"
    settings = VerifySettings(functions=functions, execute_outputs=execute, templates=templates)
    verify(rows, output, settings, ExecutorOptions(workers=1), overwrite=True)
    return read_rows(output)


def words(rows: list[Row]) -> list[str]:
    return [row["verdict"] for row in rows]


def test_the_record_decides_unless_outputs_are_executed(tmp_path: Path) -> None:
    assert words(verified(tmp_path, False)) == ["accepted", "wrong-answer", "accepted", "accepted", "accepted"]
    executed = verified(tmp_path, True)
    assert words(executed) == ["accepted", "accepted", "wrong-answer", "runtime-error", "accepted"]
    assert [row["res"]["status"] for row in executed[:4]] == ["success", "success", "failed", "exception"]
    assert "99" in executed[2]["res"]["message"]
    assert "3" not in executed[2]["res"]["message"], "the right output is not told"
    assert "could not be judged" in executed[3]["res"]["message"]
    assert "KeyError: three" in executed[3]["res"]["message"].replace("'", "")


def test_a_template_of_before_need_not_have_the_new_text(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    ours = FEEDBACK_FILE.load().path.read_text()
    (folder / "feedback.toml").write_text("\n".join(line for line in ours.splitlines() if not line.startswith("not-run")))
    assert "could not be judged" in verified(tmp_path, True, templates=folder)[3]["res"]["message"]


def test_it_is_part_of_the_runs_key(tmp_path: Path) -> None:
    verified(tmp_path, True)
    output = tmp_path / "v.jsonl"
    assert manifest_of(output)["key"]["execute_outputs"] is True
    with pytest.raises(UsageError, match="another execute_outputs"):
        verify(tmp_path / "r.jsonl", output, VerifySettings(functions=tmp_path / "f.jsonl"), ExecutorOptions(workers=1))


def test_a_pipelines_config_says_it_for_every_turn(tmp_path: Path) -> None:
    write_rows(tmp_path / "f.jsonl", [function_row(SOURCE, *PAIRS)])
    (tmp_path / "a.jsonl").write_text("")
    text = 'folder = "run"\nfunctions = "f.jsonl"\n[infer]\nreplay = "a.jsonl"\n[verify]\nexecute_outputs = true\n'
    (tmp_path / "p.toml").write_text(text)
    plan = make_plan(load_config(tmp_path / "p.toml"), workers=1)
    found = [stage.decides["execute_outputs"] for stage in plan.stages if stage.name.startswith("verify-")]
    assert found == [True, True]
    (tmp_path / "p.toml").write_text(text + 'functions = "other.jsonl"\n')
    with pytest.raises(UsageError, match=r"at \$\.verify\.functions"):
        load_config(tmp_path / "p.toml")
