"""`reexec report`: the page says what the run's files say, needs nothing else, and runs nothing that a text contains."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest

from reexec.runners.reports import tree
from tests.support.browser import Tab, chromium
from tests.support.helpers import FUNCTIONS, RESPONSES, SMALL, Row, read_rows, reexec, write_rows
from tests.support.lacking_modules import verify_without_modules

HOSTILE = [
    "<script>document.title='owned'</script>",
    "</pre><img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "{{ 7*7 }}{% raw %}<b>bold</b>",
    "</style><style>*{display:none}</style>",
    "<iframe srcdoc=\"<script>parent.document.title='owned'</script>\"></iframe>",
    "<base href='http://example.invalid/'><link rel=stylesheet href=x>",
    "javascript:document.title='owned'",
    "<!-- --!> <script src=//example.invalid/x.js></script>",
    "\x1b]52;c;b3duZWQ=\x07 \u202e right to left",
    "&lt;script&gt;document.title='owned'&lt;/script&gt;",
    "<meta http-equiv=refresh content='0;url=http://example.invalid'>",
]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("report") / "verified.jsonl"
    done = reexec(
        "verify", RESPONSES, "-f", FUNCTIONS, "-o", output, "--usage", output.with_name("verified.usage.jsonl"), *SMALL
    )
    assert done.code == 0, done.err
    return output


def report(source: Path, folder: Path) -> tuple[str, Row]:
    page = folder / "report.html"
    done = reexec("report", source, "-o", page, "--json")
    assert done.code == 0, done.err
    return page.read_text(), done.summary


def test_the_page_counts_what_the_file_holds(verified: Path, tmp_path: Path) -> None:
    text, summary = report(verified, tmp_path)
    rows = read_rows(verified)
    accepted = sum(row["verdict"] == "accepted" for row in rows)
    assert summary["rows"] == len(rows) == 243
    assert summary["bytes"] == len(text.encode())
    assert f">{accepted}</span> of {len(rows)} right" in text
    for word in {row["verdict"] for row in rows}:
        count = sum(row["verdict"] == word for row in rows)
        found = re.search(rf"<td class=\"[a-z]*\">{word}</td>(.*?)</tr>", text, re.DOTALL)
        assert found is not None
        assert f">{count}<" in found[1]


def test_the_same_files_give_the_same_page(verified: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert report(verified, tmp_path / "a")[0] == report(verified, tmp_path / "b")[0]


def test_a_pipelines_folder_shows_its_funnel_and_the_raw_file_of_what_was_left_out(tmp_path: Path) -> None:
    reexec("pipeline", "--init", tmp_path / "pipeline.toml")
    assert reexec("pipeline", tmp_path / "pipeline.toml", cwd=tmp_path).code == 0
    text, _ = report(tmp_path / "run", tmp_path)
    record = json.loads((tmp_path / "run" / "pipeline.json").read_text())
    for count in record["funnel"].values():
        assert f'<td class="n">{count}</td>' in text
    assert "generate: no-input-generator" in text
    assert "reexec: examples/raw/morse.py" in text
    assert "Turn 2:" in text


def test_the_page_loads_nothing_and_prints_nothing_to_the_console(verified: Path, tab: Tab, tmp_path: Path) -> None:
    text, _ = report(verified, tmp_path)
    assert {
        target for target in re.findall(r'<[a-z]+[^>]*? (?:src|href)="([^"]*)"', text) if not target.startswith("#")
    } == set()
    page = (tmp_path / "report.html").as_uri()
    tab.open(page)
    assert tab.value("document.querySelector('h1').textContent") == "verified.jsonl"
    assert tab.requested == [page]
    assert tab.console == []


def test_a_section_of_the_page_opens_by_keyboard(verified: Path, tab: Tab, tmp_path: Path) -> None:
    report(verified, tmp_path)
    tab.open((tmp_path / "report.html").as_uri())
    for _ in range(50):
        tab.press("Tab")
        if tab.value("document.activeElement.tagName") == "SUMMARY":
            break
    assert not tab.value("document.activeElement.parentElement.open")
    tab.press("Enter")
    assert tab.value("document.activeElement.parentElement.open")


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_no_wider_than_the_window(verified: Path, tab: Tab, tmp_path: Path, width: int) -> None:
    report(verified, tmp_path)
    tab.look(width=width)
    tab.open((tmp_path / "report.html").as_uri())
    assert tab.value("document.documentElement.scrollWidth") <= width


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    functions = [{"refcode": "def f(n):\n    return n\n", "funcname": "f", "problem_description": text, "io_requirements": "",
                  "ios": [{"input": {"n": text}, "output": text}]} for text in HOSTILE]  # fmt: skip
    responses = [
        {"itemid": item, "ioid": 0, "io_pred": "o", "messages": [{"role": "user", "content": text}], "id": text,
         "output": f"{text} {json.dumps({'output': text + '!'})}"}
        for item, text in enumerate(HOSTILE)
    ]  # fmt: skip
    write_rows(folder / "functions.jsonl", functions)
    write_rows(folder / "responses.jsonl", responses)
    output = folder / "<img src=x onerror=alert(1)>.jsonl"
    assert reexec("verify", folder / "responses.jsonl", "-f", folder / "functions.jsonl", "-o", output).code == 0
    return output


def test_what_a_model_wrote_never_runs(hostile: Path, tab: Tab, tmp_path: Path) -> None:
    text, _ = report(hostile, tmp_path)
    opened = tmp_path / "open.html"
    opened.write_text(text.replace("<details>", "<details open>"))
    for page in (tmp_path / "report.html", opened):
        tab.open(page.as_uri())
        assert tab.value("document.title") == "<img src=x onerror=alert(1)>.jsonl - reexec report"
        assert (
            tab.value("document.querySelectorAll('script, img, svg, iframe, base, link, meta[http-equiv=refresh]').length") == 0
        )
        assert tab.value("document.querySelectorAll('style').length") == 1
        assert tab.requested == [page.as_uri()]
        assert tab.console == []


@pytest.fixture(scope="module")
def lacking_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return verify_without_modules(tmp_path_factory.mktemp("lacking"))


def test_modules_that_programs_lacked_are_counted(lacking_modules: Path, verified: Path, tmp_path: Path) -> None:
    text, _ = report(lacking_modules, tmp_path)
    section = text.partition('<section id="missing">')[2].partition("</section>")[0]
    found = re.findall(r'<tr><td>(.*?)</td><td>(.*?)</td><td class="n">(.*?)</td></tr>', section)
    assert found == [("no_such_module_a", "none known", "2"), ("&lt;b&gt;x&lt;/b&gt;", "none known", "1")]
    assert "To install them" not in section
    assert 'id="missing"' not in report(verified, tmp_path)[0]


def test_packages_that_bring_the_missing_modules_are_named(lacking_modules: Path, tmp_path: Path) -> None:
    for file in lacking_modules.parent.glob("verified.*"):
        shutil.copy(file, tmp_path)
    place = tmp_path / "verified.manifest.json"
    manifest = json.loads(place.read_text())
    manifest["progress"]["counts"]["missing_modules"] = {"cv2": 1, "yaml": 3, "own_file": 2}
    place.write_text(json.dumps(manifest))
    text, _ = report(tmp_path / "verified.jsonl", tmp_path)
    assert "uv pip install --python DIR/bin/python pyyaml opencv-python-headless</p>" in text
    manifest["progress"]["counts"]["missing_modules"] = {f"own_{number}": 1 for number in range(60)}
    place.write_text(json.dumps(manifest))
    text, _ = report(tmp_path / "verified.jsonl", tmp_path)
    assert "and 10 more" in text
    manifest["progress"]["counts"]["missing_modules"] = ["not", "a", "table"]
    place.write_text(json.dumps(manifest))
    assert 'id="missing"' not in report(tmp_path / "verified.jsonl", tmp_path)[0]


def test_the_page_is_html_without_a_fault_and_asks_for_nothing(
    verified: Path, lacking_modules: Path, hostile: Path, tmp_path: Path
) -> None:
    """What holds without a browser, as the HTML specification reads the page; the tests above look with one."""
    for source in (verified, lacking_modules, hostile):
        text, _ = report(source, tmp_path)
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        tree = parser.parse(text)
        assert parser.errors == []
        elements = [element for element in tree.iter() if isinstance(element.tag, str)]
        assert {element.tag for element in elements} <= {
            "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav", "ul", "li", "a", "main",
            "section", "table", "thead", "tbody", "tr", "th", "td", "span", "div", "details", "summary", "pre", "mark",
        }  # fmt: skip
        assert sum(element.tag == "style" for element in elements) == 1
        names = [element.get("id") for element in elements if element.get("id")]
        assert len(names) == len(set(names))
        for element in elements:
            assert not set(element.attrib) & {"src", "srcset", "style", "action", "background", "ping"}
            assert not [name for name in element.attrib if name.startswith("on")]
            assert element.get("href", f"#{names[0]}").removeprefix("#") in names
        (rule,) = (element.get("content") for element in elements if element.get("http-equiv") == "Content-Security-Policy")
        assert rule.startswith("default-src 'none'; style-src 'unsafe-inline'")
        assert "url(" not in text.partition("<style>")[2].partition("</style>")[0]


def test_no_other_file_is_replaced_by_a_page(verified: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.html"
    notes.write_text("<p>my own</p>")
    done = reexec("report", verified, "-o", notes)
    assert (done.code, notes.read_text()) == (2, "<p>my own</p>")
    assert done.one_line() == f"reexec: {notes}: exists and is no page of `reexec report`; choose another name"
    done = reexec("report", verified, "-o", "-", cwd=tmp_path)
    assert (done.code, [path.name for path in tmp_path.iterdir()]) == (2, ["notes.html"])
    report(verified, tmp_path)
    report(verified, tmp_path)  # a page of ours is


@pytest.mark.parametrize("source", ["nothing-here", "functions"])
def test_what_is_no_run_is_refused_in_one_line(source: str, tmp_path: Path) -> None:
    path = FUNCTIONS if source == "functions" else tmp_path / source
    done = reexec("report", path, "-o", tmp_path / "report.html")
    assert done.code == 2
    assert str(path) in done.one_line()
    assert not (tmp_path / "report.html").exists()


def test_texts_can_be_read_on_every_ground_in_light_and_dark() -> None:
    """4.5 to 1 and more (WCAG AA)."""
    style = (Path(tree.__file__).parent / "look.css.j2").read_text()
    themes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", style)]
    assert len(themes) == 2
    for theme in themes:
        pairs = [(ink, ground) for ink in ("ink", "soft", "bar", "good", "bad") for ground in ("paper", "card")]
        for ink, ground in (*pairs, ("ink", "mark")):
            dark, bright = sorted((brightness(theme[ink]), brightness(theme[ground])))
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, theme)


def brightness(colour: str) -> float:
    """Relative luminance, 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_line_that_differs_is_marked() -> None:
    value = {"edges": [{"weight": 1}, {"weight": 2.5}], "name": "x"}
    marked = [line.text for line in tree.lines(value, "$.edges[1].weight") if line.marked]
    assert marked == ['"weight": 2.5']


def test_a_list_on_one_line_is_marked_for_its_own_items_only() -> None:
    value = {"a": [1, 2], "ab": [3, 4]}
    assert [line.text for line in tree.lines(value, "$.ab[1]") if line.marked] == ['"ab": [3, 4]']


def test_the_lines_of_a_value_are_json() -> None:
    value = {"a": [1, 2], "b": [{"c": "x"}, [], {}], "d": {"e": None, "f": "g"}}
    assert json.loads("".join(line.text for line in tree.lines(value, ""))) == value


@pytest.mark.parametrize(
    "value",
    [{(1, 2): {3}}, [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]], 10**6000, "x" * 10**6, {"a": "\ud800"}, b"\xff"],
    ids=["keys", "deep", "digits", "long", "surrogate", "bytes"],
)
def test_any_value_becomes_a_bounded_number_of_lines(value: object) -> None:
    lines = tree.lines(value, "$.a")
    assert 0 < len(lines) <= tree.MAX_LINES + 1
    assert all(len(line.text) <= 2 * tree.MAX_TEXT + 10 for line in lines)
