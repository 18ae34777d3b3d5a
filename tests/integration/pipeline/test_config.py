"""A config is refused in one line that says where it is wrong, before anything is made."""

from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.pipeline.config import ask_of, load_config
from tests.support.helpers import reexec
from tests.support.pipeline import write_config

RAW = 'raw = "raw.jsonl"'
MODEL = '[infer]\nmodel = "m"'

FAULTS = [
    ("turnz = 3", [RAW, MODEL], "unknown key 'turnz', did you mean 'turns'? at $.turnz"),
    ("turns = 0", [RAW, MODEL], "at $.turns"),
    ("turns = 'two'", [RAW, MODEL], "at $.turns"),
    (
        RAW,
        ['functions = "f"', MODEL],
        "one of raw, unified, functions says where the run begins, not raw and functions",
    ),
    ("", [MODEL], "not none, at $.raw"),
    (RAW, ['[infer]\nmodle = "m"'], "unknown key 'modle', did you mean 'model'? at $.infer.modle"),
    (
        RAW,
        ['[infer]\nmodel = "m"\n[infer.turn2]\nsamples = 2'],
        "'turn2', did you mean 'turn_2'? at $.infer.turn2",
    ),
    (RAW, ['[infer]\nmodel = "m"\n[infer.turn_2]\nsample = 2'], "did you mean 'samples'? at $.infer.turn_2.sample"),
    (RAW, ['[infer]\nmodel = "m"\n[infer.turn_3]\nsamples = 2'], "there are 2 turns, at $.infer.turn_3"),
    (RAW, ['[infer.turn_1]\nmodel = "m"'], "which model is asked, or which recording replayed? at $.infer.transform.model"),
    (RAW, ['[infer]\nmodel = "m"\nprice_in = 1.0'], "price_in and price_out are needed both"),
    (RAW, [MODEL, '[generate]\nreader = "codeoi"'], "unknown reader 'codeoi', did you mean 'codeio'? at $.generate.reader"),
    (RAW, [MODEL, '[export]\nto = "parket"'], "unknown format 'parket', did you mean 'parquet'? at $.export.to"),
    (RAW, [MODEL, "[prompts]\npairs = 0"], "at $.prompts.pairs"),
    (RAW, [MODEL, "[prompts"], "not a TOML file"),
]


@pytest.mark.parametrize(("line", "tables", "said"), FAULTS, ids=[said[-30:] for _, _, said in FAULTS])
def test_a_fault_is_told_with_its_place(line: str, tables: list[str], said: str, tmp_path: Path) -> None:
    path = write_config(tmp_path, line, tables=tables)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_key_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = write_config(tmp_path, RAW, tables=['[infer]\nmodel = "m"\nbase_url = "http://me:sk-secret-123@127.0.0.1:1/v1"'])
    done = reexec("pipeline", path)
    assert done.code == 2
    assert "at $.infer.base_url" in done.one_line()
    assert "sk-secret" not in done.err
    assert not (tmp_path / "run").exists()


def test_the_command_line_ends_with_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, RAW, tables=[MODEL])
    for arguments in (
        ["pipeline"],
        ["pipeline", tmp_path / "none.toml"],
        ["pipeline", config],
        ["pipeline", config, "--limit", "0"],
    ):
        done = reexec(*arguments, cwd=tmp_path)
        assert done.code == 2
        done.one_line()


def test_what_infer_says_holds_for_every_stage_that_does_not_say_otherwise(tmp_path: Path) -> None:
    tables = ['[infer]\nmodel = "m"\nsamples = 4', '[infer.transform]\nmodel = "big"', "[infer.turn_2]\nsamples = 1"]
    config = load_config(write_config(tmp_path, RAW, tables=tables))
    asked = {name: ask_of(config, name) for name in config.model_stages}
    assert {name: (ask.model, ask.samples) for name, ask in asked.items()} == {
        "transform": ("big", 4), "turn_1": ("m", 4), "turn_2": ("m", 1),
    }  # fmt: skip


def test_paths_are_taken_from_where_the_config_lies(tmp_path: Path) -> None:
    tables = ['[infer]\nreplay = "/elsewhere/answers.jsonl"', '[infer.transform]\nreplay = "examples:unified.jsonl"']
    config = load_config(write_config(tmp_path, RAW, 'policy = "strict"', tables=tables))
    assert config.source == ("raw", tmp_path / "raw.jsonl")
    assert config.policy == "strict"
    assert ask_of(config, "turn_1").replay == Path("/elsewhere/answers.jsonl")
    assert Path(str(ask_of(config, "transform").replay)).is_file()
    config = load_config(write_config(tmp_path, RAW, 'policy = "my.toml"', tables=tables))
    assert config.policy == str(tmp_path / "my.toml")


def test_init_writes_the_bundled_config_and_replaces_nothing(tmp_path: Path) -> None:
    written = tmp_path / "mine.toml"
    assert reexec("pipeline", "--init", written).code == 0
    config = load_config(written)
    assert config.folder == str(tmp_path / "run")
    assert config.source[1].is_file()
    written.write_text("mine")
    done = reexec("pipeline", "--init", written)
    assert done.code == 2
    assert "exists" in done.one_line()
    assert written.read_text() == "mine"
