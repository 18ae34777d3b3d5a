"""Servers with ways of their own: what is the row's fault, what is theirs, and what must not be lost by either."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Done, read_rows
from tests.support.infer import assert_key_nowhere, infer, log_of, logged, write_prompts
from tests.support.server import KEY, Plan, Raw, Server, chat

TOO_LONG = Raw({"error": {"message": "This model's maximum context length is 4096 tokens"}}, 400)
NO_JSON = "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"


def rejects(output: Path) -> list[dict[str, Any]]:
    return read_rows(output.with_name("out.rejects.jsonl"))


def ask_one(folder: Path, plan: Plan, *more: str) -> tuple[Done, Server, Path]:
    output = folder / "out.jsonl"
    with Server(plan) as server:
        return infer(write_prompts(folder, ["p"]), output, server, *more), server, output


# -- whose fault it is ----------------------------------------------------------------------------------------


def test_rows_that_are_too_long_do_not_end_the_run(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [*(f"long {n}" for n in range(45)), "short"])
    with Server(lambda prompt, before: "ok" if prompt == "short" else TOO_LONG) as server:
        done = infer(messages, tmp_path / "out.jsonl", server, "--concurrency", "2")
    assert (done.code, done.summary["rows"], done.summary["reasons"]) == (1, 1, {"refused": 45})
    assert server.seen.asked.total() == 46, "a refusal is not tried again"


def test_a_run_that_refuses_everything_ends_some_time(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(400)])
    with Server(lambda prompt, before: Raw({"error": {"message": "temperature: not allowed"}}, 400)) as server:
        done = infer(messages, tmp_path / "out.jsonl", server)
        assert done.code == 2
        assert "200 requests in a row failed, the last of them: refused, HTTP 400: temperature" in done.one_line()
        assert server.seen.asked.total() < 300


def test_the_next_run_asks_first_what_was_never_asked(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, [*(f"bad {n}" for n in range(20)), *(f"good {n}" for n in range(5))])
    output = tmp_path / "out.jsonl"
    with Server(lambda prompt, before: "500" if prompt.startswith("bad") else "ok") as server:
        more = ("--tries", "1", "--concurrency", "1")
        first = infer(messages, output, server, *more)
        assert (first.code, server.seen.asked.total()) == (2, 20)
        infer(messages, output, server, *more)
        order = [body["messages"][0]["content"] for body in server.seen.bodies[20:]]
    assert order[:5] == [f"good {n}" for n in range(5)]
    assert len(logged(output)) >= 25


def test_a_prompt_that_a_provider_moderates_is_the_rows_own_fault(tmp_path: Path) -> None:
    body = {"error": {"code": 403, "message": "Your input was flagged", "metadata": {"reasons": ["violence"]}}}
    done, server, output = ask_one(tmp_path, lambda prompt, before: Raw(body, 403))
    assert rejects(output)[0]["reason"] == "refused: HTTP 403: Your input was flagged"
    assert (done.code, server.seen.asked.total()) == (2, 1)


# -- what servers say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "reason", "asked"),
    [
        (Raw({"error": {"message": "no worker", "code": 502}}), "server-error: an error in the reply, 502: no worker", 2),
        (Raw({"error": {"message": "busy", "code": 503}}), "unavailable: an error in the reply, 503: busy", 2),
        (Raw({"error": {"message": "hm"}}), "server-error: an error in the reply: hm", 2),
        (Raw({"error": {"message": "long", "type": "bad_request"}}), "refused: an error in the reply, 400: long", 1),
        (Raw({"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, 422), "refused: HTTP 422: body.n: too many", 1),
        (Raw(b"<h1>Bad gateway</h1>", 502), "server-error: HTTP 502: Bad gateway", 2),
        (Raw(b"", 500), "server-error: HTTP 500: no word of why", 2),
        (chat({"content": None, "refusal": "I cannot help."}), "refusal: the model refuses: I cannot help.", 1),
        (chat("x", "SAFETY"), "finish-content_filter: the reply ended by 'content_filter'", 1),
        (chat(""), "no-text: the reply ended by itself and is empty", 2),
        (chat(" \n"), "no-text: the reply ended by itself and is empty", 2),
        (Raw(b"<h1>Log in</h1>"), f"malformed: the reply is not a chat completion ({NO_JSON}): Log in", 2),
        (Raw(b""), f"malformed: the reply is not a chat completion ({NO_JSON}): it is empty", 2),
        (Raw({"choices": None, "said": "too fast"}), 'no-choices: the reply holds no choices: {"said": "too fast"}', 2),
    ],
)  # fmt: skip
def test_the_reason_of_a_reject_is_what_the_server_said(reply: Raw, reason: str, asked: int, tmp_path: Path) -> None:
    done, server, output = ask_one(tmp_path, lambda prompt, before: reply, "--tries", "2")
    assert rejects(output)[0]["reason"] == reason
    assert (done.code, server.seen.asked.total()) == (2, asked)


def test_a_rate_limit_inside_a_reply_is_waited_out_and_costs_no_try(tmp_path: Path) -> None:
    busy = Raw({"error": {"message": "slow down", "code": 429}})
    done, server, _ = ask_one(tmp_path, lambda prompt, before: busy if before < 3 else "ok", "--tries", "1")
    assert (done.code, server.seen.asked.total()) == (0, 4)


def test_a_refused_key_inside_a_reply_ends_the_run(tmp_path: Path) -> None:
    done, _, _ = ask_one(tmp_path, lambda prompt, before: Raw({"error": {"message": "bad key", "code": 401}}))
    assert done.code == 2
    assert "answered 401, the key was refused: bad key" in done.one_line()


@pytest.mark.parametrize("finish", ["eos_token", "STOP", "end_turn", "", None])
def test_a_natural_end_is_kept_and_called_stop_whatever_its_word(finish: Any, tmp_path: Path) -> None:
    done, _, output = ask_one(tmp_path, lambda prompt, before: chat("an answer", finish))
    assert done.code == 0
    assert [(row["output"], row["finish_reason"]) for row in read_rows(output)] == [("an answer", "stop")]


def test_a_reply_without_a_word_that_used_all_its_tokens_was_cut(tmp_path: Path) -> None:
    done, _, output = ask_one(tmp_path, lambda prompt, before: chat("cut sh", None), "--max-tokens", "2")
    assert done.code == 2
    assert rejects(output)[0]["reason"].startswith("finish-length")


def test_answers_of_an_older_log_with_other_words_for_the_end_are_used(tmp_path: Path) -> None:
    _, _, output = ask_one(tmp_path, lambda prompt, before: "ok")
    text = log_of(output).read_text().replace('"finish_reason": "stop"', '"finish_reason": "none"')
    log_of(output).write_text(text)
    with Server() as server:
        done = infer(tmp_path / "messages.jsonl", output, server, "--overwrite")
        assert (done.code, done.summary["asked"]) == (0, 0)
    assert read_rows(output)[0]["finish_reason"] == "stop"


def test_parts_are_joined_and_thinking_goes_to_reasoning(tmp_path: Path) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "an answer"}]
    done, _, output = ask_one(tmp_path, lambda prompt, before: chat({"content": parts}))
    assert done.code == 0
    assert [(row["output"], row["reasoning"]) for row in read_rows(output)] == [("an answer", "hm")]


# -- where requests go ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_prompt_goes_to_the_host_that_a_redirect_names(status: int, tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["secret prompt"])
    with Server(key=None) as other:
        target = f"{other.url}/chat/completions"
        with Server(lambda prompt, before: Raw(b"", status, {"Location": target})) as server:
            done = infer(messages, tmp_path / "out.jsonl", server)
        assert done.code == 2
        assert f"answered {status} and points to {target}; nothing was sent there" in done.one_line()
        assert not other.seen.asked
        assert not other.seen.bodies


def test_a_redirect_within_the_host_that_keeps_the_request_is_followed(tmp_path: Path) -> None:
    moved = Raw(b"", 307, {"Location": "/elsewhere"})
    done, server, _ = ask_one(tmp_path, lambda prompt, before: "ok" if before else moved)
    assert (done.code, server.seen.asked.total()) == (0, 2)


@pytest.mark.parametrize(
    ("path", "hint"),
    [("", "try --base-url http"), ("/v1", "does the server speak chat completions there?")],
)
def test_where_nothing_is_found_the_line_says_what_to_try(path: str, hint: str, tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server(lambda prompt, before: Raw({"detail": "Not Found"}, 404)) as server:
        url = server.url.removesuffix("/v1") + path
        done = infer(messages, tmp_path / "out.jsonl", server, "--base-url", url)
    assert done.code == 2
    assert hint in done.one_line()
    assert "Not Found" in done.one_line()


def test_a_missing_model_gets_no_hint_about_the_url(tmp_path: Path) -> None:
    done, _, _ = ask_one(tmp_path, lambda prompt, before: Raw({"error": {"message": "The model `m` does not exist"}}, 404))
    assert done.one_line().endswith("not found: The model `m` does not exist")


def test_the_whole_address_of_the_protocol_is_taken_for_the_base_url(tmp_path: Path) -> None:
    messages = write_prompts(tmp_path, ["p"])
    with Server() as server:
        done = infer(messages, tmp_path / "out.jsonl", server, "--base-url", f"{server.url}/chat/completions")
    assert done.code == 0, done.err


# -- what must not be lost ------------------------------------------------------------------------------------


def test_a_dead_server_leaves_a_good_output_as_it_is(tmp_path: Path) -> None:
    messages, output = write_prompts(tmp_path, ["a", "b", "c"]), tmp_path / "out.jsonl"
    with Server() as server:
        assert infer(messages, output, server).code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if "log" not in path.name}
    done = infer(messages, output, server, "--temperature", "0", "--overwrite", "--tries", "1")
    assert done.code == 2
    assert "answered none of 3 requests (connection, connection refused)" in done.one_line()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if "log" not in path.name} == before


def test_without_an_older_output_the_rejects_say_that_nobody_answered(tmp_path: Path) -> None:
    messages, output = write_prompts(tmp_path, ["a", "b"]), tmp_path / "out.jsonl"
    with Server() as server:
        pass
    done = infer(messages, output, server, "--tries", "1")
    assert (done.code, done.summary["stopped"]) == (2, "no-reply")
    assert [row["reason"] for row in rejects(output)] == ["connection: connection refused"] * 2


def test_the_cost_cap_holds_where_a_cut_reply_is_asked_again_with_twice_the_tokens(tmp_path: Path) -> None:
    """20 tokens cost 0.02 at worst, 40 cost 0.04: below 0.05 the second try of a request does not fit any more once a first
    one was paid for."""
    messages = write_prompts(tmp_path, [f"p{n}" for n in range(10)])
    usage = {"prompt_tokens": 0, "completion_tokens": 20}
    prices = ("--price-in", "0", "--price-out", "1000", "--max-tokens", "20", "--concurrency", "1", "--max-cost", "0.05")
    with Server(lambda prompt, before: chat("cut", "length", usage=usage)) as server:
        done = infer(messages, tmp_path / "out.jsonl", server, *prices)
    assert [body["max_tokens"] for body in server.seen.bodies] == [20]
    assert (done.summary["stopped"], done.summary["rows"]) == ("max-cost", 0)
    assert done.summary["cost"] <= 0.05


def test_a_key_that_a_reply_quotes_is_in_no_file(tmp_path: Path) -> None:
    quoted = {"content": f"your key is {KEY}", "reasoning_content": f"they sent {KEY}"}
    done, _, output = ask_one(tmp_path, lambda prompt, before: chat(quoted, model=f"m-{KEY}"))
    assert done.code == 0
    row = read_rows(output)[0]
    assert (row["output"], row["reasoning"]) == ("your key is [key]", "they sent [key]")
    assert json.loads(log_of(output).read_text().splitlines()[1])["served_model"] == "m-[key]"
    assert_key_nowhere(tmp_path, done.out, done.err)


def test_a_key_that_a_reply_ends_with_is_in_no_file_and_no_line(tmp_path: Path) -> None:
    done, _, _ = ask_one(tmp_path, lambda prompt, before: chat("x", f"because of {KEY}"))
    assert "because of [key]" in done.err
    assert_key_nowhere(tmp_path, done.out, done.err)
