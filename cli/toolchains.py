"""`reexec doctor --toolchains`: which languages this host has, each proven by a program that was compiled and run in a jail."""

from dataclasses import dataclass

from rich.table import Table

from reexec.engine.commands import CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.commands.probe import Found, survey
from reexec.engine.errors import EngineError, IsolationUnavailableError, UsageError
from reexec.policies.model import Policy

from . import exits, options, screen
from .terminal import styled


@dataclass(frozen=True, slots=True)
class Row:
    language: str
    ok: bool
    present: bool
    detail: str
    names: tuple[str, ...]


def show_toolchains(json: bool) -> int:
    rows = []
    for toolchain, found, missing in survey():
        with screen.err.status(f"{toolchain.title}"):
            ok, detail = (False, missing) if found is None else _tried(found)
        rows.append(Row(toolchain.language, ok, found is not None, detail, toolchain.aliases))
    if json:
        fields = [
            {"language": row.language, "ok": row.ok, "present": row.present, "detail": row.detail, "names": list(row.names)}
            for row in rows
        ]
        screen.summary("doctor", toolchains=fields)
    else:
        table = Table(show_edge=False, pad_edge=False)
        for column in ("language", "", "found", "also called"):
            table.add_column(column, overflow="fold")
        for row in rows:
            mark = styled("ok", "green") if row.ok else styled("fails" if row.present else "missing", "red")
            table.add_row(row.language, mark, styled(row.detail, ""), ", ".join(row.names))
        screen.out.print(table)
    return exits.IMPERFECT if any(row.present and not row.ok for row in rows) else exits.DONE


def _tried(found: Found) -> tuple[bool, str]:
    """Whether a program of the language compiles and runs here, and a line about it."""
    compiles = options.effective_policy(COMPILE_POLICY, None)
    policy: Policy = options.effective_policy("contest", None)
    try:
        with CommandExecutor(policy, workers=1, compile_policy=compiles) as executor:
            trial = executor.tried(found.toolchain.language)
            level = executor.isolation.value
    except (EngineError, IsolationUnavailableError, UsageError) as error:
        return False, f"{found.version}\n{error}"
    if trial.fault:
        return False, f"{found.version}\n{trial.fault}"
    return True, f"{found.version}\na program ran on {level} in {trial.wall_s * 1000:.0f} ms"
