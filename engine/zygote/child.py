"""What a forked child does: compile a program's source, or run one call of it and report. One function for each kind of task;
it finds what it needs in the task's parts, writes one final claim and leaves.

Everything here runs beside hostile code in the same interpreter once the program has begun, so the module takes what
it needs beforehand: its own built-ins, its own references to system calls, its own value encoder. A program can still
reach all of it with enough effort; what it gains is a claim about its own check, no more (see claim.py).
"""

from __future__ import annotations

import _thread
import builtins
import errno
import gc
import io
import marshal
import os
import struct
import sys
import types
from typing import Any

from ..protocol import claim, frames, values
from ..protocol.setup import Setup
from . import determinism
from .sharing import reason_against
from .sources import SourceWatch
from .task import Task

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

MODULE_NAME = "program"
FILE_NAME = "program.py"
THREAD_STACK_BYTES = 64 << 20  # address space of a thread of a script that asks for no size of its own
MAX_MESSAGE_CHARACTERS = 2000
_MOST_WRAPPERS = 20
MAX_TRACEBACK_LINES = 12
_LOCKS = "multiprocessing/synchronize.py"

_write, _exit = os.write, os._exit
_pack = claim.pack
_encode, _decode = values.encode, values.decode
_Refused, _TooLong = values.Refused, values.TooLong
_type_name = values.type_name
_StructError = struct.error


_OUT_OF_MEMORY = claim.pack("memory-limit", b"{}")
_OUT_OF_STACK = claim.pack("exception", b'{"type": "RecursionError", "message": "", "lines": []}')


class OwnSource:
    """The loader of the programs' module: `inspect.getsource` and tracebacks ask it for the text."""

    text: bytes = b""

    def get_source(self, _name: str) -> str:
        return self.text.decode("utf-8", "surrogatepass")


own_source = OwnSource()


def _send(fd: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[_write(fd, view) :]


def _json(value: Any) -> bytes:
    return _encode(value)


def _leave(fd: int, *frame: bytes) -> None:
    for part in frame:
        _send(fd, part)
    _exit(0)


def compile_program(fd: int, task: Task) -> None:
    """Sends the program's code, marshalled, or the exception that its source raises. Parts: source."""
    try:
        frame = _compiled(fd, task)
    except (MemoryError, _StructError):  # while the harness made its report, or of more code than a claim can hold
        frame = (_OUT_OF_MEMORY,)
    _leave(fd, *frame)


def _compiled(fd: int, task: Task) -> tuple[bytes, ...]:
    try:
        source = bytes(task.part(0))
        text = str(source, "utf-8", "surrogatepass")
        if text[:1] == "\ufeff":  # a byte-order mark is no part of a Python file
            text = text[1:]
        data = marshal.dumps((compile(text, FILE_NAME, "exec", dont_inherit=True), source))
        shares = claim.SHARES if task.options & frames.EXAMINED and _may_share(text, task) else 0
    except BaseException as error:
        return (_exception_claim(fd, error),)
    return claim.header("code", len(data), flags=shares), data


def _may_share(text: str, task: Task) -> bool:
    try:
        return not reason_against(text, task.setup.prelude)
    except Exception:
        return False


def run_call(fd: int, task: Task) -> None:
    """Runs one call in the program's module and sends what came of it. Parts: entry, code, call."""
    try:
        frame = perform(fd, task)
    except MemoryError:  # while the harness made its report
        frame = _OUT_OF_MEMORY
    except RecursionError:  # the program left it no stack
        frame = _OUT_OF_STACK
    if task.setup.capture_bytes:
        _flush_printed()
    _leave(fd, frame)


def run_script(fd: int, task: Task) -> None:
    """Runs a program as `__main__` and sends its exit status. Parts: entry, code."""
    try:
        frame = _performed(fd, task)
    except MemoryError:
        frame = _OUT_OF_MEMORY
    except RecursionError:
        frame = _OUT_OF_STACK
    _flush_printed()
    _flush_all()
    _leave(fd, frame)


def _performed(fd: int, task: Task) -> bytes:
    try:
        code = _as_main(task)
    except BaseException as error:
        return _exception_claim(fd, error)
    try:
        try:
            exec(code, vars(sys.modules["__main__"]))
        except SystemExit as leaving:
            status = _exit_code(leaving)
            if leaving.code is not None and type(leaving.code) is not int:
                print(leaving.code, file=sys.stderr)
        else:
            status = 0
        _join_threads()
    except BaseException as error:
        return _exception_claim(fd, error)
    return _pack("value", b"%d" % status)


def _as_main(task: Task) -> types.CodeType:
    """The program's code, with all that surrounds a program at the interpreter's start."""
    main = types.ModuleType("__main__")
    before = sys.stdin, sys.stdout, sys.stderr
    vars(main).update({name: value for name, value in task.space.items() if not name.startswith("__")})
    main.__file__ = FILE_NAME
    main.__loader__ = own_source  # type: ignore[assignment]
    sys.modules["__main__"], sys.argv = main, [FILE_NAME]
    # As the interpreter makes them at its start: no translation of line ends, one buffer over each descriptor. Those of the
    # zygote were made for other files.
    sys.stdin = sys.__stdin__ = _stream(0, "r")  # type: ignore
    sys.stdout = sys.__stdout__ = _stream(1, "w")  # type: ignore
    sys.stderr = sys.__stderr__ = _stream(2, "w", line_buffering=True)  # type: ignore
    for old, new in zip(before, (sys.stdin, sys.stdout, sys.stderr)):
        for name in [name for name, value in vars(main).items() if value is old]:  # a prelude has it from sys
            vars(main)[name] = new
    if _thread.stack_size() == 0:
        _thread.stack_size(THREAD_STACK_BYTES)
    return _code(task)


def _code(task: Task) -> types.CodeType:
    """The program's code; its own source comes with it."""
    code, own_source.text = marshal.loads(task.part(1))
    return code  # type: ignore[no-any-return]


def _stream(fd: int, mode: str, line_buffering: bool = False) -> Any:
    raw = open(fd, mode + "b", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "surrogateescape", newline="\n", line_buffering=line_buffering)


def _flush_all() -> None:
    """Files that the program left open: the interpreter would write their buffers out when it ends."""
    for each in gc.get_objects():
        if type(each) is io.TextIOWrapper or type(each) is io.BufferedWriter:
            try:
                each.flush()
            except Exception:
                continue


def _join_threads() -> None:
    """As the interpreter does at its end: threads that are no daemons are waited for, then what is registered runs."""
    threading = sys.modules.get("threading")
    if threading is not None:
        waited = True
        while waited:
            waited = False
            for thread in threading.enumerate():
                if thread is not threading.main_thread() and not thread.daemon and thread is not threading.current_thread():
                    thread.join()
                    waited = True
    atexit = sys.modules.get("atexit")
    if atexit is not None:
        atexit._run_exitfuncs()


def _entry(space: dict[str, Any], entry: str) -> Any:
    """What an entry names: a function, or the method of a new instance (`Class.method`)."""
    name, _, method = entry.partition(".")
    try:
        found = space[name]
    except KeyError:
        try:
            found = space[_as_compiled(name)]
        except KeyError:
            raise NameError("the program defines no %r" % name) from None
    if not method or method.isascii():
        return getattr(found(), method) if method else found
    instance = found()
    return getattr(instance, method if hasattr(instance, method) else _as_compiled(method))


def _as_compiled(name: str) -> str:
    """A name as Python's compiler spells it (NFKC): `def \ufb01nd` defines `find`."""
    if name.isascii():
        return name
    import unicodedata

    return unicodedata.normalize("NFKC", name)


def _named(function: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """`kwargs` by the names of the function's parameters, where its source spells them as the caller does and the compiler does
    not."""
    if "".join(kwargs).isascii():
        return kwargs
    for _ in range(_MOST_WRAPPERS):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    code = getattr(function, "__code__", None)
    if type(code) is not types.CodeType:
        return kwargs
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    named = {}
    for name, value in kwargs.items():
        compiled = _as_compiled(name)
        named[compiled if name not in known and compiled in known and compiled not in kwargs else name] = value
    return named if len(named) == len(kwargs) else kwargs


def _flush_printed() -> None:
    """What the program printed leaves its buffers; a stream that it replaced or closed keeps what it has."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # the program's own object: whatever it raises says nothing about the value
            continue


def perform(fd: int, task: Task) -> bytes:
    """The final frame of one call. `task.space` is the namespace made for the program in the zygote: every fork has a
    fresh copy of it, prelude included and generators seeded, without doing anything."""
    setup, space = task.setup, task.space
    python_values = bool(task.options & frames.PYTHON_VALUES)
    watch = SourceWatch() if task.options & frames.WATCH_SOURCES else None
    try:
        # The arguments are the host's own bytes, so marshal may read them: it knows tuples, sets and integers of any size.
        call = task.part(2)
        args, kwargs = (
            _decode(bytes(call), True, values.CALL_LEVELS) if task.options & frames.TAGGED_CALL else marshal.loads(call)
        )
        code = _code(task)
        entry = str(task.part(0), "utf-8", "surrogatepass")
    except MemoryError:
        return _OUT_OF_MEMORY
    flags = 0
    if task.options & frames.SHARED_ENTROPY:
        determinism.share_entropy()
    try:
        if watch is not None:
            watch.start()
        exec(code, space)
        if not task.numpy_seeded and "numpy" in sys.modules:
            seed_numpy(setup)
        function = _entry(space, entry)
        kwargs = _named(function, kwargs)
        before = _arguments(args, kwargs, task)
        value = function(*args, **kwargs)
        if watch is not None:
            watch.stop()
    except BaseException as error:
        if watch is not None:
            watch.stop()
        return _exception_claim(fd, error, watch)
    try:
        if before is not None and _arguments(args, kwargs, task) != before:
            flags |= claim.ARGUMENTS_CHANGED
        payload = _encode(value, python_values, setup.numpy_values, setup.output_bytes)
        word = "value"
    except _TooLong:
        word, payload = "output-limit", b"{}"
    except _Refused as refusal:
        word, payload = "bad-result", _json({"path": refusal.path, "reason": refusal.reason})
    except MemoryError:
        word, payload = "memory-limit", b"{}"
    except BaseException as error:
        # A result that lies about its class, or whose methods raise.
        reason = "reading it raised %s" % _type_name(type(error))
        word, payload = "bad-result", _json({"path": "$", "reason": reason})
    return _pack(word, payload, watch.report() if watch is not None else b"", flags)


def make_module(prelude: dict[str, Any]) -> dict[str, Any]:
    """The module that programs run in, registered under its name and as the main one, with the prelude's names in it."""
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = FILE_NAME
    module.__loader__ = own_source  # type: ignore[assignment]
    vars(module).update(prelude)
    sys.modules[MODULE_NAME] = sys.modules["__main__"] = module
    return vars(module)


def _arguments(args: list[Any], kwargs: dict[str, Any], task: Task) -> bytes | None:
    if not task.options & frames.WATCH_ARGUMENTS:
        return None
    try:
        return _encode([args, kwargs], bool(task.options & frames.PYTHON_VALUES), True, around=values.CALL_LEVELS)
    except (_Refused, _TooLong):
        return b"not encodable"


def seed_numpy(setup: Setup) -> None:
    """Seeds numpy's global generator, where a program brought numpy with it."""
    try:
        sys.modules["numpy"].random.seed(setup.numpy_seed)
    except AttributeError:
        pass  # the program put something else there


def _exception_claim(fd: int, error: BaseException, watch: SourceWatch | None = None) -> bytes:
    """The final frame for an uncaught exception; where its text is the program's own code, a provisional one first."""
    kind = type(error)
    note = watch.report() if watch is not None else b""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and _errno(error) == errno.ENOMEM):
        return _pack("memory-limit", b"{}", note)
    if isinstance(error, SystemExit):
        return _pack("early-exit", _json({"code": _exit_code(error), "by": "SystemExit"}), note)
    if isinstance(error, BlockingIOError) and _errno(error) == errno.EAGAIN:
        return _pack("process-limit", b"{}", note)
    if isinstance(error, FileNotFoundError) and _is_of_shared_lock(error):
        return _pack("process-limit", b"{}", note)
    if kind is RuntimeError and error.args == ("can't start new thread",):
        return _pack("process-limit", b"{}", note)
    report = {"type": _type_name(kind), "message": "", "lines": _traceback_lines(error)}
    if isinstance(error, ImportError) and type(error.name) is str and isinstance(error, ModuleNotFoundError):
        report["module"] = error.name[:200]
    if not _plain_text(error, kind):
        _send(fd, _pack("exception", _json(report), note, claim.PROVISIONAL))
    try:
        report["message"] = str.__str__(str(error))[:MAX_MESSAGE_CHARACTERS]
    except BaseException as second:
        report["message"] = "(its text raised %s)" % _type_name(type(second))
    return _pack("exception", _json(report), note)


def _is_of_shared_lock(error: FileNotFoundError) -> bool:
    """A lock or a queue between processes, where the policy allows one process: there is no folder for it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return error.filename is None and trace is not None and trace.tb_frame.f_code.co_filename.endswith(_LOCKS)


def _plain_text(error: BaseException, kind: type) -> bool:
    """Whether str(error) runs no code of the program's and is short."""
    if type(kind.__str__) is not types.WrapperDescriptorType:
        return False
    return all(type(a) in (int, float, type(None)) or (type(a) is str and len(a) < 10_000) for a in error.args)


def _errno(error: OSError) -> int | None:
    number = error.errno
    return number if type(number) is int else None


def _exit_code(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    return code & 0xFF if type(code) is int else 1


def _traceback_lines(error: BaseException) -> list[list[Any]]:
    """[[line, function], ...] of the program's own frames, outermost first, the innermost ones where there are many."""
    lines = []
    trace = error.__traceback__
    steps = 0
    while trace is not None and steps < 1_100_000:
        code = trace.tb_frame.f_code
        if code.co_filename == FILE_NAME:
            lines.append([trace.tb_lineno, code.co_name[:100]])
            if len(lines) > 4 * MAX_TRACEBACK_LINES:
                del lines[: 2 * MAX_TRACEBACK_LINES]
        trace = trace.tb_next
        steps += 1
    if isinstance(error, SyntaxError) and type(error.lineno) is int and error.filename == FILE_NAME:
        lines.append([error.lineno, "(source)"])
    return lines[-MAX_TRACEBACK_LINES:]
