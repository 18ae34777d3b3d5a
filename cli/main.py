"""The door of the command line: every error becomes one line on stderr and a documented exit code."""

import os
import sys

import typer

from reexec.engine.errors import EngineError, IsolationUnavailableError, UsageError
from reexec.engine.version import VERSION
from reexec.policies.layers import PolicyError

from . import audit, call, demo, doctor, exits, explain, policy, verify

app = typer.Typer(
    name="reexec",
    help="Verify predicted inputs and outputs of programs by re-executing them, in a sandbox, fast.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for module in (demo, doctor, call, verify, audit, explain):
    module.register(app)
app.add_typer(policy.app, name="policy")


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
        sys.stdout.flush()
        return code if isinstance(code, int) else exits.DONE
    except typer.TyperException as error:
        error.show()
        return exits.USAGE
    except (UsageError, PolicyError) as error:
        return _say(str(error), exits.USAGE)
    except IsolationUnavailableError as error:
        return _say(str(error), exits.NO_ISOLATION)
    except EngineError as error:
        return _say(f"{error} (at: {error.stage})", exits.IMPERFECT)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted; what is written is whole, the same command goes on from there", exits.INTERRUPTED)


def _say(message: str, code: int) -> int:
    try:
        print(f"reexec: {' '.join(message.split())}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        pass
    return code


def main() -> None:
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left; files are written by their own means and are whole.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = exits.DONE
    sys.exit(code)


if __name__ == "__main__":
    main()
