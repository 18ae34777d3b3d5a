"""What the tests of the pipeline share: small configs, recorded answers, and a folder's content without times."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reexec.examples.build_answers import answer
from reexec.runners.records.turns import Turn, revision_id
from tests.support.helpers import Row, function_row, read_rows, reexec, write_rows

_TIMES = ("started", "saved", "ended", "wall_s")


def functions(count: int = 4) -> list[Row]:
    """Functions of one line with three pairs each."""
    return [
        {
            **function_row(f"def f(n):\n    return n * {k + 2}\n", *(({"n": n}, n * (k + 2)) for n in range(5, 8))),
            "problem_description": f"Multiply by {k + 2}.",
        }
        for k in range(count)
    ]


def record_answers(source: Path, answers: Path, *, pairs: int = 3, right: float = 0.5, junk: float = 0.1) -> Path:
    """Answers to every prompt about a file of functions, for two turns."""
    prompts = answers.with_name("prompts-to-answer.jsonl")
    done = reexec("prompts", source, "-o", prompts, "--pairs", str(pairs), "--overwrite", "--json")
    assert done.code in (0, 1), done.err
    rows, recorded = read_rows(source), []
    for prompt in read_rows(prompts):
        function = rows[prompt["itemid"]]
        again = {**prompt, "id": revision_id(Turn(prompt["id"], 0, "", "", ""), 2), "retry_count": 1}
        recorded += [answer(one, function, right=right, junk=junk) for one in (prompt, again)]
    return write_rows(answers, recorded)


def write_config(folder: Path, *lines: str, tables: Iterable[str] = (), cpu_s: float = 1) -> Path:
    """A config in `folder` whose run lies in `folder/run`."""
    path = folder / "pipeline.toml"
    small = f'set = ["limits.cpu_s={cpu_s}", "limits.idle_s=1"]'
    path.write_text("\n".join(['folder = "run"', small, *lines, *tables]) + "\n")
    return path


REPLAYED = '[infer]\nreplay = "answers.jsonl"'


def small_run(folder: Path, *lines: str, tables: Iterable[str] = (REPLAYED,), count: int = 4) -> Path:
    """A config over `count` functions, taken as they are, with recorded answers."""
    record_answers(write_rows(folder / "functions.jsonl", functions(count)), folder / "answers.jsonl")
    return write_config(folder, 'functions = "functions.jsonl"', "audit = false", *lines, tables=tables)


def states(summary: Row) -> dict[str, str]:
    return {name: stage["state"] for name, stage in summary["stages"].items()}


def content(folder: Path) -> dict[str, Any]:
    """Every file of a run by its name: bytes, and for manifests what is in them but for times."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        name = str(path.relative_to(folder))
        found[name] = path.read_bytes()
        if path.name == "pipeline.json" or path.name.endswith("manifest.json"):
            found[name] = _timeless(json.loads(found[name]))
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _timeless(item) for name, item in value.items() if name not in _TIMES}
        if "digests" in kept:  # [size, time of change, digest] of each file
            kept["digests"] = {name: [size, digest] for name, (size, _, digest) in kept["digests"].items()}
        return kept
    if isinstance(value, list):
        return [_timeless(item) for item in value]
    return value
