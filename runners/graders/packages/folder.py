"""What a package's folder holds. Nothing in it runs here.

problem.yaml                        validation or type, validator_flags, limits.time_limit
.timelimit, domjudge-problem.ini    a time limit too
data/sample, data/secret            NAME.in and NAME.ans, in groups; testdata.yaml or test_group.yaml with a group's flags
submissions/LABEL/                  one program a file, or a folder with one program
output_validator(s)/                a checker: exit status 42 is right, 43 wrong
"""

import configparser
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reexec.engine.errors import UsageError

from ...rows.text import dump
from .tokens import BadFlagsError, Flags, read_flags, split_flags

GROUP_FILES = ("testdata.yaml", "test_group.yaml")
VALIDATOR_FOLDERS = ("output_validator", "output_validators")
INTERACTIVE = "interactive problems are not graded here"
_EXPECTED = re.compile(r"@EXPECTED_RESULTS@:\s*([A-Z_, -]+)")


@dataclass(frozen=True, slots=True)
class PackageTest:
    """`name` is its path below data/, without the ending."""

    name: str
    input: Path
    answer: Path
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """`refused` says why none of its submissions can be graded. `checker` is the source of the package's own output validator,
    empty where the format's own counts. `time_limit_s` is None where the package names none."""

    name: str
    folder: Path
    tests: tuple[PackageTest, ...] = ()
    checker: str = ""
    time_limit_s: float | None = None
    refused: str = ""
    rules: dict[tuple[str, ...], Flags] = field(default_factory=dict)


def read_package(folder: Path) -> Package:
    """Raises UsageError where the folder is no package."""
    if not (folder / "problem.yaml").is_file():
        raise UsageError(f"{folder}: not a problem package: it has no problem.yaml")
    about = _yaml(folder / "problem.yaml")
    name = folder.resolve().name
    kind = " ".join(map(str, [about.get("validation", ""), *_listed(about.get("type", ""))]))
    limit = _time_limit(folder, about)
    refused = INTERACTIVE if "interactive" in kind else ""
    if "multi-pass" in kind or "submit-answer" in kind:
        refused = f"problems of the type {kind.strip()} are not graded here"
    checker = ""
    if not refused and ("custom" in kind or (folder / VALIDATOR_FOLDERS[0]).exists()):
        checker, refused = _checker(folder)
    tests = tuple(_tests(folder / "data", split_flags(about.get("validator_flags"))))
    rules: dict[tuple[str, ...], Flags] = {}
    if not refused and not tests:
        refused = "it has no tests: no NAME.in with a NAME.ans below data/"
    if not refused and not checker:
        try:
            rules = {flags: read_flags(flags) for flags in {test.flags for test in tests}}
        except BadFlagsError as error:
            refused = str(error)
    return Package(name, folder, tests, checker, limit, refused, rules)


def _tests(data: Path, flags: tuple[str, ...]) -> list[PackageTest]:
    found: list[PackageTest] = []
    for group in ("sample", "secret"):
        if (data / group).is_dir():
            found += _group(data / group, data, (*flags, *_flags_of(data)))
    return found


def _group(folder: Path, data: Path, flags: tuple[str, ...]) -> list[PackageTest]:
    flags = (*flags, *_flags_of(folder))
    found: list[PackageTest] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.endswith(".files"):
            found += _group(path, data, flags)
        elif path.suffix == ".in" and path.with_suffix(".ans").is_file():
            own = split_flags(_yaml(path.with_suffix(".yaml")).get("output_validator_args"))
            name = path.relative_to(data).with_suffix("").as_posix()
            found.append(PackageTest(name, path, path.with_suffix(".ans"), (*flags, *own)))
    return found


def _flags_of(folder: Path) -> tuple[str, ...]:
    for name in GROUP_FILES:
        about = _yaml(folder / name)
        for member in ("output_validator_flags", "output_validator_args"):
            if about.get(member):
                return split_flags(about[member])
    return ()


def _checker(folder: Path) -> tuple[str, str]:
    """(source, why it cannot be used)"""
    paths = [path for name in VALIDATOR_FOLDERS for path in sorted((folder / name).rglob("*")) if path.is_file()]
    programs = [path for path in paths if path.suffix not in ("", ".h", ".hpp", ".md", ".txt", ".yaml")]
    if len(programs) == 1 and programs[0].suffix == ".py":
        return programs[0].read_text(encoding="utf-8"), ""
    names = ", ".join(sorted({path.suffix.lstrip(".") for path in programs})) or "nothing"
    return "", f"its output validator is not one Python file (it is {names}); others are not run here"


def _time_limit(folder: Path, about: dict[str, Any]) -> float | None:
    limits = about.get("limits")
    given = limits.get("time_limit") if isinstance(limits, dict) else None
    if given is None and (folder / ".timelimit").is_file():
        given = (folder / ".timelimit").read_text().strip()
    if given is None and (folder / "domjudge-problem.ini").is_file():
        ini = configparser.ConfigParser(interpolation=None)
        ini.read_string("[problem]\n" + (folder / "domjudge-problem.ini").read_text())
        given = ini.get("problem", "timelimit", fallback=None)
    if given is None:
        return None
    try:
        found = float(str(given).strip("'\""))
    except ValueError:
        found = 0.0
    if not 0 < found <= 3600:
        raise UsageError(f"{folder}: a time limit of {given!r} is no number of seconds")
    return found


def submissions_file(packages: list[Package], path: Path) -> str:
    """Writes a row for each submission, and returns a digest of everything that decides how they are graded."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "w", encoding="ascii") as file:
        for package in packages:
            about = [package.name, package.checker, str(package.time_limit_s), package.refused]
            digest.update("\0".join(about).encode("utf-8", "surrogatepass"))
            for test in package.tests:
                digest.update("\0".join((test.name, *test.flags)).encode() + test.input.read_bytes() + test.answer.read_bytes())
            root = package.folder / "submissions"
            for label in sorted(root.iterdir()) if root.is_dir() else []:
                for program in sorted(label.iterdir()) if label.is_dir() else []:
                    file.write(dump(_submission(package, label.name, program)) + "\n")
    return digest.hexdigest()


def _submission(package: Package, label: str, program: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"task_id": package.name, "label": label, "submission": f"{label}/{program.name}"}
    files = sorted(path for path in program.rglob("*") if path.is_file()) if program.is_dir() else [program]
    python = [path for path in files if path.suffix in (".py", ".py3")]
    if len(python) != 1 or (len(files) > 1 and not program.is_dir()):
        endings = ", ".join(sorted({path.suffix.lstrip(".") or path.name for path in files}))
        why = "of several files" if len(python) > 1 else f"in {endings or 'nothing'}"
        return {**row, "fault": f"a program {why}: only single files of Python are graded here"}
    try:
        row["code"] = python[0].read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return {**row, "fault": "the program is not UTF-8"}
    expected = _EXPECTED.search(row["code"])
    if expected:
        row["expected_results"] = [word.strip() for word in expected[1].split(",") if word.strip()]
    return row


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML ({' '.join(str(error).split())[:200]})") from None
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{path}: expected members with values")
    return found or {}
