"""What a forked child does for a unit: many calls of one program, one after the other, each in a module made anew.

Only values, and exceptions whose text is no code of the program's, are answered here. Whatever else a call comes to, the child
sends what it has and leaves: the host runs that call again alone, where the full rules hold.
"""

from __future__ import annotations

import marshal
import sys
import types
from time import monotonic
from typing import Any

from ..protocol import claim, frames, unit, values
from . import child
from .progress import Progress
from .task import Task

BLOCK_BYTES = 32 << 10
BLOCK_S = 0.02

FURTHER_FRAMES = 2
"""Frames around a call here beyond those of a call alone: the limit on recursion is raised by them, so that a program that
counts how deep it comes counts the same."""

_header = claim.header


class _AloneError(Exception):
    """This call must be run alone."""


def run_unit(fd: int, task: Task, progress: Progress) -> None:
    """Answers calls until one must be run alone. Parts: entry, code, calls."""
    block = bytearray()
    try:
        _run(fd, task, block, progress)
    except (_AloneError, MemoryError, RecursionError):
        pass
    if block:
        child._send(fd, bytes(block))
    child._exit(0)


def _run(fd: int, task: Task, block: bytearray, progress: Progress) -> None:
    setup = task.setup
    python_values = bool(task.options & frames.PYTHON_VALUES)
    tagged = bool(task.options & frames.TAGGED_CALL)
    code = child._code(task)
    entry = str(task.part(0), "utf-8", "surrogatepass")
    sys.setrecursionlimit(sys.getrecursionlimit() + FURTHER_FRAMES)
    names = dict(task.space)
    reseed = _reseeder(code, task)
    sent = monotonic()
    for number, call in enumerate(unit.each_call(task.part(2))):
        progress.begins(number)
        args, kwargs = child._decode(bytes(call), True, values.CALL_LEVELS) if tagged else marshal.loads(call)
        if reseed is not None:
            reseed()
        word, payload = _answer(code, entry, _fresh_module(names), args, kwargs, setup, python_values)
        block += _header(word, len(payload))
        block += payload
        now = monotonic()
        if len(block) >= BLOCK_BYTES or now - sent >= BLOCK_S:
            child._send(fd, bytes(block))
            block.clear()
            sent = now


def _fresh_module(names: dict[str, Any]) -> dict[str, Any]:
    module = types.ModuleType(child.MODULE_NAME)
    space = module.__dict__
    space.update(names)
    sys.modules[child.MODULE_NAME] = module
    return space


def _answer(
    code: Any, entry: str, space: dict[str, Any], args: list[Any], kwargs: dict[str, Any], setup: Any, python_values: bool
) -> tuple[str, bytes]:
    try:
        exec(code, space)
        try:
            function = space[entry]
        except KeyError:
            raise NameError("the program defines no %r" % entry) from None
        value = function(*args, **kwargs)
    except Exception as error:
        return "exception", _exception(error)
    except BaseException:
        raise _AloneError() from None
    try:
        return "value", child._encode(value, python_values, setup.numpy_values, setup.output_bytes)
    except BaseException:
        raise _AloneError() from None


def _exception(error: Exception) -> bytes:
    kind = type(error)
    if isinstance(error, (MemoryError, OSError, RecursionError)) or kind is RuntimeError or not child._plain_text(error, kind):
        raise _AloneError()
    report = {"type": child._type_name(kind), "message": "", "lines": child._traceback_lines(error)}
    if isinstance(error, ModuleNotFoundError) and type(error.name) is str:
        report["module"] = error.name[:200]
    report["message"] = str.__str__(str(error))[: child.MAX_MESSAGE_CHARACTERS]
    return child._json(report)


def _names_random(code: Any) -> bool:
    """Whether a code object, or one inside it, names anything random."""
    waiting = [code]
    while waiting:
        one = waiting.pop()
        if any("random" in name for name in one.co_names):
            return True
        waiting += [constant for constant in one.co_consts if isinstance(constant, types.CodeType)]
    return False


def _reseeder(code: Any, task: Task) -> Any:
    """What puts the generators back before each call; None where the program has no way to them."""
    if not _names_random(code):
        return None
    random = sys.modules["random"]
    state = random.getstate()
    numpy: Any = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None
    set_numpy_state = numpy.random.set_state if numpy is not None else None

    def reseed() -> None:
        random.setstate(state)
        if set_numpy_state is not None:
            set_numpy_state(numpy_state)
        elif "numpy" in sys.modules:
            child.seed_numpy(task.setup)

    return reseed
