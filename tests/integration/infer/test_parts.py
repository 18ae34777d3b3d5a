"""The parts that need no server: the log at every byte, the controller, waits, the budget, keys and recordings."""

import json
import random
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.stages.infer.client import _retry_after
from reexec.runners.stages.infer.control import Controller, backoff_s
from reexec.runners.stages.infer.cost import Budget, Prices
from reexec.runners.stages.infer.endpoint import Secret, find_endpoint
from reexec.runners.stages.infer.known import load_known
from reexec.runners.stages.infer.log import Entry, RequestLog
from reexec.runners.stages.infer.prompts import Request
from reexec.runners.stages.infer.settings import InferSettings


def good(entry: Entry) -> bool:
    return InferSettings().is_usable(entry)


def request(n: int) -> Request:
    return Request(f"row{n}", 0, "d" * 32, [{"role": "user", "content": "p"}], None)


def reply(text: str) -> Entry:
    return {"output": text, "finish_reason": "stop", "usage": {}, "spent": {"prompt_tokens": 3, "completion_tokens": 2}}


def test_a_log_cut_at_any_byte_keeps_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log.jsonl"
    log = RequestLog(path, usable=good)
    for n in range(4):
        log.append(request(n), reply(f"answer {n}"))
    log.close()
    whole = path.read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == 10]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        log = RequestLog(path, usable=good)
        kept = max(0, sum(end <= size for end in ends) - 1)  # the head aside
        assert [log.answered(request(n)) for n in range(4)] == [n < kept for n in range(4)]
        for n in range(kept, 4):
            log.append(request(n), reply(f"answer {n}"))
        log.close()
        assert path.read_bytes() == whole


def test_the_first_answer_stays_and_a_failure_never_hides_it(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "x.log.jsonl", usable=good)
    log.append(request(0), {"reason": "timeout", "message": "m", "attempts": 3})
    assert not log.answered(request(0))
    log.append(request(0), reply("one"))
    log.append(request(0), reply("two"))
    log.append(request(0), {"reason": "timeout", "message": "m", "attempts": 3})
    for again in (log, RequestLog(tmp_path / "x.log.jsonl", usable=good, read_only=True)):
        found = again.find(request(0))
        assert found is not None
        assert found["output"] == "one"
        assert again.prompt_tokens == 6
        again.close()


def test_long_and_strange_texts_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ["x" * 100_000, "line\nbreak\r\u2028", "\ud800 half", "é漢字"]
    log = RequestLog(tmp_path / "x.log.jsonl", usable=good)
    for n, text in enumerate(texts):
        log.append(request(n), reply(text))
    assert [(log.find(request(n)) or {})["output"] for n in range(len(texts))] == texts
    log.close()


def test_a_damaged_line_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.log.jsonl"
    log = RequestLog(path, usable=good)
    for n in range(3):
        log.append(request(n), reply("a"))
    log.close()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"\0" * 20 + b"\n"
    path.write_bytes(b"".join(lines))
    log = RequestLog(path, usable=good)
    assert [log.answered(request(n)) for n in range(3)] == [True, False, True]
    assert log.unreadable == 1
    log.close()


# -- control --------------------------------------------------------------------------------------------------


def test_the_limit_doubles_until_the_first_cut_and_then_grows_by_one_a_round() -> None:
    control = Controller(100)
    assert control.limit == 8
    for _ in range(8):
        control.succeeded()
    assert control.limit == 16
    control.congested(started=1.0, now=2.0, wait_s=None)
    assert control.limit == 8
    for _ in range(8):
        control.succeeded()
    assert 8.8 < control.limit < 9.1


def test_a_burst_of_refusals_is_one_cut() -> None:
    control = Controller(64)
    for _ in range(60):
        control.succeeded()
    for _ in range(30):
        control.congested(started=1.0, now=2.0, wait_s=None)
    assert control.limit == 32
    control.congested(started=2.5, now=3.0, wait_s=None)
    assert control.limit == 16


def test_the_limit_stays_between_one_and_the_most() -> None:
    control = Controller(3)
    for _ in range(50):
        control.succeeded()
    assert control.limit == 3
    for now in range(1, 20):
        control.congested(started=now - 0.5, now=now, wait_s=None)
    assert control.limit == 1
    assert control.may_start(20.0, 0)
    assert not control.may_start(20.0, 1)


def test_the_longest_rest_that_was_asked_for_holds() -> None:
    control = Controller(8)
    control.congested(started=0.0, now=1.0, wait_s=5.0)
    control.congested(started=0.0, now=2.0, wait_s=1.0)
    assert not control.may_start(5.9, 0)
    assert control.may_start(6.0, 0)


def test_waits_double_and_vary() -> None:
    chance = random.Random(0)
    waits = [[backoff_s(failures, chance) for _ in range(200)] for failures in (1, 2, 3, 50)]
    assert all(most / 2 <= min(some) <= max(some) <= most for some, most in zip(waits, (0.5, 1, 2, 30), strict=True))
    assert len(set(waits[0])) > 190


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-4"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert _retry_after(headers, 0.0) == seconds


def test_retry_after_as_a_date() -> None:
    now = float(int(time.time()))
    assert _retry_after({"retry-after": formatdate(now + 7, usegmt=True)}, now) == 7
    assert _retry_after({"retry-after": formatdate(now - 7, usegmt=True)}, now) == 0


def test_a_budget_counts_what_is_on_its_way() -> None:
    budget = Budget(Prices(1, 2), 0.01)
    assert budget.worst(1000, 2000) == pytest.approx(0.005)
    budget.reserve(0.005)
    assert budget.fits(0.005)
    assert not budget.fits(0.0051)
    budget.release(0.005)
    budget.add(1000, 1000)
    assert budget.spent == pytest.approx(0.003)
    assert budget.projection(10, 100) == pytest.approx(0.03)


# -- keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "base_url", "environment", "expected"),
    [
        ("gpt-4o-mini", None, {"OPENAI_API_KEY": "sk-openai"}, ("https://api.openai.com/v1", "sk-openai")),
        ("deepseek-chat", None, {"DEEPSEEK_API_KEY": "sk-deep"}, ("https://api.deepseek.com/v1", "sk-deep")),
        ("x", "https://api.deepseek.com/v1/", {"DEEPSEEK_API_KEY": "sk-deep"}, ("https://api.deepseek.com/v1", "sk-deep")),
        ("gpt-4o", "http://127.0.0.1:1/v1", {"OPENAI_API_KEY": "sk-openai"}, ("http://127.0.0.1:1/v1", "sk-openai")),
        ("x", "https://host/v1", {"OPENAI_API_KEY": "sk-openai"}, ("https://host/v1", "sk-openai")),
        ("x", "http://far-host/v1", {"OPENAI_API_KEY": "sk-openai"}, ("http://far-host/v1", "none")),
        ("x", "http://localhost:8000/v1", {}, ("http://localhost:8000/v1", "none")),
        ("gpt-4o", "http://localhost:8000/v1", {"DEEPSEEK_API_KEY": "sk-deep"}, ("http://localhost:8000/v1", "none")),
    ],
)
def test_which_key_goes_where(model: str, base_url: str | None, environment: dict[str, str], expected: tuple[str, str]) -> None:
    endpoint = find_endpoint(model, load_known(), base_url=base_url, environment=environment)
    assert (endpoint.base_url, endpoint.secret.reveal()) == expected


def test_a_named_variable_goes_before_all_others() -> None:
    environment = {"OPENAI_API_KEY": "sk-openai", "MINE": " sk-mine\n"}
    endpoint = find_endpoint("gpt-4o", load_known(), key_env="MINE", environment=environment)
    assert endpoint.secret.reveal() == "sk-mine"


def test_a_key_that_cannot_be_one_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        find_endpoint("gpt-4o", load_known(), environment={"OPENAI_API_KEY": "sk-secret two"})
    assert "secret" not in str(caught.value)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-1234567890")
    assert "1234" not in repr(secret) + str(secret) + f"{secret}"
    assert secret.clean("the key sk-1234567890 is wrong") == "the key [key] is wrong"
    assert Secret("EMPTY").clean("an EMPTY list") == "an EMPTY list"


# -- recordings -----------------------------------------------------------------------------------------------


def replayed(tmp_path: Path, rows: list[dict[str, Any]], recorded: list[dict[str, Any]], samples: int = 1) -> list[Any]:
    from reexec.runners.stages.infer.stage import infer

    messages, recording, output = tmp_path / "m.jsonl", tmp_path / "r.jsonl", tmp_path / "o.jsonl"
    messages.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recording.write_text("".join(json.dumps(row) + "\n" for row in recorded))
    infer(messages, output, InferSettings(model="m", samples=samples, replay=recording), overwrite=True)
    return [(row.get("id"), row["index"], row["output"]) for row in map(json.loads, output.read_text().splitlines())]


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_a_recording_is_bound_by_id_and_index_before_messages(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "messages": say("one")}, {"id": "b", "messages": say("two")}]
    recorded: list[dict[str, Any]] = [
        {"messages": say("two"), "output": "by messages"},
        {"id": "b", "index": 1, "output": "b1"},
        {"id": "a", "index": 0, "messages": say("another"), "output": "a0"},
    ]
    assert replayed(tmp_path, rows, recorded, samples=2) == [("a", 0, "a0"), ("b", 0, "by messages"), ("b", 1, "b1")]
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "o.rejects.jsonl").read_text().splitlines()]
    assert reasons == ["not-asked: no reply to this request is known"]


def test_records_without_an_index_are_samples_in_their_order(tmp_path: Path) -> None:
    recorded = [{"messages": say("p"), "output": "first"}, {"messages": say("p"), "output": "second"}]
    found = replayed(tmp_path, [{"messages": say("p")}], recorded, samples=2)
    assert [one[1:] for one in found] == [(0, "first"), (1, "second")]


def test_a_log_is_a_recording_too_and_its_digests_bind(tmp_path: Path) -> None:
    from reexec.runners.rows.run import Row
    from reexec.runners.stages.infer.prompts import read_prompt

    (asked,) = read_prompt(Row(1, b"", {"id": "elsewhere", "messages": say("p")}), InferSettings(model="m"))
    log = RequestLog(tmp_path / "x.log.jsonl", usable=good)
    log.append(asked, {"reason": "timeout", "message": "m", "attempts": 3})
    log.append(asked, reply("from the log"))
    log.close()
    recorded = [json.loads(line) for line in (tmp_path / "x.log.jsonl").read_text().splitlines()]
    found = replayed(tmp_path, [{"id": "here", "messages": say("p")}], recorded)
    assert found == [("here", 0, "from the log")]
