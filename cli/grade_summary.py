"""What a run of `reexec grade` tells at its end."""

from pathlib import Path
from typing import Any

from reexec.engine.commands import AnyExecutor
from reexec.runners.graders.stage import GradeSummary
from reexec.runners.graders.task import Task
from reexec.runners.rows.run import beside

from . import options, screen


def spared_by(executor: AnyExecutor) -> dict[str, int]:
    counted = executor.statistics()
    return {"recalled": counted.recalled, "shared": counted.shared}


def tell_spared(executor: AnyExecutor) -> None:
    told = options.spared(**spared_by(executor))
    if told:
        screen.out.print(told)


def tell_losses(result: GradeSummary, output: Path) -> None:
    rejects = beside(output, "rejects.jsonl")
    screen.tell_rejects(result.rejected, result.first_reject, rejects, all_of_them=not result.rows, has_map=False)


def grade_fields(task: Task, result: GradeSummary, executor: AnyExecutor, meter: screen.Meter) -> dict[str, Any]:
    """The summary for machines."""
    fields: dict[str, Any] = {"task": task.name, "rows": result.rows, "passed": result.passed, "problems": result.problems}
    fields["problems_without_samples"] = max(0, len(task.problems) - result.problems)
    for k, each in result.estimates.items():
        fields[f"pass_at_{k}"] = round(each.value, 6)
        fields[f"pass_at_{k}_interval"] = [round(each.low, 6), round(each.high, 6)]
    return {
        **fields,
        "lifted": result.lifted,
        "verdicts": result.verdicts,
        "rejected": result.rejected,
        "resumed_rows": result.resumed_rows,
        "isolation": executor.isolation.value,
        "workers": executor.workers,
        **spared_by(executor),
        "wall_s": round(meter.wall_s, 3),
        "rows_per_s": round(meter.rows_per_s, 1),
        "engine_errors": result.engine_errors,
        **result.more,
    }
