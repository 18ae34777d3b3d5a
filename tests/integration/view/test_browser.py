"""`reexec view` in a real browser: nothing is printed to its console, and nothing that a model wrote runs or loads. Without
Chromium these tests are skipped."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.reports.test_report import HOSTILE, chromium_at
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


@pytest.mark.parametrize(
    "path", ["", "rows", "rows?verdict=wrong-answer&sort=last", *(f"row/{n}" for n in range(len(HOSTILE)))]
)
def test_pages_load_only_themselves_and_run_nothing(view: View, tmp_path: Path, path: str) -> None:
    done = chromium_at(f"{view.address}{path}", tmp_path, "--dump-dom")
    assert "reexec view</title>" in done.stdout
    assert "owned" not in done.stdout.partition("<body")[0]
    for tag in ("<script", "<img", "<svg", "<iframe", "<base", "<style"):
        assert tag not in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("path", ["", "rows", "row/0"])
def test_a_screenshot_can_be_taken(view: View, tmp_path: Path, path: str) -> None:
    picture = tmp_path / "page.png"
    chromium_at(f"{view.address}{path}", tmp_path, f"--screenshot={picture}", "--window-size=1280,1600")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000
