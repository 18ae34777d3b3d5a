"""`reexec env`: the virtual environment that checked programs run in."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from reexec.runners import environment

from . import exits, options, screen

app = typer.Typer(help="The environment of the checked programs.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("create")
def create(
    folder: Annotated[Path, typer.Argument(help="Where the environment is or will be.", metavar="DIR")],
    name: Annotated[
        str, typer.Option("--set", help="A list of packages: codeio, minimal, or a file.", metavar="NAME|FILE")
    ] = "codeio",
    python: Annotated[
        Path | None, typer.Option("--python", help="Interpreter to make it with. [default: ours]", metavar="PATH")
    ] = None,
    json: options.Json = False,
) -> int:
    """Make a virtual environment with the packages that such code imports; later, add what is missing in it.

    Example: [bold]reexec env create programs-env --set minimal[/]

    Give DIR/bin/python to the other commands as --python. A package that cannot be installed is named and does not lose the
    others; the exit code is 1 then.
    """
    with screen.progress("env create", None) as meter:
        made = environment.create(
            folder, name=name, python=str(python) if python else None, say=lambda text: screen.err.print(text, markup=False)
        )
    if json:
        screen.summary(
            "env create",
            isolation=None,
            workers=None,
            rows=len(made.packages),
            rejected=len(made.failed),
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(len(made.packages) / max(meter.wall_s, 1e-9), 1),
            engine_errors=0,
            python=made.version,
            added=list(made.added),
            failed=made.failed,
        )
    else:
        state = f"{len(made.added)} added" if made.added else "nothing to add"
        screen.out.print(
            f"{len(made.packages)} packages for Python {made.version}, {state}; {meter.wall_s:.1f} s", markup=False
        )
        for package, said in made.failed.items():
            screen.out.print(f"not installed: {package} ({said})", markup=False)
        screen.out.print(f"to be used as: --python {made.python}", markup=False)
    return exits.IMPERFECT if made.failed else exits.DONE


@app.command("missing")
def missing(
    report: Annotated[Path, typer.Argument(help="Output of generate, audit or verify, or its manifest.")],
    json: options.Json = False,
) -> int:
    """Name the packages that a finished run lacked most, with the rows that each would win back.

    Example: [bold]reexec env missing report.jsonl[/]
    """
    with screen.progress("env missing", None) as meter:
        found = environment.lacked(report)
    if json:
        screen.summary(
            "env missing",
            isolation=None,
            workers=None,
            rows=len(found.modules),
            rejected=0,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(len(found.modules) / max(meter.wall_s, 1e-9), 1),
            engine_errors=0,
            unit=found.unit,
            modules=[asdict(one) for one in found.modules],
        )
        return exits.DONE
    if not found.modules:
        screen.out.print("no program lacked a module")
        return exits.DONE
    table = Table(show_edge=False, pad_edge=False)
    for name in ("module", "package"):
        table.add_column(name)
    table.add_column(f"{found.unit} to win back", justify="right")
    for one in found.modules:
        table.add_row(one.module, one.package or "(none known)", f"{one.rows:,}")
    screen.out.print(table)
    known = list(dict.fromkeys(one.package for one in found.modules if one.package))
    if known:
        screen.out.print(f"to install them: uv pip install --python DIR/bin/python {' '.join(known)}", markup=False)
    return exits.DONE
