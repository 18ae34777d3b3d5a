"""The stages of a config in their order: what each reads and makes, what decides its result, how it is called.

Numbers in the names of files are those of the whole pipeline, wherever a run begins, and the last file has none: so a stage's
files keep their names when a config is given another source or more turns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.jail import interpreter
from reexec.policies.layers import load_policy
from reexec.policies.model import Policy

from ..rows.run import Selection, beside
from ..stages.export.rows import JoinTemplate
from ..stages.prompts import PromptTemplate
from ..stages.revise import ReviseTemplate
from ..stages.transform import TransformTemplate
from ..stages.verify.feedback import Feedback
from . import stages
from .config import Ask, Config, ask_of
from .meter import Meter

FINAL = "final.jsonl"
EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    """Unique in a plan: transform, infer-transform, generate, audit, prompts, infer-1, verify-1, revise-2 and so on."""
    inputs: tuple[Path, ...]
    """Files that it reads; the first is the one whose rows it goes through."""
    output: Path
    decides: dict[str, Any]
    """Its settings, as far as they decide the result, as plain data."""
    run: Callable[[Meter], dict[str, Any]]
    """Does it, or goes on with it; its counts."""
    more: tuple[Path, ...] = ()
    """Files that it makes beside the output and its manifest and rejects."""
    also_decide: tuple[Path, ...] = ()
    """Files that it reads beside its inputs, such as recorded responses."""
    asks: Ask | None = None
    """Of a stage that asks a model."""
    times: int = 1
    """Rows that it tells of for each row of its input."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that it makes, but for the log of a model's answers, which outlives changes of what is asked."""
        if self.name == EXPORT:
            return (self.output,)
        own = (self.output, beside(self.output, "rejects.jsonl"), *self.more)
        return (*own, beside(self.output, "manifest.json"))

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that later stages and people read."""
        return (self.output, *self.more)


@dataclass(frozen=True, slots=True)
class Context:
    """What all stages of a run share."""

    config: Config
    folder: Path
    policy: Policy
    workers: int
    python: str | None
    python_version: str
    templates: Path | None

    def path(self, name: str) -> Path:
        return self.folder / name


@dataclass(slots=True)
class Plan:
    context: Context
    stages: list[Stage] = field(default_factory=list)


def make_plan(
    config: Config, *, workers: int, settings: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Plan:
    """`settings` and REEXEC_POLICY of `environment` go before the config's policy, as for single stages. Raises UsageError,
    PolicyError."""
    policy = load_policy(config.policy, settings=(*config.set, *settings), environment=environment)
    python = config.python or None
    templates = Path(config.templates) if config.templates else None
    if templates is not None and not templates.is_dir():
        raise UsageError(f"{templates}: not a folder of templates")
    context = Context(
        config, Path(config.folder), policy, workers, python, interpreter.ask(python).version_text, templates
    )  # fmt: skip
    return _Planner(context).plan()


class _Planner:
    def __init__(self, context: Context) -> None:
        self._context, self._config = context, context.config
        self._plan = Plan(context)
        self._limit = context.config.limit  # for the first stage alone

    def plan(self) -> Plan:
        kind, path = self._config.source
        if kind == "raw":
            path = self._transform(path)
            path = self._infer("transform", path, "02-unified.jsonl")
        if kind != "functions":
            path = self._generate(path)
        elif self._config.audit:
            path = self._audit(path)
        functions = path
        verified: list[Path] = []
        path = self._prompts(functions)
        for turn in range(1, self._config.turns + 1):
            if turn > 1:
                path = self._revise(verified[-1], turn)
            path = self._infer(f"turn_{turn}", path, _numbered(turn, 1, "responses"))
            verified.append(self._verify(functions, path, turn))
        final = self._assemble(verified)
        if self._config.export is not None:
            self._export(final)
        return self._plan

    def _selection(self) -> tuple[Selection, int | None]:
        limit, self._limit = self._limit, None
        return Selection(limit), limit

    def _add(self, stage: Stage) -> Path:
        self._plan.stages.append(stage)
        return stage.output

    # -- one stage each -----------------------------------------------------------------------------------------

    def _transform(self, raw: Path) -> Path:
        template, settings = TransformTemplate(self._context.templates), self._config.transform
        output = self._context.path("01-messages.jsonl")
        selection, limit = self._selection()
        decides = {**settings.model_dump(), "templates": template.digest, "limit": limit}
        return self._add(
            Stage("transform", (raw,), output, decides, stages.transform(raw, output, template, settings, selection))
        )

    def _infer(self, name: str, messages: Path, file: str) -> Path:
        ask, output = ask_of(self._config, name), self._context.path(file)
        replayed = (Path(ask.replay),) if ask.replay else ()
        schema = (Path(ask.json_schema),) if ask.json_schema else ()
        # What only decides how a model is asked (concurrency, prices) changes nothing that has been answered.
        decides = {
            "model": None if ask.replay else ask.model,
            "base_url": None if ask.replay else ask.base_url,
            "keep": sorted(ask.keep),
            **{key: getattr(ask, key) for key in ("samples", "temperature", "max_tokens")},
        }
        stage = Stage(
            f"infer-{name.removeprefix('turn_')}",
            (messages,),
            output,
            decides,
            stages.infer(messages, output, ask),
            also_decide=(*replayed, *schema),
            asks=ask,
            times=1 if ask.replay else ask.samples,
        )
        return self._add(stage)

    def _generate(self, unified: Path) -> Path:
        settings, output = self._config.generate, self._context.path("03-functions.jsonl")
        selection, limit = self._selection()
        decides = {**settings.model_dump(), **self._programs(), "limit": limit}
        run = stages.generate(unified, output, settings, self._context, selection)
        return self._add(Stage("generate", (unified,), output, decides, run, more=(beside(output, "drops.jsonl"),)))

    def _audit(self, functions: Path) -> Path:
        report, kept = self._context.path("03-audit.jsonl"), self._context.path("03-functions.jsonl")
        selection, limit = self._selection()
        run = stages.audit(functions, report, kept, self._context, selection)
        self._add(Stage("audit", (functions,), report, {**self._programs(), "limit": limit}, run, more=(kept,)))
        return kept

    def _prompts(self, functions: Path) -> Path:
        template, settings = PromptTemplate(self._context.templates), self._config.prompts
        output = self._context.path(_numbered(1, 0, "messages"))
        selection, limit = self._selection()
        decides = {**settings.model_dump(), "templates": template.texts.digest, "limit": limit}
        return self._add(
            Stage("prompts", (functions,), output, decides, stages.prompts(functions, output, template, settings, selection))
        )

    def _verify(self, functions: Path, responses: Path, turn: int) -> Path:
        output, feedback = self._context.path(_numbered(turn, 2, "verified")), Feedback(self._context.templates)
        decides = {**self._programs(), "templates": feedback.source}
        run = stages.verify(functions, responses, output, feedback, self._context)
        rates = beside(output, "passrates.jsonl")
        return self._add(Stage(f"verify-{turn}", (responses, functions), output, decides, run, more=(rates,)))

    def _revise(self, verified: Path, turn: int) -> Path:
        output, template = self._context.path(_numbered(turn, 0, "messages")), ReviseTemplate(self._context.templates)
        decides = {"templates": template.texts.digest}
        return self._add(Stage(f"revise-{turn}", (verified,), output, decides, stages.revise(verified, output, template)))

    def _assemble(self, verified: list[Path]) -> Path:
        settings, output = self._config.assemble, self._context.path(FINAL)
        run = stages.assemble(verified, output, settings)
        return self._add(Stage("assemble", tuple(verified), output, settings.model_dump(), run))

    def _export(self, final: Path) -> None:
        settings, output = self._config.export, self._context.path(EXPORT)
        assert settings is not None
        template = JoinTemplate(self._context.templates)
        decides = {**settings.model_dump(), "templates": template.texts.digest}
        self._add(Stage(EXPORT, (final,), output, decides, stages.export(final, output, settings, template)))

    def _programs(self) -> dict[str, Any]:
        return {"policy": self._context.policy.digest, "python": self._context.python_version}


def _numbered(turn: int, place: int, what: str) -> str:
    """Turn 1 has the numbers 4 to 6, turn 2 has 7 to 9."""
    return f"{4 + 3 * (turn - 1) + place:02}-{what}-{turn}.jsonl"
