"""Rules of a run's files and of what a verdict's text quotes, each of which a small change of the code would break unseen."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.engine.jail import interpreter
from reexec.engine.outcome import Outcome
from reexec.engine.pool.statistics import Statistics
from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel
from reexec.runners.pipeline.config import load_config
from reexec.runners.pipeline.plan import make_plan
from reexec.runners.rows import run as run_module
from reexec.runners.rows.documents import OutputError
from reexec.runners.rows.row import Result, Row
from reexec.runners.rows.sink import Sink
from reexec.runners.settings import Settings
from reexec.runners.stage import Stage
from reexec.runners.stages.assemble.row import same_key
from reexec.runners.stages.verify import VerifySettings, verify
from tests.support.helpers import function_row, manifest_of, read_rows, response, write_rows


class FakeExecutor:
    """Answers every call with one outcome."""

    isolation, workers = IsolationLevel.NSJAIL, 1

    def __init__(self, outcome: Outcome | None = None, version: str = "3.12.1") -> None:
        self.outcome, self.interpreter = outcome, SimpleNamespace(version_text=version)
        self.policy = load_policy("codeio", settings=["limits.cpu_s=2", "limits.idle_s=3"])

    def run_many(self, items: Any, **_: Any) -> Iterator[tuple[Outcome | None, Any]]:
        for _program, _arguments, tag in items:
            yield self.outcome, tag

    def statistics(self) -> Statistics:
        return Statistics()


class Copy(Stage[Settings]):
    """Copies rows; lines that hold none are rejects."""

    name, settings_type = "copy", Settings

    def open(self, stack: ExitStack, executor: Any) -> None:
        if executor is not None:
            self.executors, self.policy = (executor,), executor.policy

    def row(self, row: Row) -> Result:
        return Result(row, ("copied",), [row.line], counts={"rows": 1})


# -- files ----------------------------------------------------------------------------------------------------


def test_a_run_whose_files_could_not_be_opened_can_be_run_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = write_rows(tmp_path / "in.jsonl", [{"n": 1}]), tmp_path / "out.jsonl"

    def failing(path: Path, size: int = 0) -> Sink:
        raise OutputError(f"{path}: full")

    monkeypatch.setattr(run_module, "Sink", failing)
    with pytest.raises(OutputError, match="full"):
        Copy.run(source, output)
    monkeypatch.undo()
    assert Copy.run(source, output).rows == 1


def test_a_file_that_is_overwritten_is_never_described_by_the_manifest_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = write_rows(tmp_path / "in.jsonl", [{"n": n} for n in range(5)]), tmp_path / "out.jsonl"
    Copy.run(source, output)
    lines: list[int] = []

    def looking(path: Path, size: int = 0) -> Sink:
        lines.append(manifest_of(output)["progress"]["lines"])
        return Sink(path, size)

    monkeypatch.setattr(run_module, "Sink", looking)
    Copy.run(source, output, overwrite=True)
    assert lines == [0]


# -- keys -----------------------------------------------------------------------------------------------------


def test_another_interpreter_is_another_run(tmp_path: Path) -> None:
    source, output = write_rows(tmp_path / "in.jsonl", [{"n": 1}]), tmp_path / "out.jsonl"
    first: Any = FakeExecutor(version="3.12.1")
    Copy.run(source, output, None, first)
    assert manifest_of(output)["key"]["python"] == "3.12.1"
    assert Copy.run(source, output, None, first).left_alone
    other: Any = FakeExecutor(version="3.12.2")
    with pytest.raises(UsageError, match="was made with another python"):
        Copy.run(source, output, None, other)


def test_another_interpreter_repeats_the_stages_that_execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "f.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1))])
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "p.toml").write_text('folder = "run"\nfunctions = "f.jsonl"\n[infer]\nreplay = "a.jsonl"\n')
    config, known = load_config(tmp_path / "p.toml"), interpreter.ask()

    def decided(version: tuple[int, int, int]) -> dict[str, dict[str, Any]]:
        monkeypatch.setattr(interpreter, "ask", lambda *_: dataclasses.replace(known, version=version))
        return {stage.name: stage.decides for stage in make_plan(config, workers=1).stages}

    one, other = decided((3, 12, 1)), decided((3, 12, 2))
    assert {name for name in one if one[name] != other[name]} == {"audit", "verify-1", "verify-2"}


def test_equal_answers_to_other_prompts_are_no_duplicates() -> None:
    row = {"prompt": "a", "turn_1": "x", "feedback_1": "f", "turn_2": None}
    assert same_key(row) == same_key({**row, "feedback_1": "another", "id": "of another sample"})
    for other in ({**row, "prompt": "b"}, {**row, "turn_1": "y"}, {**row, "turn_2": "x"}):
        assert same_key(other) != same_key(row)


# -- what a text quotes ---------------------------------------------------------------------------------------


def message(tmp_path: Path, outcome: Outcome) -> str:
    functions = write_rows(tmp_path / "f.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1))])
    rows, output = write_rows(tmp_path / "r.jsonl", [response(0, 0, {"n": 5}, "i")]), tmp_path / "v.jsonl"
    executor: Any = FakeExecutor(outcome)
    verify(rows, output, VerifySettings(functions=functions), executor, overwrite=True)
    return str(read_rows(output)[0]["res"]["message"])


@pytest.mark.parametrize("varies", [None, False])
def test_a_value_that_holds_is_quoted(varies: bool | None, tmp_path: Path) -> None:
    assert "0.4142" in message(tmp_path, Outcome("value", 0.4142, varies=varies))


def test_a_value_that_was_another_one_in_the_second_run_is_not_quoted(tmp_path: Path) -> None:
    said = message(tmp_path, Outcome("value", 0.4142, varies=True))
    assert "0.4142" not in said
    assert "nor the same value each time" in said
