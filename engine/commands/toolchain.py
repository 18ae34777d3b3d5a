"""A language as data: one TOML file of `toolchains/`, or one of the user's.

Texts may name programs and files in braces: `{cc}` is the path of the program found under `cc`, `{cc.home}` the folder above
the one that it really lies in; `{source}`, `{output}` and `{name}` belong to a compilation, `{artefact}` to a run,
`{memory_mib}` (the limit on memory) to both.
"""

import functools
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reexec.policies.faults import fault_of, located, path_of

from ..errors import UsageError

_FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
FOLDER = Path(__file__).parent / "toolchains"


class Compile(BaseModel):
    model_config = _FROZEN

    source: str
    """Name of the source file; `{name}` in it is what `name_pattern` finds."""
    name_pattern: str = ""
    """A regular expression over the source, whose first group is `{name}`."""
    default_name: str = "Main"
    steps: tuple[tuple[str, ...], ...]
    """Commands, in order, each in the folder that has the source."""
    output: str
    """The file that the steps make: what runs."""
    programs: tuple[str, ...] = ()
    """Programs that the steps start beside those of `find`."""
    shows: tuple[str, ...] = ()
    """Further files and folders that they read."""
    environment: dict[str, str] = Field(default_factory=dict)
    reserved_bytes: int = Field(default=0, ge=0)
    """As of a run."""
    limits: dict[str, Any] = Field(default_factory=dict)
    """Fields of a policy's `limits` that differ from those of the preset `compile`."""


class Run(BaseModel):
    model_config = _FROZEN

    arguments: tuple[str, ...] = ("{artefact}",)
    programs: tuple[str, ...] = ()
    """Programs that it may start. With any of them, or with `starts_others`, whatever its jail shows can be started."""
    starts_others: bool = False
    shows: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    reserved_bytes: int = Field(default=0, ge=0)
    """Addresses that the run time reserves and does not use; more than 0 needs isolation nsjail+cgroup."""
    processes: int = Field(default=1, ge=1)
    """The least that it needs for itself, threads included."""


class Toolchain(BaseModel):
    """One language."""

    model_config = _FROZEN

    language: str
    title: str
    aliases: tuple[str, ...] = ()
    """Further names, as code blocks and data sets write them."""
    endings: tuple[str, ...] = ()
    """Of its files' names, with the dot."""
    find: dict[str, tuple[str, ...]]
    """Programs by a name of ours: candidates on the PATH, or whole paths, the first that is there."""
    folder_from: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Folders by a name of ours: a command whose first line of output is the folder."""
    version: tuple[str, ...]
    """A command whose first line of output says the version."""
    install: str
    """What brings it, for a person."""
    trial: str = ""
    """A program that prints the sum of the two numbers in the line that it is given: shows that the toolchain works here."""
    compile: Compile | None = None
    """None: the source itself runs."""
    run: Run = Run()

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.language, *self.aliases))


def known() -> dict[str, Toolchain]:
    """The languages that come with reexec, by name."""
    found = (_read(path) for path in sorted(FOLDER.glob("*.toml")))
    return {each.language: each for each in found}


def toolchain_named(language: str) -> Toolchain:
    """By name, alias, or the path of a TOML file. Raises UsageError."""
    if language.endswith(".toml"):
        return _read(Path(language))
    wanted = language.strip().lower()
    for each in known().values():
        if wanted in each.names:
            return each
    raise UsageError(
        f"no language {language!r}; known ones are {', '.join(known())}, or give the path of a toolchain's TOML file"
    )


def toolchain_of_file(name: str) -> Toolchain | None:
    """By the ending of a file's name; None where no language has it."""
    return next((each for each in known().values() if name.endswith(each.endings or ("\0",))), None)


@functools.cache
def _read(path: Path) -> Toolchain:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML ({error})") from None
    try:
        return Toolchain.model_validate(tree)
    except ValidationError as error:
        raise UsageError(f"{path}: {located(fault_of(error, Toolchain), path_of(error))}") from None
