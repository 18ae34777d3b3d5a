"""How each stage is called: its function, with what the config says. Each gives its counts, as far as they are the same however
often a run was interrupted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reexec.engine.executor import Executor

from ..rows.run import Selection
from ..stages.assemble import assemble as run_assemble
from ..stages.audit import audit as run_audit
from ..stages.export import export as run_export
from ..stages.export.rows import JoinTemplate
from ..stages.generate import generate as run_generate
from ..stages.prompts import PromptTemplate
from ..stages.prompts import prompts as run_prompts
from ..stages.revise import ReviseTemplate
from ..stages.revise import revise as run_revise
from ..stages.transform import TransformTemplate
from ..stages.transform import transform as run_transform
from ..stages.verify.feedback import Feedback
from ..stages.verify.stage import verify as run_verify
from . import config as settings_of
from .meter import Meter

if TYPE_CHECKING:
    from .plan import Context

Run = Callable[[Meter], dict[str, Any]]

# What depends on how often a run was interrupted, or is said elsewhere.
_PASSING = (
    "resumed_rows", "resumed_functions", "unreadable", "asked", "sent", "answered_before", "left_alone", "complete_already",
)  # fmt: skip


def _counts(summary: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(summary).items() if name not in _PASSING}


def _on_start(meter: Meter) -> Callable[[Executor, int], None]:
    def started(_: Executor, done: int) -> None:
        if done:
            meter.resumed(done)

    return started


def transform(
    raw: Path, output: Path, template: TransformTemplate, settings: settings_of.Transform, selection: Selection
) -> Run:
    return lambda meter: _counts(
        run_transform(
            raw,
            output,
            template=template,
            max_characters=settings.max_characters,
            selection=selection,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    )


def infer(messages: Path, output: Path, ask: settings_of.Ask) -> Run:
    def run(meter: Meter) -> dict[str, Any]:
        # Imported here: the openai client takes most of a second to import.
        from ..stages.infer import stage
        from ..stages.infer.cost import Prices
        from ..stages.infer.known import load_known
        from ..stages.infer.settings import AskSettings, Sampling, schema_format

        sampling = Sampling(
            model="recorded" if ask.replay else ask.model or "",
            temperature=ask.temperature,
            max_tokens=ask.max_tokens,
            samples=ask.samples,
            response_format=schema_format(Path(ask.json_schema)) if ask.json_schema else None,
        )
        asking = AskSettings(ask.concurrency, ask.tries, ask.timeout_s, frozenset(ask.keep))
        if ask.replay:
            return _counts(
                stage.replay_recorded(
                    messages,
                    output,
                    Path(ask.replay),
                    sampling,
                    settings=asking,
                    on_row=meter.tell,
                    on_resume=meter.resumed,
                )
            )
        prices = None
        if ask.price_in is not None and ask.price_out is not None:
            prices = Prices(ask.price_in, ask.price_out)
        return _counts(
            stage.infer(
                messages,
                output,
                sampling,
                base_url=ask.base_url,
                key_env=ask.key_env,
                known=load_known(Path(ask.known) if ask.known else None),
                settings=asking,
                prices=prices,
                max_cost=ask.max_cost,
                on_entry=lambda told: meter.tell(told.word),
                on_resume=meter.resumed,
            )
        )

    return run


def generate(unified: Path, output: Path, settings: settings_of.Generate, context: "Context", selection: Selection) -> Run:
    return lambda meter: _counts(
        run_generate(
            unified,
            output,
            context.policy,
            reader=settings.reader,
            pairs=settings.pairs,
            calls=settings.calls,
            drop_mutating=settings.drop_mutating,
            workers=context.workers,
            python=context.python,
            selection=selection,
            on_function=meter.tell,
            on_start=_on_start(meter),
        )
    )


def audit(functions: Path, report: Path, kept: Path, context: "Context", selection: Selection) -> Run:
    return lambda meter: _counts(
        run_audit(
            functions,
            report,
            context.policy,
            workers=context.workers,
            python=context.python,
            keep_path=kept,
            selection=selection,
            on_pair=meter.tell,
            on_start=_on_start(meter),
        )
    )


def prompts(
    functions: Path, output: Path, template: PromptTemplate, settings: settings_of.Prompts, selection: Selection
) -> Run:
    return lambda meter: _counts(
        run_prompts(
            functions,
            output,
            pairs=settings.pairs,
            with_code=settings.code,
            template=template,
            selection=selection,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    )


def verify(functions: Path, responses: Path, output: Path, feedback: Feedback, context: "Context") -> Run:
    def run(meter: Meter) -> dict[str, Any]:
        with Executor(context.policy, workers=context.workers, python=context.python) as executor:
            summary = run_verify(
                functions,
                responses,
                output,
                executor,
                feedback=feedback,
                on_row=meter.tell,
                on_resume=meter.resumed,
            )
        return _counts(summary)

    return run


def revise(verified: Path, output: Path, template: ReviseTemplate) -> Run:
    return lambda meter: _counts(run_revise(verified, output, template=template, on_row=meter.tell, on_resume=meter.resumed))


def assemble(verified: Sequence[Path], output: Path, settings: settings_of.Assemble) -> Run:
    return lambda meter: _counts(
        run_assemble(
            verified,
            output,
            only_successes=settings.only_successes,
            deduplicate=settings.deduplicate,
            max_per_function=settings.max_per_function,
            on_row=meter.tell,
            on_resume=meter.resumed,
        )
    )


def export(final: Path, folder: Path, settings: settings_of.Export, template: JoinTemplate) -> Run:
    return lambda meter: _counts(
        run_export(
            final,
            folder,
            settings.to,
            plain=settings.plain,
            only_right=settings.only_right,
            separate_turns=settings.separate_turns,
            validation_share=settings.validation_share,
            devices=settings.devices,
            template=template,
            on_row=meter.tell,
        )
    )
