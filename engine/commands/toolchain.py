"""A language as data: one TOML file of `toolchains/`, or one of the user's.

Texts may name programs and files in braces: `{cc}` is the path of the program found under `cc`, `{cc.home}` the folder above
the one that it really lies in; `{source}`, `{output}`, `{name}` and `{prepared}` belong to a compilation, `{artefact}` to a
run, `{memory_mib}`, `{stack_kib}` and `{half_stack_kib}` (the limits on memory and on a thread's stack) to both.
"""

import functools
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from reexec.policies.faults import fault_of, located, path_of

from ..errors import UsageError

_TAIL_CHARACTERS = 16_384
_FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
FOLDER = Path(__file__).parent / "toolchains"
VARIABLE = "REEXEC_TOOLCHAINS"
"""Names a folder of the user's, whose files take the place of ours for the same language, or add languages."""


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_regular_expression)]


def ran_out(pattern: str, written: str) -> bool:
    """Whether the end of what was written says that memory ran out."""
    return bool(pattern) and re.search(pattern, written[-_TAIL_CHARACTERS:]) is not None


class Compile(BaseModel):
    model_config = _FROZEN

    source: str
    """Name of the source file; `{name}` in it is what `name_pattern` finds."""
    name_pattern: Pattern = ""
    """A regular expression over the source, whose first group that took part is `{name}`."""
    default_name: str = "Main"
    steps: tuple[tuple[str, ...], ...]
    """Commands, in order, each in the folder that has the source."""
    output: str
    """The file that the steps make: what runs."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that fill the folder `{prepared}` with what all programs of the language need: a compiled library. This host
    runs them once, outside of any jail, and keeps the folder. In compilations `{prepared}` has its folders, read-only, and
    copies of its files; it is empty where the host could not prepare it."""
    programs: tuple[str, ...] = ()
    """Programs that the steps start beside those of `find`."""
    shows: tuple[str, ...] = ()
    """Further files and folders that they read."""
    links: dict[str, str] = Field(default_factory=dict)
    """Links that their jail has besides, by place. There is no /proc: `"/proc/self/exe" = "{cc}"` is for a program that looks
    there for itself, and tells every program of the jail the same."""
    environment: dict[str, str] = Field(default_factory=dict)
    reserved_bytes: int = Field(default=0, ge=0)
    """As of a run."""
    out_of_memory: Pattern = ""
    """As of a run, of what the steps write."""
    limits: dict[str, Any] = Field(default_factory=dict)
    """Fields of a policy's `limits` that differ from those of the preset `compile`."""

    def name_of(self, source: str) -> str:
        """`{name}` for this source."""
        match = re.search(self.name_pattern, source) if self.name_pattern else None
        return next(filter(None, match.groups() if match else ()), self.default_name)


class Run(BaseModel):
    model_config = _FROZEN

    arguments: tuple[str, ...] = ("{artefact}",)
    programs: tuple[str, ...] = ()
    """Programs that it may start. With any of them, or with `starts_others`, whatever its jail shows can be started."""
    starts_others: bool = False
    shows: tuple[str, ...] = ()
    links: dict[str, str] = Field(default_factory=dict)
    """As of a compilation."""
    environment: dict[str, str] = Field(default_factory=dict)
    reserved_bytes: int = Field(default=0, ge=0)
    """Addresses that the run time reserves and does not use; more than 0 needs isolation nsjail+cgroup."""
    out_of_memory: Pattern = ""
    """A regular expression for what its run time writes to standard error when memory ran out. A program that wrote it and
    failed is `memory-limit`: a run time that ends before the kernel's limit leaves no other trace."""
    stack_bytes: int = Field(default=0, ge=0)
    """The most that a thread's stack may be; 0: what the policy says. Some run times reserve it for each of their threads."""
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
    """Languages by name: those of the folder that REEXEC_TOOLCHAINS names, and those that come with reexec and are not among
    them. Raises UsageError where a file is wrong."""
    own = os.environ.get(VARIABLE, "").strip()
    if own and not Path(own).is_dir():
        raise UsageError(f"{VARIABLE}: {own} is no folder of toolchain files")
    found: dict[str, Toolchain] = {}
    for folder in (*([Path(own)] if own else []), FOLDER):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault((each := _read(path)).language, each)
    return found


def toolchain_named(language: str) -> Toolchain:
    """By name, alias, or the path of a TOML file. Raises UsageError."""
    if language.endswith(".toml"):
        return _read(Path(language))
    wanted = language.strip().lower()
    all_known = known()
    found = all_known.get(wanted) or next((each for each in all_known.values() if wanted in each.aliases), None)
    if found is None:
        raise UsageError(
            f"no language {language!r}; known ones are {', '.join(all_known)}, or give the path of a toolchain's TOML file"
        )
    return found


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
