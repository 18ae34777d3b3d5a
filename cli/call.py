"""`reexec call`: one call, its outcome or verdict as JSON."""

import io
import re
import tokenize
from pathlib import Path
from typing import Annotated, Any

import typer

from reexec.engine.errors import UsageError
from reexec.engine.judging.attainable import require_attainable
from reexec.engine.judging.verdict import judge
from reexec.engine.outcome import Outcome
from reexec.engine.program import Program
from reexec.runners.records.functions import FunctionStore
from reexec.runners.rows.text import BadRowError, dump, parse_row

from . import exits, options

_IN_FILE = re.compile(r"(.+\.jsonl(?:\.gz|\.zst)?)#(\d+)")


def register(app: typer.Typer) -> None:
    app.command("call")(call)


def call(
    file: Annotated[str, typer.Argument(help="A Python file, or FUNCTIONS.jsonl#N for the N-th function (from 0) of a file.")],
    entry: Annotated[str | None, typer.Option("--entry", "-e", help="The function to call. [default: main_solution]")] = None,
    given: Annotated[str, typer.Option("--input", "-i", help="JSON: an object of arguments by name, or an array.")] = "{}",
    expect: Annotated[str | None, typer.Option("--expect", help="JSON: judge the result against this value.")] = None,
    policy: options.PolicyName = "codeio",
    settings: options.Settings = None,
    python: options.Python = None,
) -> int:
    """Run one call in the jail and print what happened, as one JSON object.

    Example: [bold]reexec call examples/functions.jsonl#31 --input '{"code": "3.2#x"}' --expect '"...##x"'[/]

    Exit code 1 where --expect is given and the verdict is not `accepted`.
    """
    program = _program(file, entry)
    arguments = _json(given, "--input")
    if not isinstance(arguments, dict | list):
        raise UsageError(f"--input {given[:80]}: expected an object of arguments by name, or an array of positional ones")
    expected = _json(expect, "--expect") if expect is not None else None
    used = options.effective_policy(policy, settings)
    if expect is not None:
        require_attainable(expected, used.comparison)
    with options.open_executor(used, 1, python) as executor:
        outcome = executor.submit(program, arguments).result()
        report: dict[str, Any] = {}
        accepted = True
        if expect is not None:
            verdict = judge(outcome, expected, executor.policy.comparison)
            accepted = verdict.accepted
            report["verdict"] = verdict.word
            found = verdict.to_json()["comparison"]
            if found is not None and not found.pop("equal"):
                report["difference"] = found
        report["outcome"] = outcome_report(outcome)
        report["usage"] = outcome.to_json()["usage"]
        report["isolation"] = executor.isolation.value
    print(dump(report))
    return exits.DONE if accepted and outcome.kind != "engine-error" else exits.IMPERFECT


_ALWAYS, _WHERE_SET = ("kind", "value", "exception"), ("detail", "stdout", "stderr")


def outcome_report(outcome: Outcome) -> dict[str, Any]:
    """Of the outcome's JSON form what a person asks for, without what is empty."""
    form = outcome.to_json()
    if form["exception"] is not None:
        del form["exception"]["missing_module"]
    return {name: form[name] for name in _ALWAYS} | {name: form[name] for name in _WHERE_SET if form[name]}


def _json(text: str, name: str) -> Any:
    try:
        return parse_row(f'{{"value": {text}\n}}'.encode("utf-8", "surrogateescape"))["value"]
    except (BadRowError, KeyError):
        raise UsageError(f"{name}: not JSON: {text[:80]}") from None


def _program(file: str, entry: str | None) -> Program:
    in_file = _IN_FILE.fullmatch(file)
    if in_file:
        store = FunctionStore(Path(in_file[1]))
        try:
            return store.at(int(in_file[2])).program
        except IndexError:
            raise UsageError(f"{in_file[1]}: has {len(store)} functions (0 to {len(store) - 1}), not #{in_file[2]}") from None
        except BadRowError as error:
            raise UsageError(str(error)) from None
    path = Path(file)
    if path.suffix == ".jsonl":
        raise UsageError(f"{file}: say which function, as {file}#0")
    try:
        return Program(_python_text(file, path.read_bytes()), entry or "main_solution")
    except IsADirectoryError:
        raise UsageError(f"{file}: is a folder; expected a Python file") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({(error.strerror or '').lower()})") from None


def _python_text(file: str, data: bytes) -> str:
    """The text of a Python file in the encoding that its first lines name (PEP 263), UTF-8 where they name none."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        name = "UTF-8" if error.encoding.startswith("utf-8") else error.encoding
        raise UsageError(f"{file}: not {name} at byte {error.start}") from None
    except (SyntaxError, LookupError) as error:
        raise UsageError(f"{file}: {error}; name another encoding in its first line, or none") from None
