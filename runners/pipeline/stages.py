"""How each stage is called: its function, with what the config says. Each gives its counts, as far as they are the same however
often a run was interrupted."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..stage import Progress
from . import config as settings_of

Run = Callable[[Progress], dict[str, Any]]

# What depends on how often a run was interrupted, or is said elsewhere.
_PASSING = (
    "resumed_rows", "resumed_functions", "unreadable", "asked", "sent", "answered_before", "left_alone", "complete_already",
)  # fmt: skip


def _counts(summary: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(summary).items() if name not in _PASSING}


def infer(messages: Path, output: Path, ask: settings_of.Ask) -> Run:
    def run(meter: Progress) -> dict[str, Any]:
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
