"""The door of the command line: every error becomes one line on stderr and a documented exit code."""

import os
import sys

import typer

from reexec.engine.errors import EngineError, IsolationUnavailableError, UsageError
from reexec.engine.version import VERSION

from . import exits
from .commands import Commands
from .terminal import visible

app = typer.Typer(
    cls=Commands,
    name="reexec",
    help="Verify predicted inputs and outputs of programs by re-executing them, in a sandbox, fast.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich takes longer to import than all else here; the help of single commands has it
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"reexec {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def _run() -> int:
    try:
        code = app(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        if code == exits.INTERRUPTED:  # typer makes this of a KeyboardInterrupt
            raise KeyboardInterrupt
        return code if isinstance(code, int) else exits.DONE
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
            error.show()  # type: ignore[attr-defined]
            return exits.USAGE
        return _say(f"{_fault_of(error)} ({_help_of(error)} shows how it is used)", exits.USAGE)
    except UsageError as error:
        return _say(str(error), exits.USAGE)
    except IsolationUnavailableError as error:
        return _say(str(error), exits.NO_ISOLATION)
    except EngineError as error:
        return _say(f"{error} (at: {error.stage})", exits.IMPERFECT)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted; what is written is whole, run the same command again to resume", exits.INTERRUPTED)
    except MemoryError:
        return _say("out of memory; what is written is whole, run the same command again to resume", exits.USAGE)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer makes exit code 1 of it
            raise end.__context__ from None
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _say(f"{where}{os.strerror(error.errno).lower() if error.errno else error}", exits.USAGE)


def _fault_of(error: typer.TyperException) -> str:
    """The option, its value and what is wrong with it, where the value is."""
    from pydantic import ValidationError

    from reexec.policies.faults import worded

    cause, param = error.__cause__, getattr(error, "param", None)
    if not isinstance(cause, ValidationError) or param is None:
        return error.format_message()
    first = cause.errors()[0]
    shown = "" if first["type"] == "value_error" else f" {first['input']}"
    return f"{param.opts[0]}{shown}: {worded(first)}"


def _help_of(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path if context else 'reexec'} --help`"


def _say(message: str, code: int) -> int:
    try:
        print(f"reexec: {visible(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        pass
    return code


def main() -> None:
    try:
        code = _run()
    except BrokenPipeError:
        # Whoever read our output has left; files are written by their own means and are whole.
        code = exits.DONE
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # said already; what is left in the buffer must not be tried again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


if __name__ == "__main__":
    main()
