"""A stage's settings as one frozen value, written once: argument of its function, table of a pipeline's TOML, key of the
manifest, and options of its command (cli/options.py makes them of the fields)."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

BUNDLED = "examples:"


@dataclass(frozen=True, slots=True)
class Flag:
    """What a field's name, type and description do not say of it."""

    names: tuple[str, ...] = ()
    """On the command line, such as `--functions`, `-f`; made of the field's name where empty."""
    metavar: str = ""
    decides: bool = True
    """Whether it decides what the stage writes. A path never does by itself: the file's digest does."""
    argument: bool = False
    """Given as one more argument and not as an option."""
    hidden: bool = False
    """No option: only a pipeline's table has it."""
    by_pipeline: bool = False
    """A pipeline fills it in: its table must not."""


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def decides(self) -> dict[str, Any]:
        """Fields that decide what the stage writes, as plain data."""
        passing = {name for name in type(self).model_fields if not flag_of(type(self), name).decides}
        return self.model_dump(mode="json", exclude=passing)


def flag_of(model: type[Settings], name: str) -> Flag:
    return next((item for item in model.model_fields[name].metadata if isinstance(item, Flag)), Flag())


def _located(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    if base is None:
        return path
    if str(path).startswith(BUNDLED):
        return Path(str(files("reexec.examples") / str(path).removeprefix(BUNDLED)))
    return Path(base) / path


Located = Annotated[Path, AfterValidator(_located)]
"""A path; in a TOML file it is taken from where that file lies, and `examples:NAME` is a file that comes with the package."""

Templates = Annotated[
    Located | None,
    Field(description="A folder with template files that replace ours."),
    Flag(metavar="DIR", decides=False),
]
