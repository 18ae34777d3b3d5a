"""Programs in other languages than Python, for /run_code: one CommandExecutor beside the service's executor, started with the
first such program. Its languages are what this host has (`reexec doctor --toolchains`)."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from reexec.engine.commands.probe import find
from reexec.engine.commands.toolchain import toolchain_named
from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.own_terms import CallLimits, Files
from reexec.engine.program import Command, Stdin

from .desk import Client

if TYPE_CHECKING:
    from reexec.engine.commands import CommandExecutor
    from reexec.engine.commands.executor import CommandFuture

TOOLCHAINS = {"cpp": "cpp", "nodejs": "javascript", "go": "go", "java": "java", "rust": "rust", "bash": "bash"}
"""SandboxFusion's names, and ours."""
_THREADS = 2


class Languages:
    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._commands: CommandExecutor | None = None
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, "reexec-languages")

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

    async def begin(
        self, client: Client, language: str, source: str, stdin: Stdin, *, limits: CallLimits, compile_limits: CallLimits,
        files: Files | None,
    ) -> "CommandFuture":  # fmt: skip
        """As CommandExecutor.submit; calls of one client take turns with those of others. Waits, in threads of its own, while
        compiler and workers of a language start. Raises UsageError where this host lacks it, and what Executor's raises."""

        def submit() -> Any:
            terms: dict[str, Any] = {"limits": limits, "compile_limits": compile_limits, "files": files, "group": client}
            return self._all().submit(Command(source, TOOLCHAINS[language]), stdin, **terms)

        future: CommandFuture = await asyncio.get_running_loop().run_in_executor(self._threads, submit)
        return future

    def _all(self) -> "CommandExecutor":
        from reexec.engine.commands import CommandExecutor

        with self._lock:
            if self._commands is None:
                self._commands = CommandExecutor(self._executor.policy, workers=self._executor.workers)
            return self._commands

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._commands is not None:
                self._commands.shutdown()
