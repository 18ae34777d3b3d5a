"""`reexec verify`: model responses to verdicts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from reexec.engine.executor import Executor
from reexec.runners.rows.run import beside
from reexec.runners.stages.verify.feedback import Feedback
from reexec.runners.stages.verify.stage import VerifySummary
from reexec.runners.stages.verify.stage import verify as run_verify

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("verify")(verify)


def verify(
    responses: Annotated[Path, typer.Argument(help="Rows with itemid, ioid, io_pred and output.")],
    output: options.Output,
    functions: Annotated[Path, typer.Option("--functions", "-f", help="Rows with refcode, funcname and ios.")],
    usage: Annotated[Path | None, typer.Option("--usage", help="Write CPU, wall and memory of each check here.")] = None,
    templates: Annotated[Path | None, typer.Option("--templates", help="A folder whose feedback.toml replaces ours.")] = None,
    workers: options.Workers = None,
    policy: options.PolicyName = "codeio",
    settings: options.Settings = None,
    python: options.Python = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Judge a file of predictions by re-executing the functions they are about.

    Example: [bold]reexec verify examples/responses.jsonl --functions examples/functions.jsonl -o verified.jsonl[/]

    Rows keep every field; `verdict`, `res` (status and feedback) and ids are added. Rows that cannot be used go to
    NAME.rejects.jsonl. An interrupted run goes on where it stopped when the same command is given again.
    """
    chosen = options.selection(limit, shard)
    feedback = Feedback(templates)
    rows = screen.count_lines(responses, limit, chosen.shard[1] if chosen.shard else 1)
    with options.open_executor(options.effective_policy(policy, settings), workers, python) as executor:
        with screen.progress("verify", rows) as meter:
            result = run_verify(
                functions,
                responses,
                output,
                executor,
                feedback=feedback,
                usage_path=usage,
                selection=chosen,
                overwrite=overwrite,
                on_row=meter.tell,
                on_resume=meter.resumed,
            )
        show_verify(result, executor, meter, output, json)
    return exits.of_files(result.rows, result.rejected, result.engine_errors)


def show_verify(result: VerifySummary, executor: Executor, meter: screen.Meter, output: Path, json: bool) -> None:
    """The table for people, or the line for machines."""
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary("verify", **verify_fields(result, executor, meter))
        return
    screen.out.print(screen.count_table(f"{result.rows:,} predictions", result.verdicts))
    if result.resumed_rows and not meter.rows:
        screen.out.print(f"{output} is complete already; it was left alone")
    else:
        screen.out.print(
            f"{meter.rows:,} rows in {meter.wall_s:.1f} s: {meter.rows_per_s:,.0f} rows/s, "
            f"{executor.workers} workers, isolation {executor.isolation.value}"
        )
    if result.pass_rates:
        rates = result.pass_rates
        screen.out.print(
            f"several samples a prompt: mean pass rate {rates['mean_over_pairs']:.3f} over {rates['prompts']:,} prompts, "
            f"{rates['mean_over_functions']:.3f} over functions (see {rates['file']})"
        )
    if result.limit_disagreements:
        screen.out.print(
            f"{result.limit_disagreements:,} checks came to a limit on time in one of two runs: their need lies near it "
            "(--usage FILE says which)"
        )
    missing = screen.missing_modules_line(result.missing_modules)
    if missing:
        screen.out.print(missing)


def verify_fields(result: VerifySummary, executor: Executor, meter: screen.Meter) -> dict[str, Any]:
    """The summary for machines."""
    return {
        "isolation": executor.isolation.value,
        "workers": executor.workers,
        "rows": result.rows,
        "rejected": result.rejected,
        "resumed_rows": result.resumed_rows,
        "wall_s": round(meter.wall_s, 3),
        "rows_per_s": round(meter.rows_per_s, 1),
        "engine_errors": result.engine_errors,
        "limit_disagreements": result.limit_disagreements,
        "verdicts": result.verdicts,
        "missing_modules": result.missing_modules,
        "pass_rates": result.pass_rates,
    }
