"""`reexec doctor`: what this host offers, what is missing, and the command that mends it."""

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.table import Table

from reexec.engine.addresses import memory_hint
from reexec.engine.conformance import Offer, Result, offers, run_conformance
from reexec.engine.errors import ReexecError
from reexec.engine.executor import Executor
from reexec.engine.jail import interpreter, native
from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel

from . import exits, options, screen
from .terminal import styled
from .toolchains import show_toolchains


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
    attack: Annotated[
        bool, typer.Option("--attack", help="Run hostile programs on every isolation level that is here (a minute).")
    ] = False,
    toolchains: Annotated[
        bool, typer.Option("--toolchains", help="Compile and run a program in each language that is here, in the jail.")
    ] = False,
    python: options.Python = None,
    json: options.Json = False,
) -> int:
    """Say what this host can do: which isolation, what is missing, and what to type.

    Example: [bold]reexec doctor[/]

    Exit code 3 where programs cannot be isolated here; with --attack 1 where one of them did what it must not; with
    --toolchains 1 where a language that is here does not work in a jail.
    """
    if mend:
        screen.out.print(native.mend())
    if toolchains:
        return show_toolchains(json)
    found = offers(str(python) if python else None) if (usable := _interpreter(python)).ok else []
    levels = [offer.isolation for offer in found if offer.available]
    if attack:
        return _attack(levels, json)
    findings = [_host(), usable, _nsjail(), *_kernel(), *_addresses(), *(_isolation(offer, python) for offer in found)]
    isolation = levels[0].value if levels else ""
    if json:
        rows = [{"what": f.what, "ok": f.ok, "detail": f.detail, "mend": f.mend} for f in findings]
        screen.summary("doctor", isolation=isolation, findings=rows)
    else:
        table = Table(show_edge=False, pad_edge=False)
        for column in ("what", "", "found"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            mark = styled("ok", "green") if finding.ok else styled("missing", "red")
            table.add_row(finding.what, mark, finding.detail)
        screen.out.print(table)
        for finding in findings:
            if finding.mend:  # in one piece, to be copied
                screen.out.print(f"to mend {finding.what}: {finding.mend}", soft_wrap=True, markup=False, highlight=False)
        screen.out.print(
            styled("isolation here: ", "")
            .append(isolation or ("none" if usable.ok else "not tried without an interpreter"), "bold")
            .append(_ACCEPT if isolation == IsolationLevel.RESTRICTED else "")
        )
    return exits.DONE if isolation else exits.NO_ISOLATION


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
    except ReexecError as error:
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


def _addresses() -> list[Finding]:
    """Whether a check gets the memory that policies grant by default, where this process may have few addresses."""
    wanted = options.effective_policy("codeio", None).limits.memory_bytes
    mend = memory_hint(wanted)
    if not mend:
        return []
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    said = f"{hard >> 20} MiB of addresses for a process: too few for limits.memory_bytes = {wanted >> 20} MiB"
    return [Finding("ulimit -Hv", False, said, mend)]


_ACCEPT = "; policies must accept it: --set isolation.lowest=restricted"
_CGROUP_LINE = "run as root, or under a delegated group: systemd-run --user --scope -p Delegate=yes reexec ..."


def _isolation(found: Offer, python: Path | None) -> Finding:
    """The proof that an isolation level works was a real call on it."""
    name = f"isolation {found.isolation.value}"
    if found.available:
        return Finding(name, True, f"a call took {found.wall_s * 1000:.1f} ms{_lacking(found.isolation, python)}")
    return Finding(name, False, found.reason, _CGROUP_LINE if "control group" in found.reason else "")


def _lacking(isolation: IsolationLevel, python: Path | None) -> str:
    """Modules of the usual prelude that the interpreter lacks."""
    policy = load_policy("codeio", settings=(f"isolation.lowest={isolation.value}", "limits.memory_bytes=64MiB"))
    with Executor(policy, workers=1, python=python, isolation=isolation) as executor:
        missing = executor.missing_prelude_modules
    return f"; the interpreter lacks {', '.join(missing)}" if missing else ""


def _attack(levels: list[IsolationLevel], json: bool) -> int:
    """The conformance suite's short form: what hostile programs came to here, isolation level by isolation level."""
    results: list[Result] = []
    for isolation in levels:
        with screen.err.status(f"attacks on {isolation.value}"):
            results += run_conformance(isolation=isolation, short=True)
    faulty = [result for result in results if not result.ok]
    rows = [
        {
            "case": result.case.id,
            "isolation": result.isolation.value,
            "verdict": result.word,
            "expected": result.expected,
            "left_over": result.left_over,
            "faults": list(result.faults),
        }
        for result in results
    ]
    table = Table(show_edge=False, pad_edge=False)
    for column in ("case", "isolation", "verdict", "expected", "left-overs"):
        table.add_column(column, overflow="fold")
    for result in results:
        style = "" if result.ok else "red"
        left = "none" if result.ok else "; ".join(result.faults)
        table.add_row(result.case.id, result.isolation.value, result.word, result.expected, left, style=style)
    screen.out.print(table)
    screen.out.print(f"{len(results)} attacks on {len(levels)} isolation levels: {len(results) - len(faulty)} as expected")
    if json:
        screen.summary("doctor", isolation=levels[0].value if levels else None, attacks=rows, unexpected=len(faulty))
    if not levels:
        return exits.NO_ISOLATION
    return exits.IMPERFECT if faulty else exits.DONE
