"""`reexec doctor`: what this host offers, what is missing, and the command that mends it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.table import Table

from reexec.engine.errors import IsolationUnavailableError, ReexecError
from reexec.engine.executor import Executor
from reexec.engine.jail import interpreter, native
from reexec.engine.program import Program
from reexec.policies.model import Policy

from . import exits, options, screen


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    detail: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Bring the missing library: apt as root, else into our cache.")] = False,
    python: options.Python = None,
    json: options.Json = False,
) -> int:
    """Say what this host can do: which isolation, what is missing, and what to type.

    Example: [bold]reexec doctor[/]

    Exit code 3 where programs cannot be isolated here.
    """
    if mend:
        screen.out.print(native.mend())
    findings = [_host(), _interpreter(python), _nsjail(), *_kernel(), _cgroups()]
    jail, rung = _jail(python)
    findings.append(jail)
    if json:
        rows = [{"what": f.what, "ok": f.ok, "detail": f.detail, "mend": f.mend} for f in findings]
        screen.summary("doctor", rung=rung, findings=rows)
    else:
        table = Table(show_edge=False, pad_edge=False)
        for column in ("what", "", "found"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            mark = "[green]ok[/]" if finding.ok else "[red]missing[/]"
            table.add_row(finding.what, mark, finding.detail + (f"\n-> {finding.mend}" if finding.mend else ""))
        screen.out.print(table)
        screen.out.print(f"isolation here: [bold]{rung or 'none'}[/]")
    return exits.DONE if rung else exits.NO_ISOLATION


def _host() -> Finding:
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return Finding(
        "host", True, f"{platform.system()} {platform.release()}, {platform.machine()}, {cores} cores, {memory:.0f} GiB"
    )


def _interpreter(python: Path | None) -> Finding:
    try:
        found = interpreter.ask(str(python) if python else None)
    except ReexecError as error:
        return Finding("interpreter", False, str(error))
    return Finding("interpreter", True, f"CPython {found.version_text}, {found.executable}")


def _nsjail() -> Finding:
    try:
        found = native.find_nsjail()
    except IsolationUnavailableError as error:
        return Finding("nsjail", False, str(error), f"{native.INSTALL_LINE}   (or: reexec doctor --mend)")
    return Finding("nsjail", True, str(found.path) + (f" with {found.library_path}" if found.library_path else ""))


def _kernel() -> list[Finding]:
    """The switches of the kernel that keep an ordinary user from making namespaces."""
    findings = []
    for name, bad, mend in (
        ("user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
    ):
        path = Path("/proc/sys") / name
        if path.exists():
            value = path.read_text().strip()
            wrong = value == bad and (os.geteuid() != 0 or name.startswith("user/"))
            findings.append(Finding(f"sysctl {name.replace('/', '.')}", not wrong, value, mend if wrong else ""))
    return findings


def _cgroups() -> Finding:
    """Not used by this version; said because the next rung of the ladder needs them."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return Finding("cgroups", True, "v2 (not used by this version)")
    return Finding("cgroups", True, "v1 or hybrid (not used by this version)" if root.exists() else "none")


def _jail(python: Path | None) -> tuple[Finding, str]:
    """The proof: a real call in a real jail."""
    try:
        with Executor(Policy.preset("codeio"), workers=1, python=python) as executor:
            outcome = executor.submit(Program("def f(a, b):\n    return a + b\n", "f"), {"a": 2, "b": 3}).result()
            if outcome.value != 5:
                return Finding("a call in a jail", False, outcome.describe()), ""
            missing = executor.missing_prelude_modules
            note = f"; the interpreter lacks {', '.join(missing)}" if missing else ""
            return Finding("a call in a jail", True, f"{outcome.usage.wall_s * 1000:.1f} ms{note}"), executor.rung.value
    except ReexecError as error:
        return Finding("a call in a jail", False, str(error)), ""
