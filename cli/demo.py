"""`reexec demo`: the main job on the bundled examples, offline."""

import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from reexec.policies.layers import load_policy
from reexec.runners.files.source import read_lines
from reexec.runners.files.text import parse_row
from reexec.runners.verify import verify as run_verify

from . import exits, options, screen
from .explain import explain_row
from .verify import show_verify

# Small limits: the examples hold programs that compute or sleep for ever, and a demo should not.
_SETTINGS = ("limits.cpu_s=1", "limits.idle_s=1")
_EXPLAINED = ("wrong-answer", "runtime-error", "cpu-limit")


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    keep: Annotated[Path | None, typer.Option("--keep", help="Leave the files in this folder.", metavar="DIR")] = None,
    workers: options.Workers = None,
    python: options.Python = None,
    json: options.Json = False,
) -> int:
    """Verify the bundled predictions: real functions, answers as models write them, every kind of verdict.

    Example: [bold]reexec demo[/]
    """
    policy = load_policy("codeio", settings=_SETTINGS)
    with (
        as_file(files("reexec.examples") / "functions.jsonl") as functions,
        as_file(files("reexec.examples") / "responses.jsonl") as responses,
        tempfile.TemporaryDirectory(prefix="reexec-demo-") as temporary,
    ):
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / "verified.jsonl"
        rows = screen.count_lines(responses, None)
        if not json:
            screen.out.print(f"Verifying {rows} predictions of models about 40 functions, each executed again in a sandbox.\n")
        with options.open_executor(policy, workers, python) as executor:
            with screen.progress("verify", rows) as meter:
                result = run_verify(functions, responses, output, executor, overwrite=True, on_row=meter.tell)
            if not json:
                _explain_some(output, functions)
            show_verify(result, executor, meter, output, json)
        surprises = [
            row for row in map(parse_row, (line for _, line in read_lines(output))) if row["verdict"] != row["expected_verdict"]
        ]
        for row in surprises:
            screen.err.print(f"row {row['id']}: {row['verdict']}, expected {row['expected_verdict']}")
        if keep and not json:
            screen.out.print(f"files: {output}")
    return exits.IMPERFECT if surprises or result.rejected or result.engine_errors else exits.DONE


def _explain_some(output: Path, functions: Path) -> None:
    wanted = list(_EXPLAINED)
    for _, line in read_lines(output):
        row = parse_row(line)
        if row["verdict"] in wanted and row["io_pred"] == "i":
            wanted.remove(row["verdict"])
            screen.out.rule(f"explained: {row['verdict']}", style=screen.style_of(row["verdict"]))
            explain_row(row, functions, None, brief=True)
            screen.out.print()
    screen.out.rule(style="dim")
