"""What a package's folder holds. Nothing in it runs here.

problem.yaml                        validation or type, validator_flags, limits.time_limit
.timelimit, domjudge-problem.ini    a time limit too
data/sample, data/secret            NAME.in and NAME.ans, in groups; testdata.yaml or test_group.yaml with a group's flags
submissions/LABEL/                  one program a file, or a folder with one program and its headers
submissions/submissions.yaml        the language of a submission, where its file's ending does not tell
output_validator(s)/                a checker: exit status 42 is right, 43 wrong
"""

import configparser
import hashlib
import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from reexec.engine.errors import UsageError

from ...rows.text import dump
from .sources import PYTHON, Source, read_source, version_of
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
    empty where the format's own counts, in `checker_language`. `time_limit_s` is None where the package names none."""

    name: str
    folder: Path
    tests: tuple[PackageTest, ...] = ()
    checker: str = ""
    checker_language: str = ""
    time_limit_s: float | None = None
    refused: str = ""
    rules: dict[tuple[str, ...], Flags] = field(default_factory=dict)


def read_package(folder: Path) -> Package:
    """Raises UsageError where the folder is no package."""
    if not (folder / "problem.yaml").is_file():
        what = (
            "not a problem package: it has no problem.yaml" if folder.is_dir() else "no such folder; expected a problem package"
        )
        raise UsageError(f"{folder}: {what}")
    about = _yaml(folder / "problem.yaml")
    name = folder.resolve().name
    kind = " ".join(map(str, [about.get("validation", ""), *_listed(about.get("type", ""))]))
    limit = _time_limit(folder, about)
    refused = INTERACTIVE if "interactive" in kind else ""
    if "multi-pass" in kind or "submit-answer" in kind:
        refused = f"problems of the type {kind.strip()} are not graded here"
    checker = Source()
    if not refused and ("custom" in kind or (folder / VALIDATOR_FOLDERS[0]).exists()):
        checker = _checker(folder)
        refused = f"its output validator: {checker.fault}" if checker.fault else ""
    tests = tuple(_tests(folder / "data", split_flags(about.get("validator_flags"))))
    rules: dict[tuple[str, ...], Flags] = {}
    if not refused and not tests:
        refused = "it has no tests: no NAME.in with a NAME.ans below data/"
    if not refused and not checker.text:
        try:
            rules = {flags: read_flags(flags) for flags in {test.flags for test in tests}}
        except BadFlagsError as error:
            refused = str(error)
    return Package(name, folder, tests, checker.text, checker.language, limit, refused, rules)


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


def _checker(folder: Path) -> Source:
    found = [folder / name for name in VALIDATOR_FOLDERS]
    folders = [path for each in found if each.is_dir() for path in sorted(each.iterdir()) if path.is_dir()]
    files = [path for each in found for path in sorted(each.rglob("*")) if path.is_file()]
    if len(folders) > 1:
        return Source(fault=f"there are {len(folders)} of them")
    return read_source(files)


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


@dataclass(frozen=True, slots=True)
class Submissions:
    """`digest`: of everything that decides how they are graded. `languages`: of submissions and checkers."""

    digest: str
    languages: frozenset[str]


def submissions_file(packages: list[Package], path: Path) -> Submissions:
    """Writes a row for each submission."""
    digest = hashlib.blake2b(digest_size=16)
    spoken = {each.checker_language for each in packages if each.checker_language}
    with open(path, "w", encoding="ascii") as file:
        for package in packages:
            about = [package.name, package.checker_language, package.checker, str(package.time_limit_s), package.refused]
            digest.update("\0".join(about).encode("utf-8", "surrogatepass"))
            for test in package.tests:
                digest.update("\0".join((test.name, *test.flags)).encode() + test.input.read_bytes() + test.answer.read_bytes())
            root = package.folder / "submissions"
            languages = _languages(root)
            for label in sorted(root.iterdir()) if root.is_dir() else []:
                for program in sorted(label.iterdir()) if label.is_dir() else []:
                    whole = f"{label.name}/{program.name}"
                    named = next((each for pattern, each in languages.items() if fnmatch(whole, pattern)), "")
                    row = _submission(package, label.name, program, named)
                    spoken.update(filter(None, [row.get("language")]))
                    file.write(dump(row) + "\n")
    for language in sorted(spoken - {PYTHON}):
        digest.update(version_of(language).encode())
    return Submissions(digest.hexdigest(), frozenset(spoken))


def _submission(package: Package, label: str, program: Path, named: str) -> dict[str, Any]:
    row: dict[str, Any] = {"task_id": package.name, "label": label, "submission": f"{label}/{program.name}"}
    files = sorted(path for path in program.rglob("*") if path.is_file()) if program.is_dir() else [program]
    source = read_source(files, named)
    if source.fault:
        return {**row, "fault": source.fault}
    row |= {"language": source.language, "code": source.text}
    expected = _EXPECTED.search(source.text)
    if expected:
        row["expected_results"] = [word.strip() for word in expected[1].split(",") if word.strip()]
    return row


def _languages(root: Path) -> dict[str, str]:
    """Pattern of a path below submissions/ to a language, as submissions.yaml says it (format 2023-07)."""
    found = {}
    for pattern, about in _yaml(root / "submissions.yaml").items():
        if isinstance(about, dict) and isinstance(about.get("language"), str):
            found[str(pattern)] = about["language"]
    return found


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
