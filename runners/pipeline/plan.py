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

from ..execution import ExecutorOptions
from ..rows.row import Selection
from ..rows.run import beside
from ..settings import Settings
from ..stage import Progress
from ..stage import Stage as StageKind
from ..stages.assemble import Assemble
from ..stages.audit import Audit, AuditSettings
from ..stages.export import Export
from ..stages.export.folder import MANIFEST, is_whole, read_manifest
from ..stages.export.formats import FORMATS
from ..stages.generate import Generate
from ..stages.infer.settings import InferSettings
from ..stages.infer.stage import Infer
from ..stages.prompts import Prompts
from ..stages.revise import Revise, ReviseSettings
from ..stages.transform import Transform
from ..stages.verify import Verify, VerifySettings
from .config import Config, ask_of

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
    run: Callable[[Progress], dict[str, Any]]
    """Does it, or goes on with it; its counts."""
    more: tuple[Path, ...] = ()
    """Files that it makes beside the output and its manifest and rejects."""
    also_decide: tuple[Path, ...] = ()
    """Files that it reads beside its inputs, such as recorded responses."""
    asks: InferSettings | None = None
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
        """The files that later stages and people read. Of an export the manifest stands for the others: the folder may hold
        checkpoints and whatever else a user puts there."""
        return (self.output / MANIFEST,) if self.name == EXPORT else (self.output, *self.more)

    @property
    def is_whole(self) -> bool:
        """Whether none of the files of an export is missing."""
        if self.name != EXPORT:
            return True
        manifest = read_manifest(self.output)
        return manifest is not None and is_whole(self.output, manifest)


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

    def plan(self) -> Plan:
        config, path = self._config, self._context.path
        kind, source = config.source
        functions = path("03-functions.jsonl")
        if kind == "raw":
            source = self._stage(Transform, source, path("01-messages.jsonl"), config.transform)
            source = self._infer("transform", source, "02-unified.jsonl")
        if kind != "functions":
            drops = beside(functions, "drops.jsonl")
            self._stage(Generate, source, functions, config.generate, more=(drops,))
        elif config.audit:
            report = path("03-audit.jsonl")
            self._stage(Audit, source, report, AuditSettings(keep=functions), more=(functions,))
        else:
            functions = source
        verified: list[Path] = []
        messages = self._stage(Prompts, functions, path(_numbered(1, 0, "messages")), config.prompts)
        for turn in range(1, config.turns + 1):
            if turn > 1:
                output = path(_numbered(turn, 0, "messages"))
                messages = self._stage(Revise, verified[-1], output, ReviseSettings(), name=f"revise-{turn}")
            responses = self._infer(f"turn_{turn}", messages, _numbered(turn, 1, "responses"))
            output = path(_numbered(turn, 2, "verified"))
            settings = VerifySettings(functions=functions, **config.verify.model_dump())
            rates = beside(output, "passrates.jsonl")
            self._stage(Verify, responses, output, settings, name=f"verify-{turn}", inputs=(functions,), more=(rates,))
            verified.append(output)
        later = tuple(verified[1:])
        joined = config.assemble.model_copy(update={"later": later})
        final = self._stage(Assemble, verified[0], path(FINAL), joined, inputs=later)
        if config.export is not None:
            export = config.export
            about = (functions,) if FORMATS[export.to].needs_functions else ()
            export = export.model_copy(update={"functions": functions if about else None})
            counted = (export.tokenizer,) if export.tokenizer else ()
            # It replaces the files that an earlier run wrote and nobody changed since: the stage sees to that.
            self._stage(Export, final, path(EXPORT), export, inputs=about, also_decide=counted, overwrite=True)
        return self._plan

    def _add(self, stage: Stage) -> Path:
        self._plan.stages.append(stage)
        return stage.output

    # -- one stage each -----------------------------------------------------------------------------------------

    def _stage(
        self,
        kind: type[StageKind[Any]],
        source: Path,
        output: Path,
        settings: Settings,
        *,
        name: str = "",
        inputs: tuple[Path, ...] = (),
        more: tuple[Path, ...] = (),
        also_decide: tuple[Path, ...] = (),
        overwrite: bool = False,
    ) -> Path:
        """`inputs`: files that it reads beside the source; `more`: files that it makes beside the output. The first stage of a
        run takes the limit of the config."""
        context = self._context
        limit = None if self._plan.stages else context.config.limit
        if kind.texts_file is not None:
            settings = settings.model_copy(update={"templates": getattr(settings, "templates", None) or context.templates})
        names = () if self._plan.stages else tuple(sorted(context.config.map.items()))
        decides: dict[str, Any] = {**settings.decides(), "limit": limit, **({"names": names} if names else {})}
        if kind.texts_file is not None:
            decides["templates"] = kind.texts_file.load(getattr(settings, "templates", None)).digest
        if kind.executes:
            decides |= {"policy": context.policy.digest, "python": context.python_version}

        def run(progress: Progress) -> dict[str, Any]:
            executor = ExecutorOptions(context.policy, context.workers, context.python)
            chosen = Selection(limit, names=names)
            return kind.run(
                source, output, settings, executor, selection=chosen, overwrite=overwrite, progress=progress
            ).lasting()

        stage = Stage(name or kind.name, (source, *inputs), output, decides, run, more=more, also_decide=also_decide)
        return self._add(stage)

    def _infer(self, name: str, messages: Path, file: str) -> Path:
        ask, output = ask_of(self._config, name), self._context.path(file)
        # What only decides how a model is asked (concurrency, prices) changes nothing that has been answered.
        decides = ask.decides() | ({"model": None} if ask.replay else {"base_url": ask.base_url})
        stage = Stage(
            f"infer-{name.removeprefix('turn_')}",
            (messages,),
            output,
            decides,
            lambda progress: Infer.run(messages, output, ask, progress=progress).lasting(),
            also_decide=tuple(path for path in (ask.replay, ask.json_schema) if path),
            asks=ask,
            times=Infer.words_a_row(ask),
        )
        return self._add(stage)


def _numbered(turn: int, place: int, what: str) -> str:
    """Turn 1 has the numbers 4 to 6, turn 2 has 7 to 9."""
    return f"{4 + 3 * (turn - 1) + place:02}-{what}-{turn}.jsonl"
