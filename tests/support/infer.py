"""What the tests of infer share: prompts, the command with a key in its environment, and the search for that key."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.helpers import COMMAND, Done, environment, reexec, write_rows
from tests.support.server import KEY, Server

MODEL = "any-model"


def prompt_rows(texts: Iterable[str]) -> list[dict[str, Any]]:
    def one(n: int, text: str) -> dict[str, Any]:
        return {"id": f"row{n}", "messages": [{"role": "user", "content": text}], "provenance": {"n": n}}

    return [one(n, text) for n, text in enumerate(texts)]


def write_prompts(folder: Path, texts: Iterable[str]) -> Path:
    return write_rows(folder / "messages.jsonl", prompt_rows(texts))


def arguments(messages: Path, output: Path, server: Server, *more: str) -> list[str]:
    return ["infer", str(messages), "-o", str(output), "--model", MODEL, "--base-url", server.url, "--json", *more]


def infer(messages: Path, output: Path, server: Server, *more: str, key: str = KEY) -> Done:
    return reexec(*arguments(messages, output, server, *more), env={"OPENAI_API_KEY": key})


def start_infer(messages: Path, output: Path, server: Server, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *arguments(messages, output, server, *more)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"OPENAI_API_KEY": KEY}),
        start_new_session=True,
    )


def log_of(output: Path) -> Path:
    return output.with_name(output.name.removesuffix(".jsonl") + ".log.jsonl")


def logged(output: Path) -> list[dict[str, Any]]:
    """Entries on whole lines of a log, its head aside; empty where there is none yet."""
    try:
        data = log_of(output).read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in data.split(b"\n")[1:-1]]


def assert_key_nowhere(folder: Path, *said: str) -> None:
    """Not in any file of the folder, not in what a command printed, not in any command line of this machine."""
    part = KEY[8:]
    for path in folder.rglob("*"):
        if path.is_file():
            assert part.encode() not in path.read_bytes(), path
    for text in said:
        assert part not in text
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue
            assert part.encode() not in line, process
