"""What servers say in the body of a response, in the many ways they have of saying it."""

import json
from typing import Any

import pytest

from reexec.runners.stages.infer.body import (
    Completion,
    MalformedError,
    NoChoicesError,
    ServerError,
    finish_word,
    read_body,
    read_error,
)


def body(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}).encode()


def completion(message: Any, finish: Any = "stop", **more: Any) -> Completion:
    found = read_body(body(message, finish, **more))
    assert isinstance(found, Completion)
    return found


def error(data: Any) -> ServerError:
    found = read_body(json.dumps(data).encode())
    assert isinstance(found, ServerError)
    return found


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("plain", "plain", ""),
        (None, "", ""),
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two", ""),
        (["one ", "two"], "one two", ""),
        ([{"type": "output_text", "text": "x", "annotations": []}], "x", ""),
        ({"type": "text", "text": "x"}, "x", ""),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "x"}], "x", "hm"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]}], "", "hm"),
        (
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "text", "text": "x"}],
            "x",
            "hm",
        ),
        ([{"type": "redacted_thinking", "data": "EmwKAhgB"}, {"type": "text", "text": "x"}], "x", ""),
        ([{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "x"}], "x", ""),
        ([None, 3, {"type": "text", "text": "x"}], "x", ""),
    ],
)
def test_parts_of_a_content_are_joined_and_thinking_is_kept_apart(content: Any, text: str, reasoning: str) -> None:
    found = completion({"role": "assistant", "content": content})
    assert (found.text, found.reasoning) == (text, reasoning)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking", "reasoning_details"])
@pytest.mark.parametrize("value", ["hm", ["h", "m"], [{"type": "reasoning.text", "text": "hm"}], {"content": "hm"}])
def test_thinking_beside_the_content_is_found_in_every_member_that_servers_use(name: str, value: Any) -> None:
    found = completion({"content": "x", name: value})
    assert (found.text, found.reasoning) == ("x", "hm")


def test_parts_nested_without_end_are_no_text_and_no_crash() -> None:
    nested: Any = "deep"
    for _ in range(50):
        nested = [{"type": "thinking", "thinking": nested}]
    assert completion({"content": nested}).reasoning == ""


@pytest.mark.parametrize(
    ("said", "means"),
    [
        *((word, "stop") for word in ("stop", "STOP", "eos_token", "EOS", "end_turn", "stop_sequence", "", None, "COMPLETE")),
        *((word, "stop") for word in ("<|im_end|>", "</s>", "EndTurn", "end-turn", "eos_found", "STOP_STR", "normal")),
        *((word, "length") for word in ("length", "max_tokens", "MAX_TOKENS", "MaxTokens", "model_length")),
        *((word, "content_filter") for word in ("content_filter", "SAFETY", "RECITATION")),
        ("tool_calls", "tool_calls"),
        ("abort", "abort"),
        ("insufficient_system_resource", "insufficient_system_resource"),
        (7, "stop"),
    ],
)
def test_words_for_the_end_of_a_reply_are_known_in_every_spelling(said: Any, means: str) -> None:
    assert finish_word(said) == means
    assert completion({"content": "x"}, said).finish_reason == means


@pytest.mark.parametrize(
    ("data", "said", "code", "kind"),
    [
        ({"error": {"message": "no worker", "code": 502}}, "no worker", 502, ""),
        ({"error": {"message": "slow down", "code": "429"}}, "slow down", 429, ""),
        ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, "slow down", 429, "rate_limit_exceeded"),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, "slow down", 429, "rate_limit_error"),
        ({"error": {"message": "x", "status": "RESOURCE_EXHAUSTED", "code": 429}}, "x", 429, "RESOURCE_EXHAUSTED"),
        ([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], "bad", 400, "INVALID_ARGUMENT"),
        ({"object": "error", "message": "long", "type": "BadRequestError", "code": 400}, "long", 400, "BadRequestError"),
        ({"error": "overloaded"}, "overloaded", 529, ""),
        ({"error": "something of its own"}, "something of its own", None, ""),
        ({"error": {"message": "up", "code": 503, "metadata": {"raw": "the one behind"}}}, "up (the one behind)", 503, ""),
        ({"detail": "Model is loading"}, "Model is loading", None, ""),
        ({"message": "Too many requests", "code": 429}, "Too many requests", 429, ""),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two", None, ""),
        ({"error": {"unheard": "of"}}, '{"unheard": "of"}', None, ""),
        ({"error": {"message": "down"}, "status": 500}, "down", 500, ""),
        ({"error": {"message": "slow down", "type": "RateLimitError"}}, "slow down", 429, "RateLimitError"),
        ({"error": {"message": "slow down", "code": "too many requests"}}, "slow down", 429, "too many requests"),
        ({"code": "Throttling.RateQuota", "message": "slow down"}, "slow down", 429, "Throttling.RateQuota"),
        ({"choices": [{"error": {"code": 502, "message": "died"}, "message": {"content": "par"}}]}, "died", 502, ""),
        ({"choices": [], "error": {"message": "none", "code": 500}}, "none", 500, ""),
        ({"choices": [{"message": {"content": "it broke"}, "finish_reason": "error"}]}, "it broke", None, ""),
    ],
)  # fmt: skip
def test_an_error_inside_a_response_is_read_with_its_own_words_and_code(
    data: Any, said: str, code: int | None, kind: str
) -> None:
    assert error(data) == ServerError(said, kind, code)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"error": {"message": "too long"}}', "too long"),
        (b'{"detail": [{"loc": ["body", "messages", 0], "msg": "none is not allowed", "type": "t"}]}',
         "body.messages.0: none is not allowed"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": {"error": {"message": "deep"}}}', "deep"),
        (b'{"error": "a text"}', "a text"),
        (b'{"message": "at the top"}', "at the top"),
        (b'{"errors": [{"detail": "a"}, {"detail": "b"}]}', "a; b"),
        (b'{"fault": {"faultstring": 3}}', '{"fault": {"faultstring": 3}}'),
        (b"<html><head><title>502</title></head><body><h1>Bad &amp; ugly</h1></body></html>", "502 Bad & ugly"),
        (b"upstream connect error", "upstream connect error"),
        (b"\xff\xfe not text", "\ufffd\ufffd not text"),
        (b"", ""),
        (b"[" * 5000, "[" * 5000),
    ],
)  # fmt: skip
def test_the_servers_own_words_are_found_in_every_form_of_body(raw: bytes, said: str) -> None:
    assert read_error(raw, 500) == ServerError(said, read_error(raw, 500).kind, 500)


def test_a_refusal_is_no_text() -> None:
    assert completion({"content": None, "refusal": "I cannot help with that."}).refusal == "I cannot help with that."
    parts = [{"type": "refusal", "refusal": "No."}]
    assert (completion({"content": parts}).refusal, completion({"content": parts}).text) == ("No.", "")
    assert completion({"content": "x", "refusal": None}).refusal == ""


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"3", b"null", b'"x"', b"[]", b'{"choices": [3]}', b'{"choices": [{}]}', b"[" * 9999]
)
def test_what_is_neither_a_completion_nor_an_error_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        read_body(raw)


@pytest.mark.parametrize(
    ("said", "means", "served"),
    [
        ({"type": "length", "length": 16}, "length", "length"),
        ({"type": "stop", "matched": 128009}, "stop", "stop"),
        ({"type": "abort", "message": "x"}, "abort", "abort"),
        ({}, "stop", ""),
    ],
)
def test_an_end_that_is_said_in_an_object_is_known(said: Any, means: str, served: str) -> None:
    found = completion({"content": "x"}, said)
    assert (found.finish_reason, found.served_finish_reason) == (means, served)


@pytest.mark.parametrize("usage", ["12", [1], 7, True, {"prompt_tokens": "3", "completion_tokens": -1}])
def test_a_usage_in_an_unknown_form_loses_no_reply(usage: Any) -> None:
    found = completion({"content": "x"}, usage=usage)
    assert (found.text, found.prompt_tokens, found.completion_tokens) == ("x", None, None)


@pytest.mark.parametrize("none", [None, "", {}, [], False, {"code": None, "message": ""}, {"code": 0, "message": None}])
def test_an_error_that_says_nothing_is_none(none: Any) -> None:
    assert completion({"content": "x"}, error=none).text == "x"


def test_control_characters_in_a_text_lose_no_reply() -> None:
    found = read_body(b'{"choices": [{"message": {"content": "a\nb\x00c\td"}, "finish_reason": "stop"}]}')
    assert isinstance(found, Completion)
    assert found.text == "a\nb\x00c\td"


def test_what_a_body_without_choices_says_is_quoted() -> None:
    said = {"base_resp": {"status_code": 1002, "status_msg": "slow down"}}
    with pytest.raises(NoChoicesError) as error:
        read_body(json.dumps({"id": "a", "model": "m", "choices": None, **said}).encode())
    assert json.loads(str(error.value)) == said


def test_a_completion_without_choices_is_told_as_such() -> None:
    for raw in (b'{"choices": []}', b'{"choices": null}'):
        with pytest.raises(NoChoicesError):
            read_body(raw)
