"""An executor of programs in all languages, around one of Python programs."""

from reexec.engine.commands import CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.executor import Executor

from . import options


def with_languages(own: Executor) -> CommandExecutor:
    """Runs Python programs on `own`, which stays open; a language costs nothing before its first program."""
    compiles = options.effective_policy(COMPILE_POLICY, None)
    return CommandExecutor(own.policy, workers=own.workers, compile_policy=compiles, python=own)
