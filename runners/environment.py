"""The virtual environment of the checked programs, and what a finished run says that it lacked.

The packages are a file, `environments/NAME.txt`; DIR/reexec-env.json records what was asked for and what came of it. Packages
are installed together, or, where that fails, one by one, so that one that cannot be had does not lose the others. The
environment is for jails: nothing of reexec is installed in it, and nothing from it is imported here.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from reexec.engine.errors import UsageError
from reexec.engine.jail import interpreter

from .rows.documents import read_document, replace_document
from .rows.run import beside
from .rows.source import read_lines
from .rows.text import BadRowError, parse_row

_FOLDER = Path(__file__).with_name("environments")
_CHECKOUT_UV = Path(__file__).resolve().parents[1] / "scripts" / "uv"
_RECORD = "reexec-env.json"
_LISTING = "import importlib.metadata as m, json\nprint(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"


@dataclass(frozen=True, slots=True)
class Environment:
    folder: Path
    python: Path
    version: str
    packages: dict[str, str]
    """Version of each package of the list that is there."""
    failed: dict[str, str]
    """What the installer said of each that is not."""
    added: tuple[str, ...]


def set_names() -> list[str]:
    return sorted(path.stem for path in _FOLDER.glob("*.txt"))


def packages_of(name: str) -> list[str]:
    """The packages of a set, or of a file that is given by its path. Raises UsageError."""
    path = _FOLDER / f"{name}.txt" if name in set_names() else Path(name)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        known = ", ".join(set_names())
        raise UsageError(f"--set {name}: neither a set ({known}) nor a file that can be read") from None
    found = [line.partition("#")[0].strip() for line in lines]
    return list(dict.fromkeys(line for line in found if line))


def create(
    folder: Path, *, name: str = "codeio", python: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Environment:
    """Makes or completes the environment in `folder`. Raises UsageError where there can be none."""
    wanted = packages_of(name)
    installer = _Installer(folder)
    target = folder / "bin" / "python"
    if not target.exists():
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder}: exists and is not a virtual environment; choose another folder")
        say(f"making an environment in {folder}")
        installer.make(python or sys.executable)
    elif python is not None and interpreter.ask(python).version[:2] != interpreter.ask(str(target.absolute())).version[:2]:
        raise UsageError(f"{folder}: was made for another Python than --python {python}; choose another folder")
    there = _installed(target)
    missing = [package for package in wanted if _plain(package) not in there]
    failed: dict[str, str] = {}
    if missing:
        say(f"installing {len(missing)} packages")
        failed = installer.install(missing, say)
        there = _installed(target)
    version = interpreter.ask(str(target.absolute())).version_text
    packages = {package: there[_plain(package)] for package in wanted if _plain(package) in there}
    record = {"record": "reexec.environment", "set": name, "python": version, "packages": packages, "failed": failed}
    replace_document(folder / _RECORD, record)
    return Environment(folder, target, version, packages, failed, tuple(p for p in missing if p in packages))


def _plain(package: str) -> str:
    """A package's name as the listing spells it, without version or extra. Raises UsageError."""
    try:
        return canonicalize_name(Requirement(package).name)
    except InvalidRequirement as error:
        raise UsageError(f"{package}: not a package's name with or without a version ({str(error).splitlines()[0]})") from None


def _installed(python: Path) -> dict[str, str]:
    done = subprocess.run([str(python), "-I", "-c", _LISTING], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise UsageError(f"{python}: does not run; remove the folder and create it again")
    return {canonicalize_name(name): str(version) for name, version in json.loads(done.stdout).items()}


class _Installer:
    """uv where there is one (it takes seconds), else the standard library's venv and pip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        uv = str(_CHECKOUT_UV) if os.access(_CHECKOUT_UV, os.X_OK) else shutil.which("uv")
        self._uv = uv
        self._python = str((folder / "bin" / "python").absolute())

    def make(self, python: str) -> None:
        if self._uv:
            command = [self._uv, "venv", "--quiet", "--python", python, str(self._folder)]
        else:
            command = [python, "-m", "venv", str(self._folder)]
        fault = self._run(command)
        if fault:
            raise UsageError(f"{self._folder}: no environment could be made ({fault})")

    def install(self, packages: list[str], say: Callable[[str], None]) -> dict[str, str]:
        """What was said of each package that could not be installed."""
        fault = self._install(packages)
        if not fault:
            return {}
        if len(packages) == 1:
            return {packages[0]: fault}
        say("not all at once; one by one")
        failed = {}
        for package in packages:
            fault = self._install([package])
            if fault:
                failed[package] = fault
                say(f"{package} cannot be installed: {fault}")
        return failed

    def _install(self, packages: list[str]) -> str:
        if self._uv:
            # Wheels only: what must be built needs compilers, takes minutes, and runs its build outside any jail. Byte code,
            # because a jail cannot write it, and would compile pandas in each worker.
            how = ("--quiet", "--compile-bytecode", "--only-binary", ":all:")
            command = [self._uv, "pip", "install", *how, "--python", self._python, *packages]
        else:
            command = [self._python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages]
        return self._run(command)

    @staticmethod
    def _run(command: list[str]) -> str:
        """What went wrong in one line; empty where nothing did."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{command[0]}: {error}"
        if done.returncode == 0:
            return ""
        lines = [line.strip().removeprefix("error: ").removeprefix("ERROR: ") for line in done.stderr.splitlines()]
        return next((line for line in lines if line), f"exit code {done.returncode}")[:300]


# -- what a run lacked ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lacked:
    module: str
    package: str | None
    """None: no package is known to bring it; often it is a file of the program's own project."""
    rows: int


@dataclass(slots=True)
class LackedReport:
    stage: str
    unit: str
    """What `rows` counts."""
    modules: list[Lacked] = field(default_factory=list)


_UNITS = {"generate": "functions", "audit": "pairs", "verify": "predictions"}


def lacked(report: Path) -> LackedReport:
    """The modules that a run of generate, audit or verify lacked, the most missed first. `report` is the run's output or its
    manifest. Raises UsageError."""
    path = report if report.name.endswith("manifest.json") else beside(report, "manifest.json")
    if not path.exists():
        return _of_rows(report)
    try:
        manifest = read_document(path)
        stage, counts = str(manifest["stage"]), manifest["progress"]["counts"]
        missing = {str(name): int(count) for name, count in counts.get("missing_modules", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a run's manifest ({error})") from None
    if "missing_modules" not in counts:
        raise UsageError(f"{path}: a run of {stage} does not say which modules were missing; one of {', '.join(_UNITS)} does")
    return LackedReport(stage, _UNITS.get(stage, "rows"), _ranked(missing))


def _of_rows(report: Path) -> LackedReport:
    """From rows without a manifest: an audit's report, or the drops of generate."""
    missing: dict[str, int] = {}
    read = 0
    for _, line in read_lines(report):
        try:
            row = parse_row(line)
        except BadRowError:
            continue
        read += "reason" in row
        names = row.get("missing_modules") if row.get("reason") else None
        if not isinstance(names, list):
            detail = str(row.get("detail"))
            names = [detail.partition("No module named '")[2].partition("'")[0]] if "No module named '" in detail else []
        for name in {str(name).partition(".")[0] for name in names}:
            missing[name] = missing.get(name, 0) + 1
    if not read:
        raise UsageError(f"{report}: neither a run's output with its manifest nor a report with reasons")
    return LackedReport("", "rows", _ranked(missing))


def package_of(module: str) -> str | None:
    """The package that brings a module; None where none is known."""
    known = tomllib.loads((_FOLDER / "modules.toml").read_text(encoding="utf-8"))
    found = known["package"].get(module)
    if found is not None:
        return str(found)
    return module if module in known["same"]["modules"] else None


def _ranked(missing: dict[str, int]) -> list[Lacked]:
    found = [Lacked(module, package_of(module), rows) for module, rows in missing.items()]
    return sorted(found, key=lambda one: (-one.rows, one.module))
