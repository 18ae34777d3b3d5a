"""Programs in other languages than Python, for /run_code: one CommandExecutor beside the service's executor, started with the
first such program. Its languages are what this host has (`reexec doctor --toolchains`)."""

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named
from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Command, Stdin

if TYPE_CHECKING:
    from reexec.engine.commands import CommandExecutor

TOOLCHAINS = {"cpp": "cpp", "nodejs": "javascript", "go": "go", "java": "java", "rust": "rust", "bash": "bash"}
"""SandboxFusion's names, and ours."""


class Languages:
    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._commands: CommandExecutor | None = None
        self._lock = threading.Lock()

    def here(self) -> list[str]:
        """Those whose programs this host has. Asks them for their versions the first time."""
        found = []
        for name, ours in TOOLCHAINS.items():
            try:
                find(toolchain_named(ours))
            except UsageError:
                continue
            found.append(name)
        return found

    @staticmethod
    def compiles(language: str) -> bool:
        return toolchain_named(TOOLCHAINS[language]).compile is not None

    def submit(self, language: str, source: str, stdin: Stdin) -> Future[Outcome]:
        """Blocks while compiler and workers of a language start. Raises UsageError where this host lacks it, and what
        Executor's raises."""
        from reexec.engine.commands import CommandExecutor

        with self._lock:
            if self._commands is None:
                self._commands = CommandExecutor(self._executor.policy, workers=self._executor.workers)
        return self._commands.submit(Command(source, TOOLCHAINS[language]), stdin)

    def close(self) -> None:
        with self._lock:
            if self._commands is not None:
                self._commands.shutdown()
