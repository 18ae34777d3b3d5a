"""Export: folders that the `datasets` library loads offline, that describe themselves to LLaMA-Factory, and that keep a
function on one side of the split."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reexec.engine.errors import UsageError
from reexec.runners.rows.run import Selection
from reexec.runners.rows.text import BadRowError
from reexec.runners.stages.export import FORMATS, ExportSettings, export
from reexec.runners.stages.export.rows import read_example
from reexec.runners.stages.export.split import function_key, is_validation
from tests.support.helpers import EXAMPLES, Row, read_rows, reexec, start, wait_until, write_rows

FINAL = EXAMPLES / "final.jsonl"
LOAD = """
import json, sys
from datasets import disable_progress_bars, load_dataset
disable_progress_bars()
found = {}
for folder in sys.argv[2:]:
    splits = load_dataset(folder, cache_dir=sys.argv[1])
    found[folder] = {name: list(split) for name, split in splits.items()}
print(json.dumps(found))
"""


def functions_for(to: str) -> Path | None:
    """The functions that the bundled rows are about, for the format that needs them."""
    return EXAMPLES / "functions.jsonl" if to == "rl" else None


def final(name: str, *turns: str, function: str = "f", right: bool = True, **more: Any) -> Row:
    """A final row of two columns or as many as there are turns."""
    count = max(2, len(turns))
    row: Row = {"prompt": f"question {name}"}
    for number in range(count):
        row[f"turn_{number + 1}"] = turns[number] if number < len(turns) else None
        row[f"feedback_{number + 1}"] = f"feedback on {turns[number]}" if number < len(turns) else None
    verdicts = ["wrong-answer"] * (len(turns) - 1) + ["accepted" if right else "wrong-answer"]
    known = {"id": name, "io_pred": "o", "function_id": function, "verdicts": verdicts, "provenance": {"license": "MIT"}}
    return {**row, **known, **more}


def released(name: str, *turns: str) -> Row:
    """The five fields and no others."""
    return {key: value for key, value in final(name, *turns).items() if key.partition("_")[0] in ("prompt", "turn", "feedback")}


def exported(tmp_path: Path, rows: list[Row], to: str = "llamafactory-alpaca", **more: Any) -> list[Row]:
    """The rows of both splits."""
    folder = tmp_path / "out"
    overwrite = more.pop("overwrite", False)
    export(write_rows(tmp_path / "final.jsonl", rows), folder, ExportSettings(to=to, **more), overwrite=overwrite)
    return [row for split in ("train", "validation") if (folder / f"{split}.jsonl").exists()
            for row in read_rows(folder / f"{split}.jsonl")]  # fmt: skip


# -- what others load -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Row]]]:
    """The bundled rows in every format, as the `datasets` library gives them in a process of its own, offline."""
    folder = tmp_path_factory.mktemp("exports")
    for name in FORMATS:
        # So few functions that a share has to be large for both splits to have rows.
        export(FINAL, folder / name, ExportSettings(to=name, validation_share=0.4, functions=functions_for(name)))
    for place, rows in (("earlier", 3), ("now", 9)):
        (folder / place).mkdir()
        settings = ExportSettings(to="llamafactory-alpaca")
        export(FINAL, folder / place / "same-name", settings, selection=Selection(rows))
    folders = [folder / name for name in (*FORMATS, "earlier/same-name", "now/same-name")]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, folder / "cache", *folders],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return {str(Path(name).relative_to(folder)): splits for name, splits in found.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_datasets_library_loads_both_splits_of_every_format(name: str, loaded: dict[str, dict[str, list[Row]]]) -> None:
    assert loaded[name].keys() == {"train", "validation"}
    rows = read_rows(FINAL)
    tasks = {(row["pair_id"], row["io_pred"]) for row in rows}
    assert sum(map(len, loaded[name].values())) == (len(tasks) if name == "rl" else len(rows))


def test_the_librarys_cache_does_not_take_an_export_for_an_earlier_one_of_its_name(
    loaded: dict[str, dict[str, list[Row]]],
) -> None:
    counts = [sum(map(len, loaded[f"{place}/same-name"].values())) for place in ("earlier", "now")]
    assert counts == [3, 9]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "openai-messages"])
def test_what_is_loaded_knows_where_it_comes_from_and_no_function_is_in_both_splits(
    name: str, loaded: dict[str, dict[str, list[Row]]]
) -> None:
    known = {(row["id"], row["index"]): row for row in read_rows(FINAL)}
    functions: dict[str, str] = {}
    for split, rows in loaded[name].items():
        for row in rows:
            origin = known[row["id"], 0]
            assert json.loads(row["provenance"]) == origin["provenance"]
            assert row["function_id"] == origin["function_id"]
            assert functions.setdefault(row["function_id"], split) == split


def test_all_formats_hold_the_same_rows(loaded: dict[str, dict[str, list[Row]]]) -> None:
    for split in ("train", "validation"):
        parquet = [tuple(message["content"] for message in row["messages"]) for row in loaded["parquet"][split]]
        assert [(row["instruction"], row["output"]) for row in loaded["llamafactory-alpaca"][split]] == parquet
        talks = [row["conversations"] for row in loaded["llamafactory-sharegpt"][split]]
        assert [(talk[0]["value"], talk[1]["value"]) for talk in talks] == parquet
        messages = [row["messages"] for row in loaded["openai-messages"][split]]
        assert [(talk[0]["content"], talk[1]["content"]) for talk in messages] == parquet
        assert [row["messages"] for row in loaded["parquet"][split]] == messages


def test_a_schema_holds_whatever_provenance_the_rows_have(tmp_path: Path) -> None:
    """pyarrow takes the schema from the first rows; an object of other members later would be an error."""
    provenances: list[Any] = [{}, {"a": 1}, {"a": "x", "b": [None]}]
    rows = exported(tmp_path, [final(str(n), "a", provenance=given) for n, given in enumerate(provenances)])
    assert [json.loads(row["provenance"]) for row in rows] == provenances
    kinds = {name: list if name == "reasoning" else str for name in rows[0]}
    assert all({name: type(value) for name, value in row.items()} == kinds for row in rows)


# -- turns ----------------------------------------------------------------------------------------------------


def test_turns_are_joined_into_one_response_by_the_template(tmp_path: Path) -> None:
    (row,) = exported(tmp_path, [final("a", "first", "second", "third")])
    parts = ["first", "feedback on first", "second", "feedback on second", "third", "feedback on third"]
    places = [row["output"].index(part) for part in parts]
    assert places == sorted(places)
    assert row["output"].startswith("first")
    (tmp_path / "export.toml").write_text('[joined]\nfirst = "{answer}"\nnext = "|{answer}"\n')
    (row,) = exported(tmp_path, [final("a", "first", "second")], templates=tmp_path, overwrite=True)
    assert row["output"] == "first|second"


def test_the_plain_form_has_first_turns_alone_and_where_wanted_only_right_ones(tmp_path: Path) -> None:
    rows = [final("a", "right"), final("b", "wrong", "right"), final("c", "wrong", right=False), released("d", "right"),
            released("e", "wrong", "right")]  # fmt: skip
    chosen = exported(tmp_path, rows, plain=True, only_right=True)
    assert [row["output"] for row in chosen] == ["right", "right"]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]["left_out"] == {"failed": 3}
    kept = exported(tmp_path, rows, plain=True, overwrite=True)
    assert [row["output"] for row in kept] == ["right", "wrong", "wrong", "right", "wrong"]


def test_turns_can_stay_messages_of_their_own(tmp_path: Path) -> None:
    (row,) = exported(tmp_path, [final("a", "first", "second", system="Be brief.")], "openai-messages", separate_turns=True)
    assert [(message["role"], message["content"]) for message in row["messages"]] == [
        ("system", "Be brief."), ("user", "question a"), ("assistant", "first"), ("user", "feedback on first"),
        ("assistant", "second"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="cannot be separate"):
        exported(tmp_path, [final("a", "first")], "llamafactory-alpaca", separate_turns=True)


def test_rows_for_openai_hold_messages_alone_and_their_origins_lie_beside(tmp_path: Path) -> None:
    (row,) = exported(tmp_path, [final("a", "first")], "openai-messages")
    assert row.keys() == {"messages"}
    (origin,) = read_rows(tmp_path / "out" / "origins-of-train.jsonl")
    assert origin == {"id": "a", "function_id": "f", "io_pred": "o", "reasoning": [""], "provenance": {"license": "MIT"}}


# -- the split ------------------------------------------------------------------------------------------------


def test_the_split_is_by_function_and_of_about_the_wanted_share(tmp_path: Path) -> None:
    rows = [final(f"{n}", "a", function=f"function {n % 1000}") for n in range(3000)]
    exported(tmp_path, rows, validation_share=0.1)
    sides = {split: {row["function_id"] for row in read_rows(tmp_path / "out" / f"{split}.jsonl")}
             for split in ("train", "validation")}  # fmt: skip
    assert not sides["train"] & sides["validation"]
    assert 60 < len(sides["validation"]) < 140
    assert is_validation("x", 1 - 1e-9)
    assert not is_validation("x", 0)


def test_rows_without_ids_are_split_by_what_their_prompts_say_of_the_function() -> None:
    about = "You are given this problem.\n\nAdd n and 1.\n\n"
    theirs = [f"{about}Given the following {side}:\n\n{value}\n\nPredict." for side in ("input", "output") for value in (1, 2)]
    assert len({function_key(prompt) for prompt in theirs}) == 1
    assert function_key(theirs[0]) != function_key(theirs[0].replace("Add", "Sum"))
    code = "```python\ndef f(n):\n    return n\n```"
    assert function_key(f"Say\n{code}\n\nn is 1") == function_key(f"Find\n{code}\n\nit gave 2")
    assert function_key("some question") != function_key("some other question")


def test_all_bundled_rows_of_a_function_have_one_key_also_without_ids() -> None:
    rows = read_rows(FINAL)
    keys = {(row["function_id"], function_key(row["prompt"])) for row in rows}
    assert len(keys) == len({row["function_id"] for row in rows}) == 4


def test_five_field_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [released("a", "right"), released("b", "wrong", "right")]
    assert list(rows[0]) == ["prompt", "turn_1", "feedback_1", "turn_2", "feedback_2"]
    assert [row["instruction"] for row in exported(tmp_path, rows)] == ["question a", "question b"]


# -- the folder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["llamafactory-alpaca", "llamafactory-sharegpt"])
def test_dataset_info_describes_files_and_columns_that_are_there(to: str, tmp_path: Path) -> None:
    exported(tmp_path, read_rows(FINAL), to, validation_share=0.4)
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert info.keys() == {"codeio_plus_train", "codeio_plus_validation"}
    for entry in info.values():
        (row, *_) = read_rows(tmp_path / "out" / entry["file_name"])
        assert set(entry["columns"].values()) <= row.keys()
        if "tags" in entry:
            talk, tags = row[entry["columns"]["messages"]], entry["tags"]
            assert [message[tags["role_tag"]] for message in talk] == [tags["user_tag"], tags["assistant_tag"]]
            assert all(message[tags["content_tag"]] for message in talk)


RATES = {
    "qwen2_5-coder-7b": (1e-5, 3e-5, 1e-6),
    "llama3_1-8b": (1e-5, 3e-5, 1e-6),
    "deepseek-coder-v2-lite": (1e-5, 3e-5, 1e-6),
    "gemma2-27b": (4e-6, 1e-5, 3e-7),
}


@pytest.mark.parametrize("model", RATES)
def test_the_training_configs_are_the_papers_recipe(model: str, tmp_path: Path) -> None:
    exported(tmp_path, read_rows(FINAL), validation_share=0.4, devices=16)
    one, two = (yaml.safe_load((tmp_path / "out" / f"{model}.stage{stage}.yaml").read_text()) for stage in (1, 2))
    first, second, least = RATES[model]
    assert (one["learning_rate"], one["lr_scheduler_type"], one["num_train_epochs"]) == (first, "constant", 1.0)
    assert (two["learning_rate"], two["lr_scheduler_type"], two["max_steps"]) == (second, "cosine_with_min_lr", 700)
    assert two["lr_scheduler_kwargs"] == {"min_lr_rate": pytest.approx(least / second, rel=1e-5)}
    for config in (one, two):
        assert config["per_device_train_batch_size"] * config["gradient_accumulation_steps"] * 16 == 1024
        assert (config["cutoff_len"], config["warmup_steps"], config["stage"]) == (4096, 0, "sft")
    assert two["model_name_or_path"] == one["output_dir"]
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert {one["dataset"], one["eval_dataset"]} == info.keys()


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 devices of 4 rows"):
        exported(tmp_path, [final("a", "x")], devices=3)


def test_rows_that_cannot_be_used_are_rejected_with_the_reason(tmp_path: Path) -> None:
    bad: list[Row] = [
        {"prompt": "x", "turn_1": None},
        {"turn_1": "x"},
        {**final("a", "x"), "verdicts": []},
        final("b", "x", provenance=[1]),
        {**final("c", "x"), "feedback_1": 1},
        {**final("d", "x", "y"), "turn_2": ""},
    ]
    assert len(exported(tmp_path, [final("good", "x"), *bad])) == 1
    rejects = read_rows(tmp_path / "out" / "rejects.jsonl")
    paths = ("$.turn_1", "$.prompt", "$.verdicts", "$.provenance", "$.feedback_1", "$.turn_2")
    assert [row["line"] for row in rejects] == [2, 3, 4, 5, 6, 7]
    assert all(row["reason"].endswith(path) for row, path in zip(rejects, paths, strict=True))
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="no row to export"):
        exported(tmp_path / "other", [{"prompt": "x"}])
    assert not (tmp_path / "other" / "out").exists()


TALK = [{"role": "user", "content": "q"}]
FEW_SHOT = [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "a0"}, *TALK]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": TALK, "output": "x", "verdict": "accepted"}, "`reexec assemble` makes training rows of verified ones"),
        ({"messages": [*TALK, {"role": "assistant", "content": "x"}]}, r"end with an answer, at \$\.messages\[1\]"),
        ({"messages": FEW_SHOT, "original_id": "a", "turn_1": "x"}, r"a later turn; .* at \$\.original_id"),
        (
            {"messages": [{"role": "tool", "content": "x"}, *TALK]},
            r"role 'tool' has no place .* at \$\.messages\[0\]\.role",
        ),
        ({"prompt": "q", "turn_1": "x", "history": [["q"]]}, r"a question and an answer, at \$\.history\[0\]"),
        ({"prompt": "q", "turn_1": "x", "history": "q"}, r"history: expected an array of exchanges, .* at \$\.history"),
        ({"messages": TALK}, r"there is no answer, at \$\.turn_1"),
        ({"prompt": "q", "turn_1": "x", "turn_3": "y"}, r"there is no turn_2 before it, at \$\.turn_3"),
        ({"prompt": "q", "turn_1": "x", "turn_2": "", "turn_4": "y"}, r"there is no turn_2 before it, at \$\.turn_4"),
    ],
)
def test_a_row_without_an_answer_is_no_training_row_and_no_turn_is_lost(row: Row, reason: str) -> None:
    with pytest.raises(BadRowError, match=reason):
        read_example(row)


@pytest.mark.parametrize("to", ["llamafactory-sharegpt", "openai-messages", "parquet"])
@pytest.mark.parametrize("more", [{}, {"plain": True}, {"separate_turns": True}], ids=str)
def test_questions_and_answers_before_the_prompt_stay_before_it(tmp_path: Path, to: str, more: dict[str, Any]) -> None:
    row = final("a", "x", system="Be brief.", history=[["q0", "a0"], ["q1", "a1"]])
    folder = tmp_path / "out"
    export(write_rows(tmp_path / "final.jsonl", [row]), folder, ExportSettings(to=to, validation_share=0, **more))
    if to == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        (found,) = parquet.read_table(folder / "train.parquet").to_pylist()
    else:
        (found,) = read_rows(folder / "train.jsonl")
    talk = [list(each.values()) for each in found.get("messages") or found["conversations"]]
    assert [text for _, text in talk if text != "Be brief."][:5] == ["q0", "a0", "q1", "a1", "question a"]
    assert talk[-1][1].startswith("x")


def test_a_format_without_a_place_for_them_rejects_the_row(tmp_path: Path) -> None:
    assert len(exported(tmp_path, [final("a", "x"), final("b", "x", history=[["q0", "a0"]])])) == 1
    (reject,) = read_rows(tmp_path / "out" / "rejects.jsonl")
    assert reject["reason"].endswith("at $.history")


def test_a_conversation_with_an_answer_is_exported_with_it() -> None:
    row = {"messages": [{"role": "developer", "content": "Be brief."}, *TALK], "turn_1": "x", "reasoning": "hm"}
    example = read_example(row)
    assert (example.prompt, example.system, example.answers, example.reasoning) == ("q", "Be brief.", ("x",), ("hm",))
    assert read_example({"messages": TALK, "output": "x"}, needs_answer=False).answers == ()


def test_a_folder_is_never_replaced_unless_it_is_an_export_and_one_asks_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not empty, and not an export"):
            exported(tmp_path, [final("a", "x")], overwrite=overwrite)
    assert (folder / "thesis.txt").read_text() == "years of work"
    (folder / "thesis.txt").unlink()
    assert len(exported(tmp_path, [final("a", "x")])) == 1
    with pytest.raises(UsageError, match="holds another export"):
        exported(tmp_path, [final("b", "x")])
    assert [row["id"] for row in exported(tmp_path, [final("b", "x")], overwrite=True)] == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final.jsonl", "out"]


def test_the_same_export_is_left_alone(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "final.jsonl", [final("a", "x")])
    first = export(source, tmp_path / "out", ExportSettings(to="parquet"))
    before = (tmp_path / "out" / "train.parquet").stat().st_mtime_ns
    again = export(source, tmp_path / "out", ExportSettings(to="parquet"))
    assert (first.left_alone, again.left_alone, again.rows) == (False, True, 1)
    assert (tmp_path / "out" / "train.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize("to", FORMATS)
def test_two_exports_of_the_same_rows_are_the_same_bytes(to: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(FINAL, tmp_path / name, ExportSettings(to=to, functions=functions_for(to)))
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


def test_a_killed_export_leaves_nothing_under_the_wanted_name_and_the_next_one_is_whole(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "final.jsonl", [final(str(n), "x" * 2000, function=str(n)) for n in range(8_000)])
    folder, making = tmp_path / "out", tmp_path / ".out.unfinished"
    process = start("export", str(source), "-o", str(folder), "--to", "llamafactory-sharegpt")
    wait_until(lambda: (making / "train.jsonl").exists() and (making / "train.jsonl").stat().st_size, what="rows are written")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert making.exists()
    assert not folder.exists()
    summary = export(source, folder, ExportSettings(to="llamafactory-sharegpt"))
    assert summary.rows == 8_000
    assert len(read_rows(folder / "train.jsonl")) == summary.counts["train"]
    assert not making.exists()


def test_the_command_tells_rows_and_splits(tmp_path: Path) -> None:
    done = reexec("export", FINAL, "-o", tmp_path / "out", "--to", "openai-messages", "--json", "--limit", "4")
    assert done.code == 0, done.err
    told = {name: done.summary[name] for name in ("rows", "train", "validation", "functions", "rejected")}
    assert told == {"rows": 4, "train": 4, "validation": 0, "functions": 1, "rejected": 0}
    wrong = reexec("export", FINAL, "-o", tmp_path / "x", "--to", "csv")
    assert wrong.code == 2
    assert "known formats: llamafactory-alpaca" in wrong.one_line()
