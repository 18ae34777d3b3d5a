"""`reexec audit`: which recorded pairs are reproducible, and why the others are not."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.executor import Executor
from reexec.runners.rows.run import beside
from reexec.runners.stages.audit import AuditSummary
from reexec.runners.stages.audit import audit as run_audit

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("audit")(audit)


def audit(
    functions: Annotated[Path, typer.Argument(help="Rows with refcode, funcname and ios.")],
    output: options.Output,
    keep: Annotated[Path | None, typer.Option("--keep", help="Write the proven pairs, with their ids, here.")] = None,
    workers: options.Workers = None,
    policy: options.PolicyName = "codeio",
    settings: options.Settings = None,
    python: options.Python = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Re-execute every recorded pair in isolation, under two hash seeds: reproducible or not, and why.

    Example: [bold]reexec audit examples/functions.jsonl -o report.jsonl --keep proven.jsonl[/]
    """
    count = options.worker_count(workers)
    isolation = ""
    rows = screen.count_lines(functions, limit)
    with screen.progress("audit", rows) as meter:

        def started(executor: Executor, done: int) -> None:
            nonlocal isolation
            isolation = executor.isolation.value
            if done:
                meter.resumed(done)

        result = run_audit(
            functions,
            output,
            options.effective_policy(policy, settings),
            workers=count,
            python=str(python) if python else None,
            keep_path=keep,
            selection=options.selection(limit, shard),
            overwrite=overwrite,
            on_pair=meter.tell,
            on_start=started,
        )
    _show(result, meter, isolation, count, output, keep, json)
    return exits.of_files(result.functions, result.rejected, result.engine_errors)


def _show(
    result: AuditSummary, meter: screen.Meter, isolation: str, workers: int, output: Path, keep: Path | None, json: bool
) -> None:
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary(
            "audit",
            isolation=isolation,
            workers=workers,
            rows=result.functions,
            rejected=result.rejected,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=result.engine_errors,
            pairs=result.pairs,
            reproducible=result.reproducible,
            reasons=result.reasons,
            missing_modules=result.missing_modules,
        )
        return
    counts = {"reproducible": result.reproducible, **result.reasons}
    screen.out.print(screen.count_table(f"{result.pairs:,} pairs of {result.functions:,} functions", counts))
    screen.out.print(f"{meter.wall_s:.1f} s, {workers} workers, isolation {isolation}; report in {output}")
    if keep:
        screen.out.print(f"proven pairs in {keep}")
    missing = screen.missing_modules_line(result.missing_modules)
    if missing:
        screen.out.print(missing)
