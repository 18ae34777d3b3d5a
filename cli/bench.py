"""`reexec bench`: how fast checks are on this machine, and whether they still are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reexec.engine.errors import UsageError

from . import exits, options, screen

if TYPE_CHECKING:
    from rich.table import Table

    from reexec.runners.bench.baseline import Fall
    from reexec.runners.bench.report import Report


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Half a minute: fewer checks and rounds.")] = False,
    rounds: Annotated[int | None, typer.Option("--rounds", help="Rounds of all methods. [default: 5]", metavar="N")] = None,
    methods: Annotated[bool, typer.Option("--methods", help="Other ways to run checks too, side by side with ours.")] = False,
    save: Annotated[Path | None, typer.Option("--save", help="Keep this run to compare with.", metavar="BASELINE.json")] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", help="Exit 1 where a ratio fell since this run was saved.", metavar="BASELINE.json"),
    ] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", help="The share that may be lost.", metavar="SHARE")] = 0.15,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw this run.", metavar="FILE.svg|png")] = None,
    workers: options.Workers = None,
    policy: options.PolicyName = "codeio",
    settings: options.Settings = None,
    python: options.Python = None,
    json: options.Json = False,
) -> int:
    """Measure checks on this machine beside a bare fork, a fresh interpreter per check, and no isolation at all.

    Example: [bold]reexec bench --quick --rounds 1 --save baseline.json[/]

    Absolute times drift on shared machines: all methods run in turn, and what can be compared with another day are the
    ratios. --compare compares nothing else.
    """
    from reexec.runners.bench import baseline
    from reexec.runners.bench import plot as drawing
    from reexec.runners.bench.measuring import QUICK, Size, measure, side_by_side

    if not 0 < tolerance < 1:
        raise UsageError(f"--tolerance {tolerance:g}: a share between 0 and 1, such as 0.15")
    if rounds is not None and rounds < 1:
        raise UsageError(f"--rounds {rounds}: must be 1 or more")
    if plot is not None:
        drawing.refuse_unknown(plot)
    before = baseline.load(compare) if compare is not None else {}
    size = QUICK if quick else Size()
    if rounds is not None:
        size = size.with_rounds(rounds)
    used, count = options.effective_policy(policy, settings), options.worker_count(workers)
    arguments = ["--policy", policy, *(part for one in settings or () for part in ("--set", one))]
    with screen.progress("bench", None) as meter:
        report = measure(used, count, size, python=python, arguments=arguments, tell=meter.tell)
        if methods:
            report.methods = side_by_side(used, count, size, python=python, tell=meter.tell)
    if save is not None:
        baseline.save(save, report)
    if plot is not None:
        drawing.draw(plot, report)
    falls = baseline.fallen(before, report.ratios, tolerance)
    if json:
        fell = [{"name": fall.name, "before": fall.before, "now": fall.now, "share": round(fall.share, 4)} for fall in falls]
        screen.summary("bench", quick=quick, **report.to_json(), fell=fell)
    else:
        show(report)
        if compare is not None and not falls:
            screen.out.print(f"no ratio fell by more than {100 * tolerance:g} % since {compare}", markup=False)
    if falls:
        screen.err.print(falls_table(falls, compare, tolerance))
    return exits.IMPERFECT if falls else exits.DONE


def show(report: "Report") -> None:
    host = report.host
    screen.out.print(
        f"{host['processors']} processors ({host['processor']}), {host['memory_gb']} GB, Linux {host['kernel']}, "
        f"Python {report.python}, load {host['load']}\n"
        f"{report.workers} workers, isolation {report.isolation}, medians of {report.rounds} rounds",
        markup=False,
    )
    screen.out.print(ratio_table(report))
    screen.out.print(figure_table(report))
    if report.methods:
        screen.out.print(method_table(report))


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in ("", "ratio", "what", "meaning", "method") else "right")
    return table


def ratio_table(report: "Report") -> "Table":
    from reexec.runners.bench.ratios import RATIOS

    table = _table("ratios", "ratio", "here", "goal", "", "meaning")
    for ratio in RATIOS:
        value = report.ratios.get(ratio.name)
        goal = "" if ratio.goal is None else f"{'<=' if ratio.lower_is_better else '>='} {ratio.goal:g}"
        met = {True: "met", False: "not met", None: ""}[None if value is None else ratio.meets(value)]
        table.add_row(ratio.name, "not available" if value is None else f"{value:g}", goal, met, ratio.meaning)
    return table


_MEANING = {
    "floor": "bare forks, no numpy",
    "floor_numpy": "bare forks, numpy loaded",
    "call": "isolated checks",
    "call_numpy": "isolated checks, numpy loaded",
    "fresh": "a fresh interpreter per check",
    "fresh_numpy": "the same, numpy imported",
    "in_process": "calls without isolation, one process",
    "batch": "isolated checks, several a fork",
    "mixed": "right, wrong and failing checks",
    "fresh_mixed": "the same, a fresh interpreter each",
    "sample": "recorded pairs of the bundled functions",
    "fresh_sample": "some of them, a fresh interpreter each",
    "output_rows": "output predictions, from file to file",
    "cache_hits": "checks that the cache answers",
}


def figure_table(report: "Report") -> "Table":
    table = _table("figures", "what", "here", "unit")
    for name, meaning in _MEANING.items():
        found = report.figures.get(name)
        table.add_row(meaning, report.not_available.get(name, "") if found is None else f"{found:,.0f}", "per second")
    table.add_row("most that a fork a check allows of the bundled functions", f"{report.limits['sample']:,.0f}", "per second")
    for way, host_us in report.host_us.items():
        table.add_row(f"the host's processor time, {way}", f"{host_us:g}", "us per check")
    for name, value in report.latency_ms.items():
        table.add_row(f"one check at a time, {name}", f"{value:g}", "ms")
    for name, what in (("help", "reexec --help"), ("call", "reexec call"), ("first_verdict", "an executor's first verdict")):
        table.add_row(what, f"{report.start_s[name]:g}", "s")
    for count, value in report.scaling.items():
        table.add_row(f"isolated checks, {count} worker{'s' * (count != '1')}", f"{value:,.0f}", "per second")
    for name, value in report.resident_mb.items():
        table.add_row(f"resident, {name.replace('_', ' with ')}", f"{value:g}", "MB")
    return table


def method_table(report: "Report") -> "Table":
    from reexec.runners.bench.methods import NAMES

    table = _table("the same checks by other methods", "method", "per second", "ours is")
    ours = report.methods["reexec"]
    for name, value in report.methods.items():
        table.add_row(
            NAMES.get(name, "reexec"), f"{value:,.0f}", "" if name == "reexec" else f"{ours / value:,.0f} times as fast"
        )
    return table


def falls_table(falls: "list[Fall]", path: Path | None, tolerance: float) -> "Table":
    table = _table(f"fell by more than {100 * tolerance:g} % since {path}", "ratio", "before", "now", "lost")
    for fall in falls:
        table.add_row(
            fall.name, f"{fall.before:g}", "not measured" if fall.now is None else f"{fall.now:g}", f"{100 * fall.share:.0f} %"
        )
    return table
