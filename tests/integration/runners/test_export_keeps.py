"""Nothing of a user's is ever deleted: checkpoints, added data and edited files in the folder of an export."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from reexec.engine.errors import UsageError
from reexec.runners.stages.export import ExportSettings, export
from reexec.runners.stages.export.folder import MANIFEST
from tests.integration.runners.test_export import final
from tests.support.helpers import EXAMPLES, Row, read_rows, reexec, write_rows
from tests.support.pipeline import REPLAYED, small_run

TO = "llamafactory-alpaca"


def make(folder: Path, *names: str, to: str = TO, **more: Any) -> Path:
    """An export of one row for each name, in folder/out."""
    rows: list[Row] = [final(name, "x", function=name) for name in names]
    overwrite = more.pop("overwrite", False)
    settings = ExportSettings(to=to, validation_share=0, **more)
    export(write_rows(folder / "final.jsonl", rows), folder / "out", settings, overwrite=overwrite)
    return folder / "out"


def listed(out: Path) -> set[str]:
    return set(json.loads((out / MANIFEST).read_text())["files"])


def test_what_a_user_puts_into_the_folder_survives_another_export(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    checkpoint = out / "saves" / "stage1" / "model.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"days of work")
    (out / "my_instructions.json").write_text("[]")
    make(tmp_path, "b", "c", overwrite=True)
    assert checkpoint.read_bytes() == b"days of work"
    assert (out / "my_instructions.json").read_text() == "[]"
    assert [row["id"] for row in read_rows(out / "train.jsonl")] == ["b", "c"]
    assert "my_instructions.json" not in listed(out)


def test_files_of_the_earlier_export_that_the_new_one_lacks_are_removed(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    assert (out / "dataset_info.json").exists()
    make(tmp_path, "a", to="openai-messages", overwrite=True)
    assert {path.name for path in out.iterdir()} == listed(out) | {MANIFEST}


@pytest.mark.parametrize("name", ["dataset_info.json", "qwen2_5-coder-7b.stage1.yaml", "train.jsonl"])
def test_a_file_that_was_edited_is_not_replaced_and_nothing_else_is(name: str, tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    (out / name).write_text((out / name).read_text() + "# mine\n")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UsageError, match=f"{name} would be lost"):
        make(tmp_path, "b", overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final.jsonl", "out"]


def test_a_file_under_a_name_that_the_new_export_wants_is_not_replaced(tmp_path: Path) -> None:
    out = make(tmp_path, "a", to="openai-messages")
    (out / "dataset_info.json").write_text("{}")
    with pytest.raises(UsageError, match=r"dataset_info\.json would be lost"):
        make(tmp_path, "b", overwrite=True)
    assert (out / "dataset_info.json").read_text() == "{}"
    assert [row["messages"][0]["content"] for row in read_rows(out / "train.jsonl")] == ["question a"]


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    real = tmp_path / "elsewhere.jsonl"
    (out / "train.jsonl").rename(real)
    (out / "train.jsonl").symlink_to(real)
    with pytest.raises(UsageError, match=r"train.jsonl would be lost"):
        make(tmp_path, "b", overwrite=True)
    assert read_rows(real)[0]["id"] == "a"


def test_a_manifest_that_names_files_elsewhere_leads_nowhere(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    outside = tmp_path / "thesis.txt"
    outside.write_text("years")
    manifest = json.loads((out / MANIFEST).read_text())
    digest = manifest["files"]["train.jsonl"]["digest"]
    manifest["files"]["../thesis.txt"] = {"bytes": 5, "digest": digest}
    (out / MANIFEST).write_text(json.dumps(manifest))
    make(tmp_path, "b", overwrite=True)
    assert outside.read_text() == "years"


def test_a_missing_file_is_made_again_and_the_others_stay(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    before = (out / "train.jsonl").read_bytes()
    (out / "train.jsonl").unlink()
    (out / "notes.txt").write_text("mine")
    make(tmp_path, "a")
    assert (out / "train.jsonl").read_bytes() == before
    assert (out / "notes.txt").read_text() == "mine"


def test_an_export_killed_while_it_replaced_files_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = make(tmp_path, "a")
    (out / "notes.txt").write_text("mine")
    replace, calls = os.replace, 0

    def killed(source: Any, target: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # the manifest of both, two files, and then nothing any more
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path, "b", "c", overwrite=True)
    assert json.loads((out / MANIFEST).read_text())["before"], "it knows the files of both exports"
    make(tmp_path, "b", "c")
    assert {path.name for path in out.iterdir()} == listed(out) | {MANIFEST, "notes.txt"}
    assert [row["id"] for row in read_rows(out / "train.jsonl")] == ["b", "c"]
    assert not (tmp_path / ".out.unfinished").exists()


def test_a_folder_under_the_name_for_unfinished_exports_is_not_removed(tmp_path: Path) -> None:
    other = tmp_path / ".out.unfinished"
    other.mkdir()
    (other / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="in the way"):
        make(tmp_path, "a")
    assert (other / "thesis.txt").read_text() == "years"


def test_the_configs_keep_checkpoints_outside_the_export(tmp_path: Path) -> None:
    out = make(tmp_path, "a")
    configs = sorted(out.glob("*.yaml"))
    assert len(configs) == 8
    for path in configs:
        target = (out / yaml.safe_load(path.read_text())["output_dir"]).resolve()
        assert not target.is_relative_to(out.resolve()), path
        assert target.is_relative_to(tmp_path.resolve()), path
    other = {yaml.safe_load(path.read_text())["output_dir"] for path in configs}
    make(tmp_path, "b", overwrite=True)
    assert not other & {yaml.safe_load(path.read_text())["output_dir"] for path in configs}, "other rows, other checkpoints"


def test_a_pipeline_with_another_export_option_keeps_what_is_in_the_folder(tmp_path: Path) -> None:
    config = small_run(tmp_path, "turns = 1", tables=[REPLAYED, f'[export]\nto = "{TO}"\nvalidation_share = 0.0'])
    assert reexec("pipeline", config, "-w", "1", "--json").code in (0, 1)
    out = tmp_path / "run" / "export"
    (out / "saves").mkdir()
    (out / "saves" / "checkpoint").write_bytes(b"days of work")
    again = reexec("pipeline", config, "-w", "1", "--json")
    assert again.summary["stages"]["export"]["state"] == "current", "checkpoints are no change of the export"
    config.write_text(config.read_text().replace("0.0", "0.5"))
    assert reexec("pipeline", config, "-w", "1", "--json").code in (0, 1)
    assert (out / "saves" / "checkpoint").read_bytes() == b"days of work"
    assert (out / "validation.jsonl").exists()
    (out / "dataset_info.json").write_text("{}")
    config.write_text(config.read_text().replace("0.5", "0.0"))
    for more in ((), ("--overwrite",)):
        done = reexec("pipeline", config, "-w", "1", "--json", *more)
        assert done.code == 2
        assert "dataset_info.json would be lost" in done.err
    assert (out / "saves" / "checkpoint").read_bytes() == b"days of work"
    assert (out / "dataset_info.json").read_text() == "{}"


def test_a_pipeline_does_not_make_an_edited_file_anew_without_being_told(tmp_path: Path) -> None:
    config = small_run(tmp_path, "turns = 1")
    assert reexec("pipeline", config, "-w", "1", "--json").code in (0, 1)
    edited = tmp_path / "run" / "04-messages-1.jsonl"
    edited.write_text(edited.read_text().replace("question", "riddle") + "\n")
    config.write_text(config.read_text().replace("turns = 1", "turns = 1\nprompts = { pairs = 2 }"))
    done = reexec("pipeline", config, "-w", "1", "--json")
    assert done.code == 2
    assert "04-messages-1.jsonl: changed since the pipeline wrote it, and would be lost" in done.one_line()
    assert edited.exists()
    assert reexec("pipeline", config, "-w", "1", "--json", "--overwrite").code in (0, 1)


def test_the_demo_does_not_overwrite_files_of_the_user(tmp_path: Path) -> None:
    for name, said in (
        ("verified.jsonl", "exists and is not a run's output"),
        ("report.html", "is no page of `reexec report`"),
    ):
        (tmp_path / name).write_text("my own\n")
        done = reexec("demo", "--keep", tmp_path, "--json", "-w", "1")
        assert (done.code, done.out) == (2, "")
        assert f"{name}: exists and" in done.one_line()
        assert said in done.err
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "my own\n")], "before the loop is run"
        (tmp_path / name).unlink()


def test_dash_is_no_name_for_an_export(tmp_path: Path) -> None:
    done = reexec("export", EXAMPLES / "final.jsonl", "-o", "-", "--to", TO, cwd=tmp_path)
    assert done.code == 2
    assert not list(tmp_path.iterdir())
