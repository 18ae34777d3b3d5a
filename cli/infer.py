"""`reexec infer`: prompts to a model's responses."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reexec.engine.errors import UsageError
from reexec.runners.rows.run import Selection, beside
from reexec.runners.stages.infer.cost import Prices
from reexec.runners.stages.infer.settings import AskSettings, Sampling, schema_format

from . import exits, options, screen
from .terminal import styled

if TYPE_CHECKING:
    from reexec.runners.stages.infer.stage import InferSummary, Told


def register(app: typer.Typer) -> None:
    app.command("infer")(infer)


def infer(
    messages: Annotated[Path, typer.Argument(help="Rows with `messages`, and `id` where they have one.")],
    output: options.Output,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model's name; `local` needs the extra reexec[local].", metavar="M")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Where it is served; known models find their own.", metavar="URL")
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option("--key-env", help="The variable that holds the key. Keys are read from there only.", metavar="NAME"),
    ] = None,
    known: Annotated[
        Path | None, typer.Option("--known", help="A TOML file with endpoints and prices of your own.", metavar="FILE")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="Replies to each prompt.", metavar="N")] = 1,
    temperature: Annotated[float, typer.Option("--temperature", help="Sampling temperature.")] = 0.7,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Of a reply.", metavar="N")] = 4096,
    json_schema: Annotated[
        Path | None, typer.Option("--json-schema", help="Replies must follow this JSON schema.", metavar="FILE")
    ] = None,
    keep: Annotated[
        str, typer.Option("--keep", help="Finish reasons of replies that are kept, with commas.", metavar="WORDS")
    ] = "stop",
    concurrency: Annotated[int, typer.Option("--concurrency", help="Most requests at the same time.", metavar="N")] = 32,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for one request.", metavar="S")] = 600.0,
    tries: Annotated[int, typer.Option("--tries", help="Tries for each request.", metavar="N")] = 3,
    price_in: Annotated[float | None, typer.Option("--price-in", help="Per million prompt tokens.")] = None,
    price_out: Annotated[float | None, typer.Option("--price-out", help="Per million tokens of replies.")] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", help="Ask no more when the next request could pass it.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Take recorded responses; nothing is sent.", metavar="FILE")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the first prompt and an estimate; nothing is sent.")] = False,
    names: options.Map = None,
    limit: options.Limit = None,
    shard: options.Shard = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Ask a model every prompt of a file, and keep its responses in the order of the file.

    Example: [bold]reexec infer examples/messages.jsonl -o answers.jsonl --replay examples/unified.jsonl[/]

    Every answer is in NAME.log.jsonl as soon as it has come: re-running an interrupted run asks only for what is missing,
    and for what failed (NAME.rejects.jsonl). To ask everything anew, delete the log.
    """
    if replay is None and model is None:
        raise UsageError("--model: which model is to be asked? (or --replay FILE)")
    # Imported here: the openai client takes most of a second to import, which no other command should pay.
    from reexec.runners.stages.infer.known import load_known
    from reexec.runners.stages.infer.stage import infer as run_infer
    from reexec.runners.stages.infer.stage import replay_recorded as run_replay

    sampling = Sampling(
        model=model or "recorded",
        temperature=temperature,
        max_tokens=max_tokens,
        samples=samples,
        response_format=schema_format(json_schema) if json_schema else None,
    )
    asking = AskSettings(
        concurrency=concurrency,
        tries=tries,
        timeout_s=timeout,
        keep=frozenset(word.strip() for word in keep.split(",") if word.strip()),
    )
    prices = _prices(price_in, price_out)
    chosen = options.selection(limit, shard, names)
    if dry_run:
        return _dry_run(messages, output, sampling, asking, prices, chosen, json)
    rows = screen.count_lines(messages, limit, chosen.shard[1] if chosen.shard else 1)
    with screen.progress("infer", rows * samples if rows else rows) as meter:
        if replay is not None:
            result = run_replay(
                messages,
                output,
                replay,
                sampling,
                settings=asking,
                selection=chosen,
                overwrite=overwrite,
                on_row=meter.tell,
                on_resume=meter.resumed,
            )
        else:
            result = run_infer(
                messages,
                output,
                sampling,
                base_url=base_url,
                key_env=key_env,
                known=load_known(known),
                settings=asking,
                prices=prices,
                max_cost=max_cost,
                selection=chosen,
                overwrite=overwrite,
                on_entry=_Teller(meter).tell,
                on_resume=meter.resumed,
            )
    _show(result, sampling, meter, output, json)
    from reexec.runners.losses import lost

    gone = sum(lost("infer", {"reasons": result.reasons, "unusable": result.unusable}).values())
    return exits.USAGE if result.rejected and not result.rows else exits.IMPERFECT if gone or result.stopped else exits.DONE


def _prices(price_in: float | None, price_out: float | None) -> Prices | None:
    if price_in is None and price_out is None:
        return None
    if price_in is None or price_out is None or min(price_in, price_out) < 0:
        raise UsageError("--price-in and --price-out: both are needed, 0 or more, per million tokens")
    return Prices(price_in, price_out)


class _Teller:
    """Passes words to the meter, and says once what the whole run is going to cost."""

    AFTER = 50

    def __init__(self, meter: screen.Meter) -> None:
        self._meter = meter

    def tell(self, told: "Told") -> None:
        self._meter.tell(told.word)
        if self._meter.rows == self.AFTER and told.projection is not None and told.cost is not None:
            screen.err.print(f"cost so far {told.cost:.4f}, about {told.projection:.2f} for the whole file", markup=False)


def _show(result: "InferSummary", sampling: Sampling, meter: screen.Meter, output: Path, json: bool) -> None:
    screen.tell_rejects(result.rejected, result.first_reject, beside(output, "rejects.jsonl"), all_of_them=not result.rows)
    if result.stopped == "no-reply":
        screen.err.print(f"reexec: the server answered none of {result.asked:,} requests: {result.why}", markup=False)
    elif result.stopped:
        whole = "" if result.cost_projected is None else f" of about {result.cost_projected:.4f} for the whole file"
        screen.err.print(f"reexec: stopped at --max-cost, {result.cost:.4f} spent{whole}; a higher one goes on", markup=False)
    if json:
        screen.summary(
            "infer",
            isolation=None,
            workers=None,
            rows=result.rows,
            rejected=result.rejected,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(meter.rows_per_s, 1),
            engine_errors=0,
            model=sampling.model,
            asked=result.asked,
            sent=result.sent,
            answered_before=result.answered_before,
            prompt_tokens=result.prompt_tokens,
            completion_tokens=result.completion_tokens,
            cost=result.cost,
            cost_projected=result.cost_projected,
            stopped=result.stopped,
            reasons=result.reasons,
        )
        return
    if result.left_alone:
        screen.out.print(f"{output} is complete already; nothing to do")
    screen.out.print(screen.count_table(f"{sampling.model}", {"answered": result.rows, **result.reasons}))
    cost = f", cost {result.cost:.4f}" if result.cost is not None else ""
    screen.out.print(
        f"{result.rows:,} responses in {output}; {result.asked:,} requests asked in {meter.wall_s:.1f} s, "
        f"{result.prompt_tokens:,} + {result.completion_tokens:,} tokens{cost}"
    )


def _dry_run(
    messages: Path,
    output: Path,
    sampling: Sampling,
    asking: AskSettings,
    prices: Prices | None,
    chosen: Selection,
    json: bool,
) -> int:
    from reexec.runners.stages.infer.estimate import estimate

    found = estimate(messages, output, sampling, settings=asking, prices=prices, selection=chosen)
    for message in found.first:
        screen.out.print(styled(str(message["role"]), "bold"))
        screen.out.print(str(message["content"]), markup=False)
    if found.unusable:
        screen.err.print(
            f"reexec: {found.unusable:,} rows cannot be asked, the first of them: {found.first_fault}", markup=False
        )
    if json:
        screen.summary(
            "infer",
            isolation=None,
            workers=None,
            rows=found.rows,
            rejected=found.unusable,
            wall_s=0.0,
            rows_per_s=0.0,
            engine_errors=0,
            model=sampling.model,
            dry_run=True,
            requests=found.requests,
            answered_before=found.answered,
            prompt_tokens=found.prompt_tokens,
            completion_tokens_most=found.completion_tokens_most,
            cost_most=found.cost_most,
        )
    else:
        cost = f"; at most {found.cost_most:,.2f} in all" if found.cost_most is not None else ""
        screen.out.print(
            f"\n{found.requests:,} requests to {sampling.model} ({found.answered:,} are answered already): about "
            f"{found.prompt_tokens:,} prompt tokens, at most {found.completion_tokens_most:,} of replies{cost}; none was sent"
        )
    return exits.of_files(found.rows - found.unusable, found.unusable, 0)
