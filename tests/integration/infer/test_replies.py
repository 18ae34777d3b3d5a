"""What becomes of each kind of reply: the client talks to a real server over a socket."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Done, manifest_of, read_rows, reexec, write_rows
from tests.support.infer import MODEL, assert_key_nowhere, infer, log_of, logged, write_prompts
from tests.support.server import KEY, Server, reply_to

# The word of a prompt's first request; all later ones are answered well. What the run must make of it: attempts, or the reason.
FIRST = {
    "ok": 1,
    "reasoning": 1,
    "no-usage": 1,
    "429": 2,
    "429:1": 2,
    "429-date:0": 2,
    "500": 2,
    "503": 2,
    "503:1": 2,
    "408": 2,
    "reset": 2,
    "reset-body": 2,
    "stall": 2,
    "trickle": 2,
    "malformed": 2,
    "html": 2,
    "wrong-shape": 2,
    "no-choices": 2,
    "null-choices": 2,
    "empty-text": 2,
    "length": 2,
    "400": "refused",
    "echo-key": "refused",
    "content-filter": "finish-content_filter",
}
FAILED = [word for word, fate in FIRST.items() if isinstance(fate, str)]


class Ran:
    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out.jsonl"
        messages = write_prompts(folder, FIRST)
        with Server(lambda prompt, before: prompt if before == 0 else "ok") as server:
            self.first = infer(messages, self.output, server, "--timeout", "3")
            self.rows = read_rows(self.output)
            self.rejects = read_rows(folder / "out.rejects.jsonl")
            self.asked_first = dict(server.seen.asked)
            self.second = infer(messages, self.output, server, "--timeout", "3")
            self.asked = dict(server.seen.asked)
            before = self.output.stat().st_mtime_ns
            self.third = infer(messages, self.output, server)
            self.untouched = self.output.stat().st_mtime_ns == before
            self.asked_last = dict(server.seen.asked)
            self.bodies = server.seen.bodies


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("replies"))


def attempts(ran: Ran) -> dict[str, Any]:
    words = list(FIRST)
    return {words[int(entry["id"][3:])]: entry["attempts"] for entry in logged(ran.output)[: len(FIRST)]}


def test_a_fault_that_passes_is_tried_again_and_one_that_does_not_is_recorded(ran: Ran) -> None:
    assert ran.first.code == 1
    assert attempts(ran) == {word: fate if isinstance(fate, int) else 1 for word, fate in FIRST.items()}
    assert [row["messages"][-1]["content"] for row in ran.rows] == [word for word in FIRST if word not in FAILED]
    assert {row["id"]: row["reason"].partition(":")[0] for row in ran.rejects} == {
        f"row{n}": fate for n, fate in enumerate(FIRST.values()) if isinstance(fate, str)
    }
    assert all(row["attempts"] == 1 for row in ran.rejects)
    assert ran.first.summary["rows"] + ran.first.summary["rejected"] == len(FIRST)


def test_rows_keep_their_members_and_gain_those_of_a_response(ran: Ran) -> None:
    row = ran.rows[0]
    assert list(row) == ["id", "messages", "provenance", "index", "output", "model", "finish_reason", "usage"]
    assert row["output"] == reply_to("ok")
    assert (row["index"], row["model"], row["finish_reason"]) == (0, MODEL, "stop")
    assert row["usage"] == {"prompt_tokens": 10, "completion_tokens": 5}


def test_reasoning_is_kept_where_it_comes(ran: Ran) -> None:
    assert [row.get("reasoning") for row in ran.rows[:2]] == [None, "thinking about reasoning"]


def test_a_reply_cut_for_its_length_is_asked_once_more_with_more_tokens(ran: Ran) -> None:
    wanted = [body["max_tokens"] for body in ran.bodies if body["messages"][-1]["content"] == "length"]
    assert wanted == [4096, 8192]


def test_failures_are_retried_by_the_next_run_and_answers_are_not(ran: Ran) -> None:
    assert ran.second.code == 0
    assert ran.second.summary["rows"] == len(FIRST)
    more = {word for word in FIRST if ran.asked[word] > ran.asked_first[word]}
    assert more == set(FAILED)
    assert ran.second.summary["asked"] == len(FAILED)
    assert read_rows(ran.output)[0] == ran.rows[0]
    assert not (ran.folder / "out.rejects.jsonl").exists()


def test_a_complete_output_is_left_alone(ran: Ran) -> None:
    assert ran.third.code == 0
    assert ran.untouched
    assert ran.asked_last == ran.asked


def test_the_key_is_in_no_file_and_no_line(ran: Ran) -> None:
    assert_key_nowhere(ran.folder, ran.first.out, ran.first.err, ran.second.out, ran.second.err)
    assert "[key]" in log_of(ran.output).read_text()  # the server had quoted it


def test_the_manifest_says_how_the_output_was_made(ran: Ran) -> None:
    manifest = manifest_of(ran.output)
    assert manifest["state"] == "done"
    assert manifest["key"]["model"] == MODEL
    assert manifest["facts"]["key_env"] == "OPENAI_API_KEY"


# -- one thing each -------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_the_rest_that_the_server_asked_for_is_over(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(40)])
    with Server(lambda prompt, before: "429:3" if (prompt, before) == ("p3", 0) else "ok", delay_s=0.02) as server:
        assert infer(messages, tmp_path / "out.jsonl", server, "--concurrency", "4").code == 0
        times = server.seen.times
    refused = next(at for at, word in times if word.startswith("429"))
    later = [at for at, _ in times if at > refused + 1.5]  # what was on its way came before
    assert len(later) > 20
    assert min(later) >= refused + 3


def test_no_more_requests_at_once_than_allowed(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(60)])
    with Server(delay_s=0.3) as server:
        assert infer(messages, tmp_path / "out.jsonl", server, "--concurrency", "12").code == 0
        assert 8 < server.seen.most_at_once <= 12


def test_every_sample_is_a_request_of_its_own_and_a_missing_one_keeps_the_others(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["a", "b"])
    output = tmp_path / "out.jsonl"
    with Server(lambda prompt, before: "400" if (prompt, before) == ("a", 1) else "ok") as server:
        done = infer(messages, output, server, "--samples", "3", "--concurrency", "1")
        assert done.code == 1
        rows = read_rows(output)
        assert [(row["id"], row["index"]) for row in rows] == [("row0", 0), ("row0", 2), ("row1", 0), ("row1", 1), ("row1", 2)]
        (reject,) = read_rows(tmp_path / "out.rejects.jsonl")
        assert reject["samples"] == [{"index": 1, "reason": "refused", "message": "HTTP 400: answer number 400", "attempts": 1}]
        assert infer(messages, output, server, "--samples", "3").code == 0
        assert server.seen.asked == {"a": 4, "b": 3}
    assert len(read_rows(output)) == 6


def test_rows_without_ids_get_them_and_equal_prompts_are_two_requests(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "same"}]}
    messages = write_rows(tmp_path / "messages.jsonl", [row, row])
    with Server() as server:
        assert infer(messages, tmp_path / "out.jsonl", server).code == 0
        assert server.seen.asked == {"same": 2}
    ids = [row["id"] for row in read_rows(tmp_path / "out.jsonl")]
    assert len(set(ids)) == 2


def test_rows_that_cannot_be_asked_go_to_the_rejects_with_their_place(tmp_path: Path) -> None:
    good = {"id": 1, "messages": [{"role": "user", "content": "p"}]}
    lines: list[Any] = [
        good,
        good,
        "{not json",
        {"messages": []},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"id": [], "messages": good["messages"]},
    ]
    messages = write_rows(tmp_path / "messages.jsonl", lines)
    with Server() as server:
        done = infer(messages, tmp_path / "out.jsonl", server)
        assert server.seen.asked == {"p": 1}
    assert done.code == 1
    assert done.summary["rows"] + done.summary["rejected"] == len(lines)
    said = [(row["line"], row["reason"]) for row in read_rows(tmp_path / "out.rejects.jsonl")]
    assert [line for line, _ in said] == [2, 3, 4, 5, 6, 7]
    assert said[0][1] == "repeats the id of line 1, at $.id"
    assert said[3][1] == "content: expected a string, got null, at $.messages[0].content"


def test_other_finish_reasons_can_be_kept_without_asking_again(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["long"])
    with Server(lambda prompt, before: "length") as server:
        assert infer(messages, tmp_path / "out.jsonl", server).code == 2
        assert server.seen.asked == {"long": 2}
        done = infer(messages, tmp_path / "out.jsonl", server, "--keep", "stop,length", "--overwrite")
        assert (done.code, done.summary["asked"]) == (0, 0)
        assert server.seen.asked == {"long": 2}
    assert read_rows(tmp_path / "out.jsonl")[0]["finish_reason"] == "length"


def test_a_schema_reaches_the_server_and_a_row_may_bring_its_own(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": name}]} for name in ("first", "second")]
    rows[1]["response_format"] = {"type": "json_object"}
    messages = write_rows(tmp_path / "messages.jsonl", rows)
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    with Server() as server:
        schema = str(tmp_path / "schema.json")
        assert infer(messages, tmp_path / "out.jsonl", server, "--json-schema", schema, "--temperature", "0").code == 0
        found = {body["messages"][0]["content"]: body["response_format"] for body in server.seen.bodies}
        assert {body["temperature"] for body in server.seen.bodies} == {0}
    assert found["first"]["json_schema"]["schema"] == {"type": "object"}
    assert found["second"] == {"type": "json_object"}


def test_a_server_without_a_key_needs_none(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server(key="none") as server:
        command: list[str | Path] = ["infer", messages, "-o", tmp_path / "out.jsonl", "--model", "m", "--base-url", server.url]
        done: Done = reexec(*command, env={"OPENAI_API_KEY": ""})
        assert done.code == 0, done.err


def test_another_variable_can_hold_the_key(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server() as server:
        command: list[str | Path] = ["infer", messages, "-o", tmp_path / "out.jsonl", "--model", "m", "--base-url", server.url]
        done = reexec(*command, "--key-env", "MY_KEY", env={"MY_KEY": KEY, "OPENAI_API_KEY": "sk-other"})
        assert done.code == 0, done.err
        missing = reexec(*command[:-2], "--base-url", server.url, "--overwrite", "--key-env", "NO_KEY", "--temperature", "1")
    assert missing.code == 2
    assert "NO_KEY: not set" in missing.one_line()


def test_an_input_that_changed_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["a", "b"])
    with Server() as server:
        assert infer(messages, tmp_path / "out.jsonl", server).code == 0
        write_prompts(tmp_path, ["a", "c"])
        done = infer(messages, tmp_path / "out.jsonl", server)
        assert done.code == 2
        assert "--overwrite" in done.one_line()
        assert server.seen.asked == {"a": 1, "b": 1}
        assert infer(messages, tmp_path / "out.jsonl", server, "--overwrite").code == 0
        assert server.seen.asked == {"a": 1, "b": 1, "c": 1}
        other = infer(messages, tmp_path / "out.jsonl", server, "--temperature", "0.1")
        assert "was made with another temperature" in other.one_line()


def test_limit_shard_and_dry_run(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["the first prompt", "b", "c", "d"])
    with Server() as server:
        dry = infer(messages, tmp_path / "out.jsonl", server, "--dry-run", "--price-in", "1", "--price-out", "2")
        assert dry.code == 0
        assert "the first prompt" in dry.out
        assert dry.summary["requests"] == 4
        assert dry.summary["completion_tokens_most"] == 4 * 4096
        assert 0.0327 < dry.summary["cost_most"] < 0.04
        assert not server.seen.asked
        assert [path.name for path in tmp_path.iterdir()] == ["messages.jsonl"]
        assert infer(messages, tmp_path / "out.jsonl", server, "--limit", "2").summary["rows"] == 2
        dry = infer(messages, tmp_path / "out.jsonl", server, "--dry-run")
        assert (dry.summary["requests"], dry.summary["answered_before"]) == (2, 2)
        assert infer(messages, tmp_path / "odd.jsonl", server, "--shard", "1/2").code == 0
    assert [row["id"] for row in read_rows(tmp_path / "odd.jsonl")] == ["row1", "row3"]


def test_a_retry_waits_a_little(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server(lambda prompt, before: "500" if before < 2 else "ok") as server:
        began = time.monotonic()
        assert infer(messages, tmp_path / "out.jsonl", server).code == 0
        first, second, third = (at for at, _ in server.seen.times)
    assert 0.25 <= second - first < 30
    assert 0.5 <= third - second < 30
    assert time.monotonic() - began < 60
