"""One run of a task: samples in, graded rows out, resumable as every stage is.

Beside OUT.jsonl: OUT.tests.jsonl (a row a sample with the word of each of its tests), OUT.rejects.jsonl where samples
cannot be used, OUT.manifest.json. pass@k is counted from the finished output, so a resumed run counts all of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.commands import AnyExecutor
from reexec.runners.rows.run import Row, Selection, StageRun, beside
from reexec.runners.rows.source import read_lines
from reexec.runners.rows.text import dump, parse_row, splice

from .flow import Attempt, run_attempts
from .pass_at_k import Estimate, estimates
from .plan import Plan, Result
from .problems import MOST_LINE_BYTES, Problems, id_of
from .task import BadSampleError, Task


@dataclass(frozen=True, slots=True)
class GradeSummary:
    rows: int
    passed: int
    rejected: int
    first_reject: str
    unreadable: int
    resumed_rows: int
    verdicts: dict[str, int]
    engine_errors: int
    problems: int
    """Problems that have samples."""
    estimates: dict[int, Estimate] = field(default_factory=dict)
    """pass@k over these problems, samples that the engine failed on left out."""
    lifted: float | None = None
    """The share of assertions, over the graded samples, that were judged on the host; None where a task has none."""
    more: dict[str, Any] = field(default_factory=dict)
    """What a task adds."""


def grade(
    task: Task,
    samples_path: Path,
    output_path: Path,
    executor: AnyExecutor,
    *,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> GradeSummary:
    """Grades a file of samples. `on_row` is told each verdict word, or `rejected`. Raises UsageError where nothing could be
    read or written; a KeyboardInterrupt leaves whole files behind, from which the same call goes on."""
    run = StageRun(
        f"grade {task.name}",
        samples_path,
        output_path,
        key={
            "problems": task.problems.digest,
            "policy": executor.policy.digest,
            "python": executor.interpreter.version_text,
            "settings": task.settings(),
        },
        facts={
            "problems": [str(path) for path in task.problems.paths],
            "isolation": executor.isolation.value,
            "workers": executor.workers,
            "policy": executor.policy.model_dump(mode="json"),
        },
        selection=selection,
        overwrite=overwrite,
        side_files=(beside(output_path, "tests.jsonl"),),
        also_read=task.problems.paths,
        most_line_bytes=MOST_LINE_BYTES,
    )
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    task.prepare()
    run.open()
    stage = _Grade(task, run)
    state = "interrupted"
    try:
        for attempt in run_attempts(executor, stage.attempts()):
            word = stage.finish(attempt)
            if on_row is not None:
                on_row(word)
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    return stage.summary()


class _Grade:
    def __init__(self, task: Task, run: StageRun) -> None:
        self._task, self._run = task, run
        self._counts = run.progress.counts
        self._counts.setdefault("rejected", 0)
        self._verdicts: dict[str, int] = self._counts.setdefault("verdicts", {})

    def attempts(self) -> Iterator[Attempt]:
        for row in self._run.rows():
            fault, plan = row.fault, Plan()
            if fault is None:
                try:
                    plan = self._task.plan(row.data, self._task.key_for(row.data))
                except BadSampleError as error:
                    fault = str(error)
            yield Attempt(plan, (row, fault))

    def finish(self, attempt: Attempt) -> str:
        row, fault = attempt.tag
        if fault is not None:
            self._run.reject(row, fault)
            return "rejected"
        plan, results = attempt.plan, attempt.finished_results()
        members = self._task.members(plan, results)
        word = str(members["verdict"])
        line = splice(row.line, row.data, members)
        self._run.begin()
        self._verdicts[word] = self._verdicts.get(word, 0) + 1
        for name, more in (("passed", bool(members["passed"])), ("lifted", plan.lifted), ("assertions", plan.assertions)):
            self._counts[name] = self._counts.get(name, 0) + more
        self._task.note(self._counts, members)
        self._run.write(row, [line], [[_side_line(row, word, plan, results)]])
        return word

    def summary(self) -> GradeSummary:
        counts, progress = self._counts, self._run.progress
        tallies = _tallies(self._run.output, self._task.problems)
        assertions = counts.get("assertions", 0)
        return GradeSummary(
            rows=sum(self._verdicts.values()),
            passed=counts.get("passed", 0),
            rejected=counts["rejected"],
            first_reject=counts.get("first_reject", ""),
            unreadable=counts.get("unreadable", 0),
            resumed_rows=self._run.resumed_lines,
            verdicts=dict(sorted(self._verdicts.items(), key=lambda item: (-item[1], item[0]))),
            engine_errors=self._verdicts.get("engine-error", 0),
            problems=len(tallies),
            estimates=estimates(tallies),
            lifted=round(counts.get("lifted", 0) / assertions, 6) if assertions else None,
            more=self._task.summary(progress.counts),
        )


def _side_line(row: Row, word: str, plan: Plan, results: list[Result]) -> bytes:
    tests = []
    for test, result in zip(plan.tests, results, strict=True):
        entry: dict[str, Any] = {"name": test.name, "verdict": result.word}
        if test.group:
            entry["group"] = test.group
        if result.detail and not result.passed:
            entry["detail"] = result.detail[:500]
        tests.append(entry)
    record: dict[str, Any] = {"line": row.number, "task_id": id_of(row.data), "verdict": word, "tests": tests}
    if plan.detail:
        record["detail"] = plan.detail
    if "why" in plan.facts:
        record["asserted inside the jail"] = plan.facts["why"]
    if "apart" in plan.facts:
        record["judged apart from the solution"] = plan.facts["apart"]
    return dump(record).encode("ascii")


def _tallies(output: Path, problems: Problems) -> list[tuple[int, int]]:
    """(samples, passed ones) of every problem in a finished output."""
    found: dict[str, list[int]] = {}
    for number, line in read_lines(output, MOST_LINE_BYTES):
        row = parse_row(line)
        if row["verdict"] == "engine-error":
            continue
        given = id_of(row)
        key = f"line {number}" if given is None else problems.key_of(given) or given
        tally = found.setdefault(key, [0, 0])
        tally[0] += 1
        tally[1] += bool(row["passed"])
    return [(n, c) for n, c in found.values()]
