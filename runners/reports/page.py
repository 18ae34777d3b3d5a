"""The figures as one HTML page that needs nothing else: no script, no font, no request. Every text goes through Jinja's
escaping, and a content security policy in the page forbids scripts whatever a text contains."""

from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError

from ..environment import Lacked
from ..rows.documents import OutputError
from .figures import EDGES_BYTES, EDGES_S, Figures
from .templates import templates

MODULES_SHOWN = 50  # of each stage
_FUNNEL = {
    "raw": "raw files",
    "unified": "rewritten by the model",
    "functions_in": "functions read",
    "functions": "functions with proven pairs",
    "pairs": "proven pairs",
    "prompts": "prompts",
    "answered": "answered",
    "correct_at_turn_1": "right at turn 1",
    "rows": "training rows",
}


_MARK = b'<meta name="generator" content="reexec report">'
_MARK_WITHIN = 1000


def refuse_other_page(output: Path) -> None:
    """Raises UsageError where a file that is no page of ours would be replaced."""
    if str(output) == "-":
        raise UsageError("-: a page is a file; give it a name")
    try:
        with open(output, "rb") as file:
            head = file.read(_MARK_WITHIN)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({(error.strerror or '').lower()})") from None
    if head and _MARK not in head:
        raise UsageError(f"{output}: exists and is no page of `reexec report`; choose another name")


def write_report(figures: Figures, output: Path) -> int:
    """Writes the page; its size in bytes. Raises UsageError where it cannot be written, the extra is missing, or another
    file is there."""
    refuse_other_page(output)
    text = templates().get_template("page.html.j2").render(**shown(figures))
    body = text.encode("utf-8", "replace")
    try:
        making = output.with_name(f".{output.name}.unfinished")
        making.write_bytes(body)
        making.replace(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({(error.strerror or '').lower()})") from None
    return len(body)


def shown(figures: Figures) -> dict[str, Any]:
    """What the templates ask for, but for what only one kind of page has."""
    run = figures.run
    most = max(run.funnel.values(), default=1) or 1
    return {
        "title": run.title,
        "facts": [(name, value) for name, value in run.facts.items() if value],
        "funnel": [(_FUNNEL.get(name, name.replace("_", " ")), count, count / most) for name, count in run.funnel.items()],
        "stages": run.stages,
        "turns": figures.turns,
        "pass_rates": _bars([f"{10 * i}-{10 * i + 10} %" for i in range(10)], figures.pass_rates()),
        "functions": sorted(figures.functions.values(), key=lambda f: (f.accepted / max(1, f.rows), -f.rows, f.label))[:100],
        "function_count": len(figures.functions),
        "measured": figures.measured,
        "cpu_s": _bars(_edges([f"{edge:g} s" for edge in EDGES_S]), [figures.cpu_s[i] for i in range(len(EDGES_S) + 1)]),
        "peaks": _bars(
            _edges([f"{edge >> 20} MiB" for edge in EDGES_BYTES]), [figures.peak_bytes[i] for i in range(len(EDGES_BYTES) + 1)]
        ),
        "slowest": figures.slowest(),
        "losses": [
            (stage, reason, *found) for (stage, reason), found in sorted(figures.losses.items(), key=_by_stage(figures))
        ],
        "failures": figures.failures,
        "missing": _missing(figures),
        "to_install": list(dict.fromkeys(one.package for _, found in run.missing for one in found.modules if one.package)),
    }


def _missing(figures: Figures) -> list[tuple[str, str, list[Lacked], int]]:
    """Stage, what is counted, the modules that were missed most, and how many are not shown."""
    return [
        (stage, found.unit, found.modules[:MODULES_SHOWN], max(0, len(found.modules) - MODULES_SHOWN))
        for stage, found in figures.run.missing
    ]


def _by_stage(figures: Figures) -> Any:
    order = {name: place for place, (name, _, _) in enumerate(figures.run.stages)}
    return lambda item: (order.get(item[0][0], 99), -item[1][0], item[0][1])


def _edges(names: list[str]) -> list[str]:
    return [f"up to {name}" for name in names] + [f"over {names[-1]}"]


def _bars(labels: list[str], counts: list[int]) -> list[tuple[str, int, float]]:
    most = max(counts, default=0) or 1
    return [(label, count, count / most) for label, count in zip(labels, counts, strict=True)]
