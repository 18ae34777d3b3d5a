"""`reexec report`: a finished run as one page."""

from pathlib import Path
from typing import Annotated

import typer

from reexec.runners import reports

from . import exits, options, screen


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Annotated[Path, typer.Argument(help="A pipeline's folder, or a file that verify wrote.", metavar="run")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.", metavar="FILE.html")],
    json: options.Json = False,
) -> int:
    """Write a finished run as one HTML page that opens offline: funnel, verdicts, functions, losses, failures.

    Example: [bold]reexec report run -o report.html[/]

    The page holds no script and loads nothing. It needs the extra `report`.
    """
    reports.refuse_other_page(output)
    with screen.progress("report", None) as meter:
        figures = reports.collect(reports.find_run(run))
        size = reports.write_report(figures, output)
    rows = sum(turn.rows for turn in figures.turns)
    if json:
        screen.summary(
            "report",
            isolation=None,
            workers=None,
            rows=rows,
            rejected=0,
            wall_s=round(meter.wall_s, 3),
            rows_per_s=round(rows / max(meter.wall_s, 1e-9), 1),
            engine_errors=0,
            output=str(output),
            bytes=size,
        )
        return exits.DONE
    screen.out.print(f"{rows:,} rows, {len(figures.functions):,} functions; {size:,} bytes in {output}", markup=False)
    return exits.DONE
