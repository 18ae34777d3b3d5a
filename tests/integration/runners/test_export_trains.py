"""What trainers need of an export: text that every reader takes, rows that are not cut in silence, thinking, and tasks to
reward."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from reexec.engine.errors import UsageError
from reexec.runners.records.functions import FunctionStore
from reexec.runners.stages.export import FORMATS, ExportSettings, export
from reexec.runners.stages.export.rows import well_formed
from tests.integration.runners.test_export import FINAL, exported, final
from tests.support.helpers import EXAMPLES, Row, read_rows, reexec, write_rows

HALF = "a \ud83d b"
TEXT_FORMATS = [name for name in FORMATS if name != "rl"]


def rows_of(folder: Path) -> list[Row]:
    if (folder / "train.parquet").exists():
        return list(parquet.read_table(folder / "train.parquet").to_pylist())
    return read_rows(folder / "train.jsonl")


@pytest.mark.parametrize("to", TEXT_FORMATS)
def test_half_characters_are_replaced_in_every_format_and_counted(to: str, tmp_path: Path) -> None:
    bad = final("a", f"an {HALF} answer", prompt=HALF, system=HALF, provenance={"path": HALF}, id=HALF)
    source = write_rows(tmp_path / "final.jsonl", [bad, final("b", "whole \U0001f600")])
    summary = export(source, tmp_path / "out", ExportSettings(to=to, validation_share=0))
    assert summary.counts["repaired"] == 1
    for path in (tmp_path / "out").glob("*.jsonl"):
        for row in read_rows(path):
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    text = json.dumps(rows_of(tmp_path / "out"), ensure_ascii=False)
    assert "a \ufffd b" in text
    assert "\U0001f600" in text


def test_what_holds_no_half_characters_is_the_same_object() -> None:
    value: Row = {"a": ["x", {"b": "\U0001f600"}], "n": [1, None, 2.5]}
    assert well_formed(value) is value
    assert well_formed({HALF: [HALF]}) == {"a \ufffd b": ["a \ufffd b"]}


def test_rows_that_a_trainer_would_cut_are_written_and_told(tmp_path: Path) -> None:
    rows = [final("short", "x"), final("long", "word " * 4096)]
    source = write_rows(tmp_path / "final.jsonl", rows)
    done = reexec("export", source, "-o", tmp_path / "out", "--to", "llamafactory-alpaca", "--validation-share", "0", "--json")
    assert (done.code, done.summary["rows"], done.summary["long"]) == (0, 2, 1)
    assert "1 of 2 rows have more than 4,096 tokens (by an estimate of 3 bytes a token" in done.one_line()


def test_a_tokenizer_counts_what_the_estimate_guesses(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    counts = {}
    for name, number in (("fits", 4000), ("long", 4200)):
        source = write_rows(tmp_path / f"{name}.jsonl", [final("a", "word " * number)])
        counted = export(
            source, tmp_path / name, ExportSettings(to="openai-messages", plain=True, tokenizer=tmp_path / "tokenizer.json")
        )
        guessed = export(source, tmp_path / f"{name}-guessed", ExportSettings(to="openai-messages", plain=True))
        counts[name] = (guessed.counts["long"], counted.counts["long"])
    assert counts == {"fits": (1, 0), "long": (1, 1)}
    with pytest.raises(UsageError, match=r"not a tokenizer\.json"):
        export(FINAL, tmp_path / "x", ExportSettings(to="openai-messages", tokenizer=FINAL))


def test_thinking_reaches_every_row_that_has_a_place_for_it(tmp_path: Path) -> None:
    row = final("a", "first", "second", reasoning=["hm", None])
    assert exported(tmp_path, [row])[0]["reasoning"] == ["hm", ""]
    assert exported(tmp_path, [row], plain=True, overwrite=True)[0]["reasoning"] == ["hm"]
    exported(tmp_path, [row], "openai-messages", overwrite=True)
    assert read_rows(tmp_path / "out" / "origins-of-train.jsonl")[0]["reasoning"] == ["hm", ""]


def test_thinking_of_both_turns_survives_verification_and_assembly(tmp_path: Path) -> None:
    """As infer writes it, and as a user's own rows may spell it."""
    base: Row = {
        "messages": [{"role": "user", "content": "q"}],
        "verdict": "wrong-answer",
        "res": {"status": "failed", "message": "no"},
    }
    first = write_rows(tmp_path / "v1.jsonl", [{**base, "id": "a", "output": "1", "io_pred": "o", "reasoning": "one"}])
    assert reexec("revise", first, "-o", tmp_path / "m2.jsonl").code == 0
    (asked,) = read_rows(tmp_path / "m2.jsonl")
    second = {**asked, **base, "messages": asked["messages"], "output": "2", "reasoning_content": "two"}
    write_rows(tmp_path / "v2.jsonl", [second])
    assert reexec("assemble", first, tmp_path / "v2.jsonl", "-o", tmp_path / "final.jsonl").code == 0
    assert read_rows(tmp_path / "final.jsonl")[0]["reasoning"] == ["one", "two"]


# -- tasks to reward ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("rl") / "out"
    export(FINAL, folder, ExportSettings(to="rl", functions=EXAMPLES / "functions.jsonl", validation_share=0))
    return rows_of(folder)


def test_a_task_has_what_trl_and_verl_want(tasks: list[Row]) -> None:
    functions = FunctionStore(EXAMPLES / "functions.jsonl")
    assert len({(row["pair_id"], row["io_pred"]) for row in tasks}) == len(tasks) > 8
    for place, row in enumerate(tasks):
        assert [message["role"] for message in row["prompt"]] == ["user"]
        assert row["data_source"] == {"o": "reexec/output-prediction", "i": "reexec/input-prediction"}[row["io_pred"]]
        assert row["reward_model"] == {"style": "rule", "ground_truth": row["ground_truth"]}
        assert row["extra_info"]["index"] == place
        assert {name: row["extra_info"][name] for name in ("id", "function_id", "pair_id", "io_pred")} == {
            name: row[name] for name in ("id", "function_id", "pair_id", "io_pred")
        }
        truth = json.loads(row["ground_truth"])
        position = functions.position_of(row["function_id"])
        assert position is not None
        function = functions.at(position)
        pair = next(pair for pair in function.pairs if pair.id == row["pair_id"])
        assert truth == {
            "io_pred": row["io_pred"], "refcode": function.program.source, "funcname": function.program.entry,
            "input": pair.input, "output": pair.output,
        }  # fmt: skip


def test_prompts_that_nobody_answered_are_tasks_too_and_samples_are_one(tmp_path: Path) -> None:
    functions = EXAMPLES / "functions.jsonl"
    assert reexec("prompts", functions, "-o", tmp_path / "p.jsonl", "--pairs", "1", "--limit", "3").code == 0
    prompts = read_rows(tmp_path / "p.jsonl")
    write_rows(tmp_path / "p.jsonl", prompts + prompts)
    summary = export(tmp_path / "p.jsonl", tmp_path / "out", ExportSettings(to="rl", functions=functions, validation_share=0))
    assert (summary.rows, summary.counts["left_out"]) == (len(prompts), {"repeated": len(prompts)})
    assert rows_of(tmp_path / "out")[0]["prompt"] == prompts[0]["messages"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"function_id": "f"}, "no function has the id 'f', at $.function_id"),
        ({"pair_id": "p"}, "no pair with the id 'p', at $.pair_id"),
        ({"pair_id": None}, "at $.pair_id"),
        ({"io_pred": "x"}, 'io_pred must be "i" or "o", at $.io_pred'),
    ],
)
def test_a_row_that_cannot_be_rewarded_is_rejected(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    good, other = read_rows(FINAL)[:2]
    source = write_rows(tmp_path / "final.jsonl", [good, {**other, **change}])
    summary = export(
        source, tmp_path / "out", ExportSettings(to="rl", functions=EXAMPLES / "functions.jsonl", validation_share=0)
    )
    assert summary.rejected == 1
    assert summary.first_reject.endswith(said)


def test_only_rl_reads_functions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rl needs the functions file"):
        export(FINAL, tmp_path / "out", ExportSettings(to="rl"))
    with pytest.raises(UsageError, match="does not read the functions file"):
        export(FINAL, tmp_path / "out", ExportSettings(to="parquet", functions=EXAMPLES / "functions.jsonl"))
