"""A run as a picture: figures as bars on a logarithmic axis, because they lie four powers of ten apart."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reexec.engine.errors import UsageError

from .report import Report

_WIDTH, _LEFT, _BAR, _TOP, _RIGHT = 720, 170, 20, 56, 80
_INK, _OURS, _OTHERS = "#333", "#1f6fb2", "#b8b8b8"
_YARDSTICKS = ("floor", "fresh", "in_process")


def refuse_unknown(path: Path) -> None:
    """Raises UsageError, before anything is measured."""
    if path.suffix == ".png":
        _cairosvg(path)
    elif path.suffix != ".svg":
        raise UsageError(f"--plot {path}: ends in .svg or .png")


def draw(path: Path, report: Report) -> None:
    text = svg(report)
    if path.suffix == ".png":
        path.write_bytes(_cairosvg(path).svg2png(bytestring=text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def _cairosvg(path: Path) -> Any:
    try:
        return import_module("cairosvg")
    except (ImportError, OSError):
        raise UsageError(
            f"--plot {path}: a PNG needs the package cairosvg (pip install cairosvg); .svg needs nothing"
        ) from None


def svg(report: Report) -> str:
    bars = sorted(report.figures.items(), key=lambda item: item[1])
    bars += [(f"method: {name}", value) for name, value in sorted(report.methods.items(), key=lambda item: item[1])]
    lowest = math.floor(math.log10(max(1e-3, min(value for _, value in bars))))
    highest = math.ceil(math.log10(max(value for _, value in bars)))
    width = _WIDTH - _LEFT - _RIGHT
    height = _TOP + _BAR * len(bars) + 36
    bottom = _TOP + _BAR * len(bars)

    def x(value: float) -> float:
        return _LEFT + width * (math.log10(value) - lowest) / max(1, highest - lowest)

    host = report.host
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        _text(16, 22, "reexec bench: per second, logarithmic axis", size=14),
        _text(16, 40, f"{host['processors']} processors, {host['processor']}; {report.workers} workers, {report.isolation}"),
    ]
    for power in range(lowest, highest + 1):
        at = x(10.0**power)
        parts.append(f'<line x1="{at:.1f}" y1="{_TOP - 4}" x2="{at:.1f}" y2="{bottom}" stroke="#e4e4e4"/>')
        parts.append(_text(at, bottom + 16, f"{10.0**power:,g}", "middle"))
    for number, (name, value) in enumerate(bars):
        y = _TOP + _BAR * number
        ours = not (name.startswith(_YARDSTICKS) or name.startswith("method: ")) or name == "method: reexec"
        parts += [
            _text(_LEFT - 8, y + 13, name, "end"),
            f'<rect x="{_LEFT}" y="{y + 3}" width="{max(1.0, x(value) - _LEFT):.1f}" height="{_BAR - 6}" '
            f'fill="{_OURS if ours else _OTHERS}"/>',
            _text(x(value) + 6, y + 13, f"{value:,.0f}"),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
