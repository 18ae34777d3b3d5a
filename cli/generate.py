"""`reexec generate`: responses in the unified form to functions with proven input/output pairs."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.engine.executor import Executor
from reexec.runners.rows.run import beside
from reexec.runners.stages.generate import CALLS, PAIRS, GenerateSummary
from reexec.runners.stages.generate import generate as run_generate

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("generate")(generate)


def generate(
    unified: Annotated[Path, typer.Argument(help="Responses to the transform stage's prompts.")],
    output: options.Output,
    pairs: Annotated[int, typer.Option("--pairs", help="Pairs of a function at most.", metavar="N")] = PAIRS,
    calls: Annotated[int, typer.Option("--calls", help="Calls of an input generator at most.", metavar="N")] = CALLS,
    reader: Annotated[str, typer.Option("--reader", help="The rows' form: codeio or reasoning-gym.")] = "codeio",
    drop_mutating: Annotated[
        bool, typer.Option("--drop-mutating", help="Drop pairs whose call changes its arguments.")
    ] = False,
    workers: options.Workers = None,
    policy: options.PolicyName = "codeio",
    settings: options.Settings = None,
    python: options.Python = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Run input generators and functions in the sandbox, and keep the pairs that are proven.

    Example: [bold]reexec generate examples/unified.jsonl -o functions.jsonl[/]

    A pair is kept where runs under different seeds give the same output; its input is the one from before the call.
    Functions with fewer than two pairs go to NAME.rejects.jsonl; NAME.drops.jsonl says what each function lost, and why.
    """
    count = options.worker_count(workers)
    chosen = options.selection(limit, shard)
    isolation = ""
    rows = screen.count_lines(unified, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("generate", rows) as meter:

        def started(executor: Executor, done: int) -> None:
            nonlocal isolation
            isolation = executor.isolation.value
            if done:
                meter.resumed(done)

        result = run_generate(
            unified,
            output,
            options.effective_policy(policy, settings),
            reader=reader,
            pairs=pairs,
            calls=calls,
            drop_mutating=drop_mutating,
            workers=count,
            python=str(python) if python else None,
            selection=chosen,
            overwrite=overwrite,
            on_function=meter.tell,
            on_start=started,
        )
    _show(result, meter, isolation, count, output, json)
    return exits.of_files(result.functions_in, result.rejected, result.engine_errors)


def _show(result: GenerateSummary, meter: screen.Meter, isolation: str, workers: int, output: Path, json: bool) -> None:
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"))
    if json:
        screen.summary(
            "generate",
            isolation=isolation,
            workers=workers,
            rows=result.functions_kept,
            rejected=result.rejected,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=result.engine_errors,
            functions_in=result.functions_in,
            functions_kept=result.functions_kept,
            pairs_kept=result.pairs_kept,
            trivial=result.trivial,
            reasons=result.reasons,
            pair_reasons=result.pair_reasons,
            missing_modules=result.missing_modules,
        )
        return
    counts = {"kept": result.functions_kept, **result.reasons}
    screen.out.print(screen.count_table(f"{result.functions_in:,} functions", counts))
    screen.out.print(
        f"{result.pairs_kept:,} proven pairs, {result.trivial:,} functions with one constant output; "
        f"{meter.wall_s:.1f} s, {workers} workers, isolation {isolation}"
    )
    missing = screen.missing_modules_line(result.missing_modules)
    if missing:
        screen.out.print(missing)
