"""Small line charts as SVG, one above the other: a few rectangles and lines need no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 640, 56, 56, 40, 34
INK, LINE, GRID = "#444", "#1f6fb2", "#ddd"


@dataclass(frozen=True)
class Series:
    title: str
    x: Sequence[float]
    y: Sequence[float]


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'


def chart(series: Series, top: float) -> list[str]:
    """One panel; its vertical axis begins at zero, so that flat looks flat."""
    most = max(max(series.y), 1e-9) if any(series.y) else 1.0
    last = max(series.x)
    width = WIDTH - LEFT - 16
    bottom = top + HEIGHT
    points = " ".join(
        f"{LEFT + width * x / last:.1f},{bottom - (HEIGHT - 6) * y / most:.1f}" for x, y in zip(series.x, series.y, strict=True)
    )
    return [
        _text(LEFT, top - 4, series.title),
        f'<line x1="{LEFT}" y1="{bottom}" x2="{LEFT + width}" y2="{bottom}" stroke="{GRID}"/>',
        f'<line x1="{LEFT}" y1="{top + 6}" x2="{LEFT + width}" y2="{top + 6}" stroke="{GRID}"/>',
        _text(LEFT - 6, top + 10, f"{most:g}" if any(series.y) else "", "end"),
        _text(LEFT - 6, bottom + 4, "0", "end"),
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.5"/>',
    ]


def save_lines(path: Path, title: str, x_title: str, panels: Sequence[Series]) -> None:
    height = TOP + len(panels) * (HEIGHT + GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 18, title, size=13),
    ]
    for number, series in enumerate(panels):
        parts += chart(series, TOP + 8 + number * (HEIGHT + GAP))
    right = f"{max(panels[0].x):,.0f}"
    parts += [_text(WIDTH - 16, height - 10, right, "end"), _text(WIDTH / 2, height - 10, x_title, "middle"), "</svg>"]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
