"""`reexec doctor --toolchains`: which languages this host has, each proven by a program that was compiled and run in a jail."""

from dataclasses import dataclass

from rich.table import Table

from reexec.engine.commands import CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.commands.probe import Found, survey
from reexec.engine.errors import EngineError, IsolationUnavailableError, UsageError
from reexec.engine.program import Command
from reexec.policies.model import Policy

from . import exits, options, screen
from .terminal import styled

_ADDS = {
    "bash": 'read a b; echo "$((a + b))"',
    "c": '#include <stdio.h>\nint main(void) { long a, b; if (scanf("%ld %ld", &a, &b) != 2) return 1; '
    'printf("%ld\\n", a + b); }',
    "cpp": "#include <iostream>\nint main() { long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n\tfmt.Println(a + b)\n}\n',
    "java": "public class Main { public static void main(String[] x) { var s = new java.util.Scanner(System.in); "
    "System.out.println(s.nextLong() + s.nextLong()); } }",
    "javascript": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number); console.log(a + b)",
    "rust": "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); "
    'println!("{}", s.split_whitespace().map(|x| x.parse::<i64>().unwrap()).sum::<i64>()); }',
}
_PYTHON = "import sys; print(sum(map(int, sys.stdin.read().split())))"
"""Adds two numbers; for every language that is a Python."""


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
    name = found.toolchain.language
    compiles = options.effective_policy(COMPILE_POLICY, None)
    policy: Policy = options.effective_policy("contest", None)
    try:
        with CommandExecutor(policy, workers=1, compile_policy=compiles) as executor:
            outcome = executor.submit(Command(_ADDS.get(name, _PYTHON), name), "40 2\n").result()
            level = executor.isolation.value
    except (EngineError, IsolationUnavailableError, UsageError) as error:
        return False, f"{found.version}\n{error}"
    if outcome.ok and outcome.stdout == "42\n":
        return True, f"{found.version}\na program ran on {level} in {outcome.usage.wall_s * 1000:.0f} ms"
    wrote = f", and wrote {outcome.stdout[:100]!r}" if outcome.ok else ""
    said = f"{outcome.describe()[:300]}{wrote} {outcome.stderr[:300]}"
    return False, f"{found.version}\na program that adds 40 and 2 came to: {said}".rstrip()
