"""A run given again does what is missing or changed, and nothing else; nothing of others is touched."""

import fcntl
import json
import os
from pathlib import Path

from tests.support.helpers import Done, Row, read_rows, reexec, write_rows
from tests.support.pipeline import REPLAYED, content, functions, small_run, states
from tests.support.server import KEY, Server

ALL = ["prompts", "infer-1", "verify-1", "revise-2", "infer-2", "verify-2", "assemble"]


def run(config: Path, *more: str, key: str | None = None) -> Done:
    return reexec("pipeline", config, "-w", "1", "--json", *more, env={"OPENAI_API_KEY": key} if key else None)


def done_stages(summary: Row) -> list[str]:
    return [name for name, state in states(summary).items() if state == "done"]


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_the_second_run_leaves_everything_alone(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    first = run(config)
    assert done_stages(first.summary) == ALL
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir() if path.name != "pipeline.json"}
    again = run(config)
    assert done_stages(again.summary) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (again.summary["funnel"], again.code) == (first.summary["funnel"], first.code)


def test_a_change_redoes_what_comes_after_it_and_no_more(tmp_path: Path) -> None:
    config = small_run(tmp_path, tables=[REPLAYED, "[assemble]\ndeduplicate = false"])
    funnel = run(config).summary["funnel"]
    change(config, "deduplicate = false", "deduplicate = true")
    assert done_stages(run(config).summary) == ["assemble"]
    change(config, "[assemble]", "[infer.turn_2]\ntemperature = 0.1\n[assemble]")
    # Recorded answers do not change with the temperature: what comes after them is current.
    assert done_stages(run(config).summary) == ["infer-2"]
    change(config, '"limits.cpu_s=1"', '"limits.cpu_s=2"')
    assert [name for name in done_stages(run(config).summary) if name.startswith("verify")] == ["verify-1", "verify-2"]
    rows = read_rows(tmp_path / "functions.jsonl")
    write_rows(tmp_path / "functions.jsonl", rows[:3])
    fewer = run(config).summary
    assert done_stages(fewer) == ALL
    assert fewer["funnel"]["prompts"] == funnel["prompts"] * 3 // 4
    change(config, "deduplicate = true", "deduplicate = false")
    config.write_text("turns = 3\n" + config.read_text())
    assert done_stages(run(config).summary) == ["revise-3", "infer-3", "verify-3", "assemble"]


def test_redone_in_steps_is_the_same_as_done_at_once(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    run(config)
    change(config, "audit = false", "audit = true")
    write_rows(tmp_path / "functions.jsonl", functions(3))
    assert done_stages(run(config).summary) == ["audit", *ALL]
    stepwise = content(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "before")
    assert done_stages(run(config).summary) == ["audit", *ALL]
    assert content(tmp_path / "run") == stepwise


def test_a_deleted_file_is_made_anew_and_a_changed_one_refused(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    run(config)
    verified = tmp_path / "run" / "06-verified-1.jsonl"
    before = verified.read_bytes()
    verified.unlink()
    assert done_stages(run(config).summary) == ["verify-1"], "what follows is of the same bytes"
    assert verified.read_bytes() == before
    verified.write_bytes(before.replace(b"accepted", b"rejected"))
    done = run(config)
    assert done.code == 2
    assert "06-verified-1.jsonl: has changed since the pipeline wrote it" in done.one_line()
    assert run(config, "--overwrite").code in (0, 1)
    assert verified.read_bytes() == before


def test_files_of_others_are_not_touched(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    (tmp_path / "run").mkdir()
    mine = tmp_path / "run" / "final.jsonl"
    mine.write_text("mine")
    done = run(config)
    assert done.code == 2
    assert "final.jsonl: exists" in done.one_line()
    assert mine.read_text() == "mine"
    assert len(done_stages(run(config, "--overwrite").summary)) == len(ALL)


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    (tmp_path / "run").mkdir()
    handle = os.open(tmp_path / "run", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = run(config)
        assert done.code == 2
        assert "another run works in this folder" in done.one_line()
    finally:
        os.close(handle)
    assert run(config).code in (0, 1)


def live(server: Server, *more: str) -> str:
    return "\n".join(["[infer]", 'model = "any"', f'base_url = "{server.url}"', "tries = 1", *more])


def test_answers_outlive_a_change_of_the_prompts_and_failures_are_asked_again(tmp_path: Path) -> None:
    working = False

    def plan(prompt: str, before: int) -> str:
        return "ok" if working or "Multiply by 2" not in prompt else "content-filter"

    with Server(plan) as server:
        config = small_run(tmp_path, "turns = 1", tables=[live(server), "[prompts]\npairs = 2"], count=3)
        first = run(config, key=KEY)
        assert first.code == 0, "what a model does not answer is a result"
        assert (first.summary["funnel"]["prompts"], first.summary["funnel"]["answered"]) == (12, 8)
        answered = server.seen.answered.total()
        working = True
        again = run(config, key=KEY)
        assert done_stages(again.summary) == ["infer-1", "verify-1", "assemble"]
        assert again.summary["funnel"]["answered"] == 12
        assert server.seen.answered.total() == answered + 4
        change(config, "pairs = 2", "pairs = 3")
        assert run(config, key=KEY).summary["funnel"]["answered"] == 18
        assert server.seen.answered.total() == answered + 4 + 6, "nothing that was answered is asked again"
        assert done_stages(run(config, key=KEY).summary) == []
    assert KEY.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())


def test_a_run_stops_at_what_it_may_cost_and_a_higher_limit_goes_on(tmp_path: Path) -> None:
    with Server() as server:
        prices = ["price_in = 1000.0", "price_out = 1000.0", "max_tokens = 50", "concurrency = 1", "max_cost = 0.4"]
        config = small_run(tmp_path, "turns = 1", tables=[live(server, *prices)])
        first = run(config, key=KEY)
        assert first.code == 1
        assert first.summary["stopped"] == "infer-1"
        assert "stopped at max_cost" in first.one_line()
        asked = server.seen.asked.total()
        assert 0 < asked < 24
        change(config, "max_cost = 0.4", "max_cost = 1000.0")
        assert run(config, key=KEY).summary["funnel"]["answered"] == 24
        assert server.seen.asked.total() == 24


def test_every_way_to_begin_and_every_number_of_turns(tmp_path: Path) -> None:
    config = small_run(tmp_path, "turns = 1", tables=[REPLAYED, '[export]\nto = "openai-messages"'])
    told = run(config).summary
    assert list(told["funnel"])[-2:] == ["correct_at_turn_1", "rows"]
    assert json.loads((tmp_path / "run" / "export" / "manifest.json").read_text())
    assert done_stages(run(config).summary) == []
    unified = tmp_path / "unified.toml"
    unified.write_text(
        'folder = "other"\nunified = "examples:unified.jsonl"\nlimit = 3\n[infer]\nreplay = "examples:answers.jsonl"\n'
        "[generate]\npairs = 3\ncalls = 100\n"
    )
    told = run(unified).summary
    assert list(told["stages"])[:2] == ["generate", "prompts"]
    assert told["funnel"]["unified"] == 3


def test_a_dead_server_does_not_empty_a_good_run(tmp_path: Path) -> None:
    with Server() as server:
        config = small_run(tmp_path, "turns = 1", tables=[live(server, "temperature = 0.7")])
        assert run(config, key=KEY).summary["funnel"]["answered"] == 24
    folder = tmp_path / "run"
    later = ("06-verified-1.jsonl", "final.jsonl")
    before = {name: (folder / name).read_bytes() for name in later}
    change(config, "temperature = 0.7", "temperature = 0.6\nconcurrency = 1")
    for limit in (None, 2):  # 24 requests in a row end the stage themselves, four do not
        if limit:
            change(config, "turns = 1", f"turns = 1\nlimit = {limit // 2}")
        done = run(config, key=KEY)
        assert done.code == 2
        assert "connection refused" in done.err.splitlines()[-1]
        assert {name: (folder / name).read_bytes() for name in later} == before
    change(config, "temperature = 0.6\nconcurrency = 1", "temperature = 0.7")
    change(config, f"turns = 1\nlimit = {1}", "turns = 1")
    assert run(config, key=KEY).summary["funnel"]["answered"] == 24, "the answers in the log are as good as ever"


def test_failed_rows_that_nobody_answers_now_leave_the_good_ones(tmp_path: Path) -> None:
    with Server(lambda prompt, before: "500" if "Multiply by 2" in prompt else "ok") as server:
        config = small_run(tmp_path, "turns = 1", tables=[live(server)])
        assert run(config, key=KEY).summary["funnel"]["answered"] == 18
    final = (tmp_path / "run" / "final.jsonl").read_bytes()
    done = run(config, key=KEY)
    assert done.code == 2
    assert "connection refused" in done.one_line()
    assert (tmp_path / "run" / "final.jsonl").read_bytes() == final
