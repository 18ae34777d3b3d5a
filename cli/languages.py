"""An executor of programs in all languages, around one of Python programs."""

from contextlib import AbstractContextManager, nullcontext

from reexec.engine.commands import AnyExecutor, CommandExecutor
from reexec.engine.commands.executor import COMPILE_POLICY
from reexec.engine.executor import Executor

from . import options


def with_languages(own: Executor) -> AbstractContextManager[AnyExecutor]:
    """Runs Python programs on `own`, which stays open; a language costs nothing before its first program. `own` itself where
    the policy keeps nothing of what programs print: it cannot be for other languages."""
    if not own.policy.limits.capture_bytes:
        return nullcontext(own)
    compiles = options.effective_policy(COMPILE_POLICY, None)
    return CommandExecutor(own.policy, workers=own.workers, compile_policy=compiles, python=own)
