"""A pipeline's config: a TOML file as one frozen value.

Owns names, defaults and the wording of mistakes, each one line that ends in the path of the fault. Paths are taken from where
the file lies; `examples:NAME` is a file that comes with the package. Knows nothing of how a stage is run.
"""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from reexec.engine.errors import UsageError
from reexec.policies.faults import fault_of, located, path_of, unknown
from reexec.policies.reading import preset_names

from ..rows.names import is_read
from ..settings import BUNDLED, Settings, flag_of
from ..stage import Stage
from ..stages.assemble import AssembleSettings
from ..stages.export import ExportSettings
from ..stages.generate import Generate, GenerateSettings
from ..stages.infer.settings import InferSettings
from ..stages.prompts import Prompts, PromptsSettings
from ..stages.transform import Transform, TransformSettings
from ..stages.verify import JudgingSettings

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_TURN = re.compile(r"turn_([1-9]\d*)")
SOURCES = ("raw", "unified", "functions")
_READ_FIRST: dict[str, type[Stage[Any]]] = {"raw": Transform, "unified": Generate, "functions": Prompts}
"""Who reads the source; an audit reads what the prompts are made of."""


def _located(text: str, info: ValidationInfo) -> str:
    if text.startswith(BUNDLED):
        return str(files("reexec.examples") / text.removeprefix(BUNDLED))
    return str((info.context or {}).get("base", Path()) / text) if text else ""


def _preset_or_located(name: str, info: ValidationInfo) -> str:
    return name if name in preset_names() else _located(name, info)


Location = Annotated[str, AfterValidator(_located)]


class Config(BaseModel):
    """The whole of it. Exactly one of raw, unified and functions says where the run begins."""

    model_config = _FROZEN
    folder: Location = ""
    raw: Location = ""
    unified: Location = ""
    functions: Location = ""
    audit: bool = True
    """With `functions`: whether the recorded pairs are audited first, and only the proven ones used."""
    turns: int = Field(default=2, ge=1, le=99)
    map: dict[str, str] = {}
    """Fields of the source that go by other names there: output = "completion"."""
    limit: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=1)
    python: Location = ""
    policy: Annotated[str, AfterValidator(_preset_or_located)] = "codeio"
    set: tuple[str, ...] = ()
    templates: Location = ""
    transform: TransformSettings = TransformSettings()
    infer: dict[str, InferSettings] = {}
    """By the name of the stage: transform, turn_1, turn_2 and so on; what [infer] itself says is in each."""
    generate: GenerateSettings = GenerateSettings()
    prompts: PromptsSettings = PromptsSettings()
    verify: JudgingSettings = JudgingSettings()
    assemble: AssembleSettings = AssembleSettings()
    export: ExportSettings | None = None

    @property
    def source(self) -> tuple[Literal["raw", "unified", "functions"], Path]:
        """Where the run begins: the kind of file, and its path."""
        for kind in ("raw", "unified", "functions"):
            if getattr(self, kind):
                return kind, Path(getattr(self, kind))
        raise AssertionError("checked when the config was read")

    @property
    def model_stages(self) -> list[str]:
        """The names of the stages that ask a model."""
        first = ["transform"] if self.raw else []
        return [*first, *(f"turn_{turn}" for turn in range(1, self.turns + 1))]


def load_config(path: Path, changes: dict[str, Any] | None = None) -> Config:
    """Reads a config; `changes` are members that go before those of the file, with paths from where one stands. Raises
    UsageError."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({(error.strerror or '').lower()})") from None
    except ValueError as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from None
    tree["infer"] = _asks(tree.get("infer", {}), path)
    try:
        config = Config.model_validate(tree, context={"base": path.parent}).model_copy(update=changes or {})
    except ValidationError as error:
        fault = fault_of(error, Config, secret=("base_url",))  # it may hold a key
        raise UsageError(f"{path}: {located(fault, path_of(error, without=('*',)))}") from None
    _check(config, path)
    return config


def _asks(table: Any, path: Path) -> dict[str, Any]:
    """A table for each stage that is named, and `*` for the others; what [infer] itself says lies below each."""
    if not isinstance(table, dict):
        raise UsageError(f"{path}: expected a table, at $.infer")
    named = {key: value for key, value in table.items() if isinstance(value, dict)}
    for key in named:
        if key != "transform" and not _TURN.fullmatch(key):
            raise UsageError(f"{path}: {located(unknown(key, ['transform', 'turn_1', 'turn_2']), f'$.infer.{key}')}")
    shared = {key: value for key, value in table.items() if key not in named}
    return {"*": shared, **{key: {**shared, **value} for key, value in named.items()}}


def _check(config: Config, path: Path) -> None:
    given = [kind for kind in SOURCES if getattr(config, kind)]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        raise UsageError(
            f"{path}: exactly one of {', '.join(SOURCES)} says where the run begins, not {said}, at $.{SOURCES[0]}"
        )
    reads = _READ_FIRST[given[0]].reads
    for ours in config.map:
        if reads and not is_read(ours, reads):
            raise UsageError(f"{path}: {located(unknown(ours, reads, 'field'), f'$.map.{ours}')}")
    if not config.folder:
        raise UsageError(f"{path}: name the run's folder, at $.folder")
    for table in config.model_fields_set:
        settings = getattr(config, table)
        for name in settings.model_fields_set if isinstance(settings, Settings) else ():
            if flag_of(type(settings), name).by_pipeline:
                raise UsageError(f"{path}: the pipeline itself says that, at $.{table}.{name}")
    for name in config.infer:
        turn = _TURN.fullmatch(name)
        if turn is not None and int(turn[1]) > config.turns:
            raise UsageError(f"{path}: there are {config.turns} turns, at $.infer.{name}")
    for name in config.model_stages:
        ask = ask_of(config, name)
        if not ask.model and not ask.replay:
            raise UsageError(f"{path}: which model is asked, or which recording replayed? at $.infer.{name}.model")


def ask_of(config: Config, name: str) -> InferSettings:
    return config.infer.get(name, config.infer["*"])
