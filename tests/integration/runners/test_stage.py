"""The skeleton of a stage: whatever one row does, the run goes on, and says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from reexec.engine.errors import EngineError, UsageError
from reexec.engine.executor import Executor
from reexec.engine.program import Program
from reexec.runners.execution import ExecutorOptions, Work, executed, side_by_side
from reexec.runners.records import predicted
from reexec.runners.rows.row import Result, Row, Selection
from reexec.runners.rows.text import BadRowError
from reexec.runners.settings import Flag, Settings, flag_of
from reexec.runners.stage import Stage
from reexec.runners.stages.verify import VerifySettings, verify
from tests.support.helpers import function_row, manifest_of, read_rows, response, write_rows
from tests.support.progress import StopAfter


class CopySettings(Settings):
    times: Annotated[int, Field(ge=1)] = 1
    quietly: Annotated[bool, Flag(decides=False)] = False


class Copy(Stage[CopySettings]):
    """Copies rows; one with `raise` raises that."""

    name = "copy"
    settings_type = CopySettings
    numbers = ("copies",)
    tallies = ("kinds",)

    def note(self, row: Row) -> None:
        self.seen.note(str(row.data.get("n")), row)

    def row(self, row: Row) -> Result:
        if "raise" in row.data:
            raise {"key": KeyError("x"), "depth": RecursionError("deep"), "row": BadRowError("bad, at $.raise"),
                   "usage": UsageError("no"), "engine": EngineError("no", stage="s"), "memory": MemoryError()}[
                       row.data["raise"]]  # fmt: skip
        self.seen.refuse_repeated(str(row.data["n"]), row, "the n of", "n")
        lines = [row.line] * self.settings.times
        return Result(row, ("copied",), lines, counts={"rows": 1, "copies": len(lines), "kinds": {"row": 1}})


class CopyThroughPrograms(Copy):
    """The same, with a call in between: `raise` says nothing before the call, `after` something behind it."""

    executes = True

    def open(self, stack: Any, executor: Executor | ExecutorOptions | None) -> None:
        assert isinstance(executor, Executor)
        self.executors, self.policy = (executor,), executor.policy

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        return executed(rows, self.executors, self.before, self.after)

    def before(self, row: Row) -> Work:
        super().row(row)
        return Work(row, row.data["n"], [(Program("def f(n):\n    return n + 1", "f"), {"n": row.data["n"]})])

    def after(self, work: Work) -> Result:
        ((outcome,),) = work.outcomes
        if work.state == 3:
            raise ZeroDivisionError("three")
        return Result(work.row, ("copied",), [str(outcome.value).encode()], counts={"rows": 1})


class CopySideBySide(Copy):
    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        async def made(row: Row) -> Result:
            return self.row(row)

        return side_by_side(rows, made, window=4)


@pytest.mark.parametrize("kind", [Copy, CopySideBySide])
def test_an_exception_on_a_row_is_that_rows_reject_and_the_run_goes_on(kind: type[Copy], tmp_path: Path) -> None:
    rows: list[Any] = [
        {"n": 0},
        {"raise": "key"},
        {"n": 1},
        {"raise": "depth"},
        "not JSON",
        {"raise": "row"},
        {"n": 0},
        {"n": 2},
    ]
    summary = kind.run(write_rows(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", CopySettings(times=2))
    assert [row["n"] for row in read_rows(tmp_path / "out.jsonl")] == [0, 0, 1, 1, 2, 2]
    reasons = {row["line"]: row["reason"] for row in read_rows(tmp_path / "out.rejects.jsonl")}
    assert list(reasons) == [2, 4, 5, 6, 7]
    assert reasons[2] == "an error in reexec itself, which says nothing about the row: KeyError: 'x'"
    assert "RecursionError" in reasons[4]
    assert (reasons[6], reasons[7]) == ("bad, at $.raise", "the n of line 1, at $.n")
    assert (summary.rows, summary.read, summary.used, summary.rejected) == (3, 8, 3, 5)
    assert (summary.engine_errors, summary.unreadable) == (2, 1)
    assert summary.counts == {"copies": 6, "kinds": {"row": 3}}


def test_an_exception_before_or_after_a_call_is_that_rows_reject(tmp_path: Path) -> None:
    rows: list[Any] = [{"n": 1}, {"raise": "key"}, {"n": 2}, {"n": 3}, {"n": 4}]
    with Executor(workers=1) as executor:
        summary = CopyThroughPrograms.run(write_rows(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", None, executor)
    assert (tmp_path / "out.jsonl").read_text().split() == ["2", "3", "5"]
    assert ["KeyError" in row["reason"] for row in read_rows(tmp_path / "out.rejects.jsonl")] == [True, False]
    assert "ZeroDivisionError" in read_rows(tmp_path / "out.rejects.jsonl")[1]["reason"]
    assert (summary.engine_errors, summary.workers) == (2, 1)


@pytest.mark.parametrize(("word", "error"), [("usage", UsageError), ("engine", EngineError), ("memory", MemoryError)])
@pytest.mark.parametrize("kind", [Copy, CopySideBySide])
def test_the_callers_and_the_hosts_faults_end_the_run(
    kind: type[Copy], word: str, error: type[Exception], tmp_path: Path
) -> None:
    rows: list[Any] = [{"n": 0}, {"raise": word}, {"n": 1}]
    source = write_rows(tmp_path / "in.jsonl", rows)
    with pytest.raises(error):
        kind.run(source, tmp_path / "out.jsonl")
    assert manifest_of(tmp_path / "out.jsonl")["state"] == "interrupted"
    assert [row["n"] for row in read_rows(tmp_path / "out.jsonl")] == [0]


@pytest.mark.parametrize("kind", [Copy, CopySideBySide])
def test_a_run_that_was_interrupted_goes_on_and_knows_what_it_saw(kind: type[Copy], tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", [{"n": n % 7} for n in range(20)])
    with pytest.raises(KeyboardInterrupt):
        kind.run(source, tmp_path / "out.jsonl", progress=StopAfter(5))
    summary = kind.run(source, tmp_path / "out.jsonl")
    assert (summary.resumed_rows, summary.rows, summary.rejected, summary.left_alone) == (5, 7, 13, False)
    again = kind.run(source, tmp_path / "out.jsonl")
    assert (again.rows, again.rejected, again.left_alone) == (7, 13, True)
    assert again.lasting() == summary.lasting()


def test_settings_that_decide_are_the_key_of_the_run_and_others_are_not(tmp_path: Path) -> None:
    source, output = write_rows(tmp_path / "in.jsonl", [{"n": 1}]), tmp_path / "out.jsonl"
    Copy.run(source, output, CopySettings(times=2))
    assert Copy.run(source, output, CopySettings(times=2, quietly=True)).left_alone
    with pytest.raises(UsageError, match="was made with another times"):
        Copy.run(source, output, CopySettings(times=3))
    with pytest.raises(UsageError, match="was made with another limit"):
        Copy.run(source, output, CopySettings(times=2), selection=Selection(1))
    assert Copy.run(source, output, CopySettings(times=3), overwrite=True).counts["copies"] == 3
    assert (flag_of(CopySettings, "times").decides, flag_of(CopySettings, "quietly").decides) == (True, False)


def test_a_real_stage_survives_its_own_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = write_rows(
        tmp_path / "f.jsonl", [function_row("def f(n):\n    return n\n", *(({"n": n}, n) for n in range(4)))]
    )
    rows = [response(0, n, n) for n in range(4)]
    module: Any = predicted
    real = module.extract_answer

    def faulty(text: str, *more: Any) -> Any:
        if "2" in text:
            raise AssertionError("nobody thought of this")
        return real(text, *more)

    monkeypatch.setattr(module, "extract_answer", faulty)
    summary = verify(
        write_rows(tmp_path / "r.jsonl", rows),
        tmp_path / "v.jsonl",
        VerifySettings(functions=functions),
        ExecutorOptions(workers=1),
    )
    assert (summary.counts["verdicts"], summary.rejected, summary.engine_errors) == ({"accepted": 3}, 1, 1)
    assert "nobody thought of this" in summary.first_reject
