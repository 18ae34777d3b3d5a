"""Makes the pictures of `reexec report` and `reexec view` that the documents show, in a real Chromium:

    .venv/bin/python -m scripts.screenshots [--large RUN] [--only NAME] [FOLDER]

FOLDER is docs/pictures where none is given. It runs the demo, and takes the pictures of its pages. RUN is a run of a million
rows; without one its pictures stay as they are. Where a picture looks wrong, the page is wrong: look at each.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.browser import Tab, chromium
from tests.support.viewing import viewing

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Picture:
    name: str
    source: Literal["report", "demo", "large"]
    path: str = ""
    """In the view; `row/first` is the first row of the list that `query` gives."""
    query: str = ""
    scheme: Literal["light", "dark"] = "light"
    width: int = 1100
    height: int = 800
    steps: str = ""
    """JavaScript that is run before the picture is taken."""


_FAILURE = """{
  const failures = [...document.querySelectorAll('#failures details')];
  const failure = failures.find(one => one.querySelector('mark'));
  failure.open = true;
  failure.scrollIntoView();
}"""
PICTURES = (
    Picture("report-failure", "report", height=700, steps=_FAILURE),
    Picture("view-rows", "demo", "rows", "verdict=wrong-answer"),
    Picture("view-row", "demo", "row/first", "verdict=wrong-answer", scheme="dark", height=900),
    Picture("view-million", "large", height=900),
    Picture("view-million-search", "large", "rows", "text=N77&verdict=wrong-answer&sort=time", scheme="dark"),
)


_HIDE = """{
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode())
    texts.currentNode.data = texts.currentNode.data.replaceAll(%(folder)s, "reexec").replaceAll(%(other)s, "demo");
}"""
"""Where this checkout and the demo lie is nobody's business."""


def take(picture: Picture, tab: Tab, address: str, demo: Path, folder: Path) -> None:
    tab.look(picture.width, picture.height, picture.scheme)
    if picture.path == "row/first":
        tab.open(f"{address}rows?{picture.query}")
        tab.open(tab.value("document.querySelector('table.rows a').href"))
    elif picture.source == "report":
        tab.open(address)
    else:
        tab.open(f"{address}{picture.path}{'?' if picture.query else ''}{picture.query}")
    tab.value(_HIDE % {"folder": json.dumps(str(ROOT)), "other": json.dumps(str(demo))})
    if picture.steps:
        tab.value(picture.steps)
    assert tab.console == [], tab.console
    file = folder / f"{picture.name}.png"
    tab.picture(file)
    print(f"{file}: {file.stat().st_size:,} bytes", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="screenshots.py")
    parser.add_argument("--large", type=Path, metavar="RUN", help="a run of a million rows")
    parser.add_argument("--only", metavar="NAME", help="pictures whose name begins with it")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in PICTURES if one.name.startswith(options.only or "") and (options.large or one.source != "large")]
    with tempfile.TemporaryDirectory(prefix="reexec-pictures-") as name, ExitStack() as stack:
        demo = Path(name) / "demo"
        sources = {one.source for one in chosen}
        addresses = {}
        if sources & {"report", "demo"}:
            subprocess.run([ROOT / ".venv/bin/reexec", "demo", "--keep", demo], check=True, stdout=subprocess.DEVNULL)
            addresses["report"] = (demo / "report.html").as_uri()
        if "demo" in sources:
            addresses["demo"] = stack.enter_context(viewing(demo / "loop", "--no-browser")).address
        if options.large:
            addresses["large"] = stack.enter_context(viewing(options.large, "--no-browser")).address
        tab = stack.enter_context(chromium(Path(name)))
        for picture in chosen:
            take(picture, tab, addresses[picture.source], demo, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
