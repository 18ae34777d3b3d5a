"""`reexec view` in a real browser: nothing is printed to its console, and nothing that a model wrote runs or loads. Without
Chromium these tests are skipped."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.integration.reports.test_report import HOSTILE
from tests.support.browser import Tab, chromium
from tests.support.helpers import reexec, write_rows
from tests.support.viewing import View, viewing


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("browser")
    ios = [{"input": {"n": 1}, "output": {"deep": [1, 2]}}]
    write_rows(folder / "f.jsonl", [{"refcode": "def f(n):\n    return n\n", "funcname": "f", "ios": ios}])
    rows = [
        {"itemid": 0, "ioid": 0, "io_pred": "o", "messages": [{"role": "user", "content": text}], "index": index,
         "output": f"{text} {json.dumps({'output': {'deep': [1, text]}})}"}
        for index, text in enumerate(HOSTILE)
    ]  # fmt: skip
    write_rows(folder / "r.jsonl", rows)
    assert reexec("verify", folder / "r.jsonl", "-f", folder / "f.jsonl", "-o", folder / "verified.jsonl").code == 0
    with viewing(folder / "verified.jsonl") as found:
        yield found


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize(
    "path", ["", "rows", "rows?verdict=wrong-answer&sort=last", *(f"row/{n}" for n in range(len(HOSTILE)))]
)
def test_pages_load_only_themselves_and_run_nothing(view: View, tab: Tab, path: str) -> None:
    tab.open(f"{view.address}{path}")
    assert tab.value("location.href") == f"{view.address}{path}"
    assert tab.value("document.title").endswith("reexec view")
    assert tab.value("document.querySelectorAll('script, img, svg, iframe, base, style, meta[http-equiv]').length") == 0
    assert {*tab.requested} == {f"{view.address}{path}", f"{view.address}look.css"}
    assert tab.console == []


def test_tab_and_enter_lead_from_row_to_row(view: View, tab: Tab) -> None:
    tab.open(f"{view.address}row/0?at=0")
    for _ in range(20):
        tab.press("Tab")
        if tab.value("document.activeElement.rel") == "next":
            break
    tab.press("Enter")
    tab.loaded()
    assert "/row/1?" in tab.value("location.href")


def test_a_search_is_typed_and_sent_by_keyboard(view: View, tab: Tab) -> None:
    tab.open(view.address)
    for _ in range(20):
        tab.press("Tab")
        if tab.value("document.activeElement.id") == "text":
            break
    for letter in "bold":
        tab.press(letter)
    tab.press("Enter")
    tab.loaded()
    assert tab.value("location.search") == "?text=bold"
    assert tab.value("document.getElementById('count').textContent") == "1"


@pytest.mark.parametrize("path", ["", "rows", "row/0"])
@pytest.mark.parametrize("width", [1280, 400])
def test_pages_are_no_wider_than_the_window(view: View, tab: Tab, path: str, width: int) -> None:
    tab.look(width=width)
    tab.open(f"{view.address}{path}")
    assert tab.value("document.documentElement.scrollWidth") <= width


def test_pages_follow_the_reader_s_colours(view: View, tab: Tab) -> None:
    """Text and ground are far apart in both, by the luminance that the WCAG define."""
    colours = []
    for scheme in ("light", "dark"):
        tab.look(scheme=scheme)
        tab.open(view.address)
        colours.append(tab.value("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"))
    (light_ink, light_paper), (dark_ink, dark_paper) = ([_luminance(colour) for colour in pair] for pair in colours)
    assert (light_paper + 0.05) / (light_ink + 0.05) > 7
    assert (dark_ink + 0.05) / (dark_paper + 0.05) > 7


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
