"""Output validators of packages, in jails of their own. A validator alone is given input and answer; of the submission it sees
what it printed. Each is compiled once."""

import json
from dataclasses import replace
from typing import Any, Final

from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Command, CommandLine
from reexec.policies.model import Policy

from ..plan import inside
from .folder import Package, PackageTest
from .sources import PYTHON

RIGHT, WRONG = 42, 43
NOT_JUDGED: Final = "the checker failed: "
SCRATCH_BYTES: Final = 64 << 20
PROCESSES: Final = 16
OPEN_FILES: Final = 64


class Checkers:
    """Opens a jail for each language when its first validator runs."""

    def __init__(self, executor: AnyExecutor) -> None:
        self._executor = executor
        self._opened: dict[str, Executor] = {}

    def refusal(self, package: Package) -> str:
        """Why the package's validator cannot be used here, "" where it can. Compiles it. Raises UsageError where its
        language is not here."""
        if package.checker_language == PYTHON:
            return ""
        assert isinstance(self._executor, CommandExecutor)
        self._executor.require(package.checker_language)
        made = self._made(package)
        return "" if isinstance(made, CommandLine) else f"its output validator: {made.describe()}"

    def check(self, package: Package, test: PackageTest, output: str) -> str:
        """Why the output is wrong, "" where it is right; begins with NOT_JUDGED where the validator does not say."""
        given = [list(test.flags), test.input.read_bytes(), test.answer.read_bytes(), output]
        if package.checker_language == PYTHON:
            call = Call((package.checker, *given))
            outcome = self._jail(PYTHON).submit(inside("checker", "check"), call).result()
        else:
            made = self._made(package)
            assert isinstance(made, CommandLine)
            line = json.loads(made.source)
            call = Call((line["arguments"], line["environment"], *given))
            outcome = self._jail(package.checker_language).submit(inside("checker", "check_by_command"), call).result()
        status, said = outcome.value if outcome.ok else (None, outcome.describe())
        if status == RIGHT:
            return ""
        return (said or "the checker says so") if status == WRONG else f"{NOT_JUDGED}{said or f'exit status {status}'}"

    def _made(self, package: Package) -> CommandLine | Outcome:
        assert isinstance(self._executor, CommandExecutor)
        return self._executor.compiled(Command(package.checker, package.checker_language)).result()

    def _jail(self, language: str) -> Executor:
        found = self._opened.get(language)
        if found is None:
            own = self._executor
            tools = None
            if language != PYTHON:
                assert isinstance(own, CommandExecutor)
                tools = replace(own.run_tools(language), commands=False, starts_others=True)
            isolation = own.wanted_isolation if isinstance(own, CommandExecutor) else None
            found = Executor(
                _policy(own.policy, language), workers=1, python=own.interpreter.executable, isolation=isolation, tools=tools
            )
            self._opened[language] = found
        return found

    def close(self) -> None:
        for each in self._opened.values():
            each.shutdown()
        self._opened.clear()


def _policy(policy: Policy, language: str) -> Policy:
    limits: dict[str, Any] = {"scratch_bytes": SCRATCH_BYTES}
    prelude: tuple[str, ...] = ()
    if language != PYTHON:
        most = policy.limits
        limits |= {"processes": max(PROCESSES, most.processes), "open_files": max(OPEN_FILES, most.open_files)}
        prelude = ("import os, subprocess, tempfile",)
    own = policy.limits.model_copy(update=limits)
    return policy.model_copy(update={"name": "checker", "limits": own, "prelude": prelude, "warm": ()})
