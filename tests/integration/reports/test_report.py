"""`reexec report`: the page says what the run's files say, needs nothing else, and runs nothing that a text contains."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reexec.runners.reports import tree
from tests.conftest import lacking
from tests.support import limited_host
from tests.support.helpers import FUNCTIONS, RESPONSES, SMALL, Row, read_rows, reexec, write_rows

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


def chromium(page: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return chromium_at(page.as_uri(), folder, *arguments)


def chromium_at(address: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        lacking("chromium")
    if limited_host.is_limited():
        lacking("room for a browser: this host allows few addresses (ulimit -Hv)")
    assert browser is not None
    return subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", "--virtual-time-budget=2000", *arguments, address,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


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


def test_the_page_loads_nothing_and_prints_nothing_to_the_console(verified: Path, tmp_path: Path) -> None:
    text, _ = report(verified, tmp_path)
    assert {
        target for target in re.findall(r'<[a-z]+[^>]*? (?:src|href)="([^"]*)"', text) if not target.startswith("#")
    } == set()
    done = chromium(tmp_path / "report.html", tmp_path, "--dump-dom")
    assert "<h1>verified.jsonl</h1>" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_what_a_model_wrote_never_runs(tmp_path: Path) -> None:
    functions = [{"refcode": "def f(n):\n    return n\n", "funcname": "f", "problem_description": text, "io_requirements": "",
                  "ios": [{"input": {"n": text}, "output": text}]} for text in HOSTILE]  # fmt: skip
    responses = [
        {"itemid": item, "ioid": 0, "io_pred": "o", "messages": [{"role": "user", "content": text}], "id": text,
         "output": f"{text} {json.dumps({'output': text + '!'})}"}
        for item, text in enumerate(HOSTILE)
    ]  # fmt: skip
    write_rows(tmp_path / "functions.jsonl", functions)
    write_rows(tmp_path / "responses.jsonl", responses)
    output = tmp_path / "<img src=x onerror=alert(1)>.jsonl"
    assert reexec("verify", tmp_path / "responses.jsonl", "-f", tmp_path / "functions.jsonl", "-o", output).code == 0
    text, _ = report(output, tmp_path)
    opened = tmp_path / "open.html"
    opened.write_text(text.replace("<details>", "<details open>"))
    for page in (tmp_path / "report.html", opened):
        done = chromium(page, tmp_path, "--dump-dom")
        assert "<title>&lt;img src=x onerror=alert(1)&gt;.jsonl - reexec report</title>" in done.stdout
        for tag in ("<script", "<img", "<svg", "<iframe", "<base", "<link"):
            assert tag not in done.stdout
        assert done.stdout.count("<style") == 1
        assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("source", ["nothing-here", "functions"])
def test_what_is_no_run_is_refused_in_one_line(source: str, tmp_path: Path) -> None:
    path = FUNCTIONS if source == "functions" else tmp_path / source
    done = reexec("report", path, "-o", tmp_path / "report.html")
    assert done.code == 2
    assert str(path) in done.one_line()
    assert not (tmp_path / "report.html").exists()


def test_the_line_that_differs_is_marked() -> None:
    value = {"edges": [{"weight": 1}, {"weight": 2.5}], "name": "x"}
    marked = [line.text for line in tree.lines(value, "$.edges[1].weight") if line.marked]
    assert marked == ['"weight": 2.5']


@pytest.mark.parametrize(
    "value",
    [{(1, 2): {3}}, [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]], 10**6000, "x" * 10**6, {"a": "\ud800"}, b"\xff"],
    ids=["keys", "deep", "digits", "long", "surrogate", "bytes"],
)
def test_any_value_becomes_a_bounded_number_of_lines(value: object) -> None:
    lines = tree.lines(value, "$.a")
    assert 0 < len(lines) <= tree.MAX_LINES + 1
    assert all(len(line.text) <= 2 * tree.MAX_TEXT + 10 for line in lines)
