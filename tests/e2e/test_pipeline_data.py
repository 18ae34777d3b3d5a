"""The data that lies beside the repository on some machines goes through every stage that can take it, a few rows of each."""

from pathlib import Path

import pytest

from tests.conftest import ROOT, lacking
from tests.support.helpers import Row, read_rows, reexec, write_rows
from tests.support.pipeline import record_answers, states, write_config

DATA = ROOT.parent / "shared" / "data"
FIVE = ("prompt", "turn_1", "feedback_1", "turn_2", "feedback_2")
ASK = '[infer]\nreplay = "answers.jsonl"'
SMALL = ("[prompts]\npairs = 1", "[generate]\npairs = 3\ncalls = 60")


def data(name: str) -> Path:
    if not (DATA / name).is_file():
        lacking(f"../shared/data/{name}")
    return DATA / name


def pipeline(config: Path) -> Row:
    done = reexec("pipeline", config, "--json")
    assert done.code in (0, 1), done.err
    return done.summary


def answered(config: Path) -> tuple[Row, list[Row]]:
    """Two runs: the first finds no recorded answer, and makes the functions that the answers are about. The second one's
    summary and final rows."""
    folder = config.parent
    write_rows(folder / "answers.jsonl", [{"id": "no such prompt", "index": 0, "output": ""}])
    before = pipeline(config)
    assert before["funnel"]["answered"] == 0
    record_answers(folder / "run" / "03-functions.jsonl", folder / "answers.jsonl", pairs=1, right=0.5, junk=0.1)
    after = pipeline(config)
    left_alone = [name for name, state in states(after).items() if state == "current"]
    assert left_alone[-1] == "prompts", "what the answers are about is not made again"
    return after, read_rows(folder / "run" / "final.jsonl")


def check(summary: Row, rows: list[Row]) -> None:
    funnel = summary["funnel"]
    assert summary["engine_errors"] == 0
    assert funnel["pairs"] >= 2 * funnel["functions"] > 0
    assert funnel["prompts"] == 2 * funnel["functions"]
    assert 0 < funnel["correct_at_turn_1"] < funnel["answered"] == funnel["rows"] == len(rows)
    for row in rows:
        assert all(isinstance(row[name], str | None) for name in FIVE)
        assert (row["turn_2"] is None) or row["verdicts"][0] != "accepted"


def unified(row: Row, generator: Row) -> Row:
    """A response in the unified form to the prompt of a raw file, constructed of a function that somebody wrote."""
    calls = "import random\n\ndef input_generator():\n    return generate_inputs(random.Random(random.random()))\n"
    sections = {
        "Main Function": f"```python\n{generator['code_sample']}\n```",
        "Input Output Description": generator["input_output_spec"],
        "Input Generator": f"```python\nfrom random import Random\n{generator['input_generator']}\n{calls}```",
        "Problem Statement": generator["task_description"],
    }
    text = "\n\n".join(f"## {name}\n{body}" for name, body in sections.items())
    return {"id": row["id"], "index": 0, "output": text, "model": "constructed", "finish_reason": "stop"}


def test_raw_code_to_training_rows_with_its_provenance(tmp_path: Path) -> None:
    raw, generators = data("rawcode.jsonl.gz"), read_rows(data("generators.jsonl.gz"))[3::7]
    messages = tmp_path / "messages.jsonl"
    assert reexec("transform", raw, "-o", messages, "--limit", "5").code in (0, 1)
    prompts = read_rows(messages)
    write_rows(tmp_path / "unified.jsonl", [unified(*both) for both in zip(prompts, generators, strict=False)])
    tables = [ASK, '[infer.transform]\nreplay = "unified.jsonl"', *SMALL]
    config = write_config(tmp_path, f'raw = "{raw}"', "limit = 5", tables=tables)
    summary, rows = answered(config)
    check(summary, rows)
    assert summary["funnel"]["raw"] == 5
    known = {str(row["provenance"]) for row in prompts}
    assert {str(row["provenance"]) for row in rows} <= known
    assert all(row["provenance"] for row in rows)
    config.write_text(config.read_text() + '[export]\nto = "openai-messages"\n')
    assert [name for name, state in states(pipeline(config)).items() if state == "done"] == ["export"]
    assert read_rows(tmp_path / "run" / "export" / "train.jsonl")


@pytest.mark.parametrize(
    ("name", "lines", "tables"),
    [
        ("codeio_parsed.jsonl", ['functions = "{path}"'], []),
        ("generators.jsonl.gz", ['unified = "{path}"'], ["reader"]),
    ],
)
def test_functions_to_training_rows(name: str, lines: list[str], tables: list[str], tmp_path: Path) -> None:
    tables = [ASK, SMALL[0], SMALL[1] + '\nreader = "reasoning-gym"' * bool(tables)]
    source = [line.format(path=data(name)) for line in lines]
    summary, rows = answered(write_config(tmp_path, *source, "limit = 5", tables=tables))
    check(summary, rows)
    first = "audit" if name.startswith("codeio") else "generate"
    assert next(iter(summary["stages"])) == first
