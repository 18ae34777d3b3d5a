"""A mistake that shows in the arguments is told before a worker is started for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.execution import ExecutorOptions
from reexec.runners.stages.audit import Audit
from reexec.runners.stages.generate import Generate, GenerateSettings
from reexec.runners.stages.verify import Verify, VerifySettings
from tests.support.helpers import FUNCTIONS, RESPONSES


class StartedError(Exception):
    pass


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StartedError

    monkeypatch.setattr("reexec.engine.executor.Executor.__init__", refuse)


VERIFY = VerifySettings(functions=FUNCTIONS)
RUNS: dict[str, Callable[[Path, Path, ExecutorOptions], Any]] = {
    "verify": lambda source, output, executor: Verify.run(source, output, VERIFY, executor),
    "audit": lambda source, output, executor: Audit.run(source, output, None, executor),
    "generate": lambda source, output, executor: Generate.run(source, output, GenerateSettings(), executor),
}


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("missing.jsonl", "o.jsonl", "cannot be read"),
        (".", "o.jsonl", "folder"),
        (RESPONSES, "missing/o.jsonl", "its folder does not exist"),
        (RESPONSES, "-", "an output is a file"),
        (RESPONSES, RESPONSES, "the output is the input"),
        (RESPONSES, ".", "is a folder"),
        (RESPONSES, "..", "is a folder"),
        (RESPONSES, "/", "is a folder"),
        (RESPONSES, "mine.jsonl", "exists and is not a run's output"),
    ],
)
@pytest.mark.parametrize("stage", RUNS)
def test_wrong_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, source: str, output: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text("my own\n")
    with pytest.raises(UsageError, match=said):
        RUNS[stage](Path(source), Path(output), ExecutorOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


def test_wrong_functions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Verify.run(RESPONSES, tmp_path / "o.jsonl", VerifySettings(functions=tmp_path / "missing.jsonl"), ExecutorOptions())
    with pytest.raises(StartedError):
        Verify.run(RESPONSES, tmp_path / "o.jsonl", VERIFY, ExecutorOptions())
