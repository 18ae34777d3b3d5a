"""What `extract_answer` takes for the answer in responses as models write them, and what it says if there is none."""

import math
import sys
from textwrap import dedent
from typing import Any, Literal

import pytest

from reexec.runners.answers import MAX_DEPTH, MAX_DIGITS, extract_answer

Key = Literal["output", "input"]

NO_OUTPUT = 'no JSON object with the key "output"'
NO_INPUT = 'no JSON object with the key "input"'
CUT_OFF = 'the JSON object with the key "output" is cut off'
TOO_MUCH = "too many brackets and quotes to be read"
INVALID = 'the JSON object with the key "output" is not valid JSON'

THINKING = dedent(
    """\
    <think>
    Okay, so `main_solution` walks the list and keeps {value: index} in a dict. With nums = [2, 7, 11, 15] it's easy:
    first {2: 0}, then {2: 0, 7: 1}. Maybe the answer is {"output": [1, 0]}? No, the loop returns the *smaller* index
    first. Don't forget the edge case `if not nums: return {}`.
    </think>
    """
)

# name: (key, response, value, style)
FOUND: dict[str, tuple[Key, str, Any, str]] = {
    # --- where it stands ---
    "json fence": ("output", 'So it is eight.\n\n```json\n{"output": 8}\n```\n', 8, "json"),
    "bare object": ("output", '{"output": 8}', 8, "json"),
    "end of a sentence": ("output", 'Therefore the result is {"output": "abc"}.', "abc", "json"),
    "fence without a language": ("output", '```\n{"output": [1, 2]}\n```', [1, 2], "json"),
    "fence of another language": ("output", "```python\n{'output': [1, 2]}\n```", [1, 2], "python"),
    "upper-case fence": ("output", '```JSON\n{"output": null}\n```', None, "json"),
    "tilde fence": ("output", '~~~json\n{"output": 1.5}\n~~~', 1.5, "json"),
    "fence on one line": ("output", '```json {"output": 8} ```', 8, "json"),
    "inline code": ("output", 'The answer is `{"output": 8}`.', 8, "json"),
    "unclosed fence": ("output", 'Thus:\n```json\n{"output": 8}', 8, "json"),
    "unclosed fence, trailing newline": ("output", 'Thus:\n```json\n{"output": 8}\n\n', 8, "json"),
    "several fences": (
        "output",
        '```python\ndef f(x):\n    return {"n": x}\n```\nso\n```json\n{"output": {"n": 3}}\n```',
        {"n": 3},
        "json",
    ),
    "draft and answer": ("output", 'First guess {"output": 7}. Wait.\n```json\n{"output": 8}\n```', 8, "json"),
    "answer in prose after a fence": ("output", '```json\n{"output": 7}\n```\nOn reflection: {"output": 8}', 8, "json"),
    "fence in an indented list": ("output", '1. Run.\n   ```json\n   {\n     "output": 8\n   }\n   ```\n', 8, "json"),
    "answer, then prose": ("output", '{"output": 8}\n\nI hope that helps! It ran 3 times (see above).', 8, "json"),
    "answer, then prose with braces": ("output", '{"output": 8}\n\nHere {x} is the sum, as in f"{x}".', 8, "json"),
    "answer, then code": ("output", '{"output": 8}\n```python\nd = {"a": 1}\nprint(d)\n```', 8, "json"),
    "answer, then another object": ("output", '{"output": 8}\n{"confidence": 0.9}', 8, "json"),
    "thinking first": ("output", THINKING + '```json\n{"output": [0, 1]}\n```', [0, 1], "json"),
    "quoted block": ("output", '> {"output": 8}\n', 8, "json"),
    "bold": ("output", '**Final answer:** **{"output": 8}**', 8, "json"),
    "boxed": ("output", r"$$\boxed{{\"output\": 8}}$$".replace('\\"', '"'), 8, "json"),
    "formula before": ("output", 'By $\\sum_{i=1}^{n} \\frac{1}{2^{i}}$ we get {"output": 0.875}', 0.875, "json"),
    "set notation before": ("output", 'The set {1, 2, 3} has {"a", "b"} beside it. {"output": 3}', 3, "json"),
    "unbalanced brace before": ("output", 'The loop opens with `{` and "never" ends.\n{"output": 8}', 8, "json"),
    "open string before": ("output", "I print('{') and don't care. It's\n{\"output\": 8}", 8, "json"),
    "broken object before": ("output", '{"output": 1, oops}\n{"output": 8}', 8, "json"),
    "template before": ("output", 'As {"output": <value>}: {"output": 8}', 8, "json"),
    "dots before": ("output", 'In the form {"output": ...} I answer {"output": 8}', 8, "json"),
    "brace before a quote before": ("output", "x = '{\"'.join(y)\n{\"output\": 3}", 3, "json"),
    "within what cannot be read": ("output", '{"a": "b", {"output": 8} }', 8, "json"),
    "in a list": ("output", '[{"output": 7}, {"output": 8}]', 8, "json"),
    "windows newlines": ("output", '```json\r\n{\r\n\t"output": 8\r\n}\r\n```\r\n', 8, "json"),
    "byte order mark and no-break spaces": ("output", '\ufeff\xa0{"output": 8}\xa0', 8, "json"),
    # --- which object ---
    "key not first": ("output", '{"explanation": "sum of {1, 2}", "output": 3}', 3, "json"),
    "key last of many": ("output", '{"input": {"n": 5}, "steps": [1, 2], "output": 8, "sure": true}', 8, "json"),
    "the other key beside it": ("input", '{"output": 8, "input": {"n": 5}}', {"n": 5}, "json"),
    "object in object": ("output", '{"answer": {"output": 3}}', 3, "json"),
    "object in list in object": ("output", '{"answers": [{"output": 2}, {"output": 3}]}', 3, "json"),
    "one within after one on its own": ("output", '{"output": 1}\n{"steps": [{"output": 2}]}', 2, "json"),
    "outer one of two": ("output", '{"output": {"output": 3}}', {"output": 3}, "json"),
    "outer one, key behind": ("output", '{"trace": [{"output": 1}, {"output": 2}], "output": 3}', 3, "json"),
    "outermost within": ("output", '{"answer": {"output": {"output": 3}}}', {"output": 3}, "json"),
    "object in its own string": ("output", '{"output": "{\\"output\\": 1}"}', '{"output": 1}', "json"),
    "object in a string, other quotes": ("output", "{\"output\": \"{'output': 1}\"}", "{'output': 1}", "json"),
    "object in a later string": ("output", "{\"output\": 2}\n{\"note\": \"not {'output': 1}\"}", 2, "json"),
    "cut off after a complete one": ("output", '{"output": 1}\nBetter:\n```json\n{"output": [1, 2', 1, "json"),
    "cut off in a string": ("output", '{"output": 1}\n{"output": "abc', 1, "json"),
    "complete within cut off": ("output", '{"result": {"output": 8}, "why": "beca', 8, "json"),
    "twice the key": ("output", '{"output": 1, "output": 2}', 2, "json"),
    "key as a value before": ("output", 'The keys are {"a": "output"}; {"output": 8}', 8, "json"),
    "key as a value after": ("output", '{"output": 8} has the key "output"', 8, "json"),
    # --- JSON ---
    "braces in a string": ("output", '```json\n{"output": "a } b { c }} ```"}\n```', "a } b { c }} ```", "json"),
    "escaped quotes": ("output", r'{"output": "say \"hi\" {x} \\"}', 'say "hi" {x} \\', "json"),
    "apostrophes": ("output", '{it} isn\'t\n{"output": "it\'s {John\'s}"}', "it's {John's}", "json"),
    "words in a string": ("output", '{"output": "True, None and \'nan\'"}', "True, None and 'nan'", "json"),
    "raw newline and tab in a string": ("output", '{"output": "a\nb\tc"}', "a\nb\tc", "json"),
    "unicode escapes": ("output", r'{"output": "\u00e9 \ud83d\ude00 \/"}', "é 😀 /", "json"),
    "lone surrogate": ("output", r'{"output": "\ud800"}', "\ud800", "json"),
    "plain unicode": ("output", '{"output": "naïve 😀 東京"}', "naïve 😀 東京", "json"),
    "empty string, list, object": ("output", '{"output": ["", [], {}]}', ["", [], {}], "json"),
    "numbers": ("output", '{"output": [-1, 0, 1e5, -2.5E-3]}', [-1, 0, 1e5, -2.5e-3], "json"),
    "infinities": ("output", '{"output": [Infinity, -Infinity]}', [math.inf, -math.inf], "json"),
    "dictionary as input": ("input", '{"input": {"grid": [[1], [0]], "k": 2}}', {"grid": [[1], [0]], "k": 2}, "json"),
    "integer keys as strings": ("output", '{"output": {"1": [2], "3": []}}', {"1": [2], "3": []}, "json"),
    "much space": ("output", '{  \n\n "output"  \t:\n\n 8 \n}', 8, "json"),
    # --- Python ---
    "single quotes": ("output", "```\n{'output': 'abc'}\n```", "abc", "python"),
    "True in JSON": ("output", '{"output": True}', True, "python"),
    "None in JSON": ("output", '{"output": [1, None, "None"]}', [1, None, "None"], "python"),
    "null in Python": ("output", "{'output': [null, true, None, False]}", [None, True, None, False], "python"),
    "single quotes around double ones": ("output", "{'output': 'say \"hi\" {'}", 'say "hi" {', "python"),
    "escaped apostrophe": ("output", r"{'output': 'it\'s'}", "it's", "python"),
    "apostrophe escaped in JSON": ("output", r'{"output": "it\'s"}', "it's", "python"),
    "regular expression": ("output", r"{'output': '\d+\.\d'}", r"\d+\.\d", "python"),
    "tuple": ("output", '{"output": (1, 2)}', (1, 2), "python"),
    "tuple of one, of none, and a group": ("output", "{'output': [(1,), (), (1)]}", [(1,), (), 1], "python"),
    "tuple keys": ("output", "{'output': {(0, 1): 'a', 2: 'b'}}", {(0, 1): "a", 2: "b"}, "python"),
    "sets": ("output", "{'output': [{1, 2}, set(), {}]}", [{1, 2}, set(), {}], "python"),
    "trailing commas": ("output", '{"output": [1, 2,], "n": {"a": 1,},}', [1, 2], "python"),
    "comment": ("output", '{\n  "output": 8, // the sum\n}', 8, "python"),
    "comment of Python": ("output", "{  # answer\n  'output': [1,  # first\n 2]\n}", [1, 2], "python"),
    "bases and underscores": ("output", "{'output': [0xFF, 0b101, -0o17, 1_000]}", [255, 5, -15, 1000], "python"),
    "short floats and signs": ("output", "{'output': [.5, 1., +3, -1_0.5]}", [0.5, 1.0, 3, -10.5], "python"),
    "complex": ("output", "{'output': [1j, (1+2j), -1.5-2e3j]}", [1j, 1 + 2j, -1.5 - 2e3j], "python"),
    "bytes": ("output", r"""{'output': [b'a\x00\'\d', rb"\n", B'\101']}""", [b"a\x00'\\d", b"\\n", b"A"], "python"),
    "raw string and old unicode": ("output", r"{'output': [r'\n{', u'\x41\N{BULLET}\101']}", ["\\n{", "A•A"], "python"),
    "adjacent strings": ("output", "{'output': ('ab'\n   \"cd\")}", "abcd", "python"),
    "triple quotes": ("output", '{"output": """two\nlines"""}', "two\nlines", "python"),
    "continued line": ("output", "{'output': 'ab\\\ncd'}", "abcd", "python"),
    "infinities of Python": ("output", "{'output': [inf, -inf]}", [math.inf, -math.inf], "python"),
    "Python input": ("input", "{'input': {'s': \"it's\", 'flag': False}}", {"s": "it's", "flag": False}, "python"),
}  # fmt: skip

# name: (key, response, reason)
NOT_FOUND: dict[str, tuple[Key, str, str]] = {
    "nothing": ("output", "", NO_OUTPUT),
    "prose": ("output", "I do not know. The output is 8.", NO_OUTPUT),
    "key in prose": ("output", 'The "output" is {8}.', NO_OUTPUT),
    "bare value in a fence": ("output", "```json\n8\n```", NO_OUTPUT),
    "member without braces": ("output", '```json\n"output": 8\n```', NO_OUTPUT),
    "the other key": ("input", '```json\n{"output": 8}\n```', NO_INPUT),
    "a text with gaps": ("output", 'f"{output:8}" and "{output:>8}"', NO_OUTPUT),
    "key in another case": ("output", '{"Output": 8}', NO_OUTPUT),
    "longer key": ("output", '{"outputs": 8, "my output": 9}', NO_OUTPUT),
    "key as a value only": ("output", '{"type": "output"}', NO_OUTPUT),
    "key in a set": ("output", '{"output"}', NO_OUTPUT),
    "key as bytes": ("output", "{b'output': 8}", NO_OUTPUT),
    "key spelt by an escape": ("output", r'{"\u006futput": 8}', NO_OUTPUT),
    "key in a string only": ("output", "{\"note\": \"as in {'output': 8}\"}", NO_OUTPUT),
    "thinking only": ("output", THINKING, NO_OUTPUT),
    "not a value after a complete one": ("output", '{"output": 1}\n{"output": undefined}', INVALID),
    "cut off in a list": ("output", '```json\n{"output": [1, 2, 3', CUT_OFF),
    "cut off in a string": ("output", '{"output": "abc', CUT_OFF),
    "cut off after the colon": ("output", '{"output": ', CUT_OFF),
    "cut off, but fenced": ("output", '```json\n{"output": [1, 2\n```', INVALID),
    "undefined": ("output", '{"output": undefined}', INVALID),
    "expression": ("output", '{"output": 2 ** 10}', INVALID),
    "call": ("output", '{"output": __import__("os").getpid()}', INVALID),
    "formatted string": ("output", "{'output': f'{x}'}", INVALID),
    "placeholder": ("output", '{"output": <your answer>}', INVALID),
    "dots": ("output", '{"output": ...}', INVALID),
    "no value": ("output", '{"output": }', INVALID),
    "missing comma": ("output", '{"output": 8 "n": 1}', INVALID),
    "wrong bracket": ("output", '{"output": [1, 2)}', INVALID),
    "two commas": ("output", '{"output": [1,, 2]}', INVALID),
    "leading zeros": ("output", '{"output": 007}', INVALID),
    "list as a key": ("output", "{'output': {[1]: 2}}", INVALID),
    "set of dictionaries": ("output", "{'output': {{'a': 1}}}", INVALID),
    "set and dictionary": ("output", "{'output': {1, 2: 3}}", INVALID),
    "key without a value": ("output", "{'output': {'a': 1, 'b'}}", INVALID),
    "unfinished escape": ("output", r"{'output': '\x4'}", INVALID),
    "unknown character name": ("output", r"{'output': '\N{no such}'}", INVALID),
    "character out of range": ("output", r"{'output': '\U00110000'}", INVALID),
    "text beside bytes": ("output", "{'output': 'a' b'b'}", INVALID),
    "bytes beside text": ("output", "{'output': b'b' 'a'}", INVALID),
    "bytes beyond ASCII": ("output", "{'output': b'é'}", INVALID),
    "unknown prefix": ("output", "{'output': bu'a'}", INVALID),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_answer_is_found(name: str) -> None:
    key, response, value, style = FOUND[name]
    answer = extract_answer(response, key)
    assert (answer.found, answer.reason) == (True, "")
    # repr, because it tells 1 from True and from 1.0
    assert repr(answer.value) == repr(value)
    assert answer.style == style
    start, end = answer.span
    assert response[start] + response[end - 1] == "{}"
    # The span alone holds the same answer.
    assert repr(extract_answer(response[start:end], key).value) == repr(value)


@pytest.mark.parametrize("name", NOT_FOUND)
def test_no_answer_comes_with_a_reason(name: str) -> None:
    key, response, reason = NOT_FOUND[name]
    answer = extract_answer(response, key)
    assert (answer.found, answer.value, answer.style, answer.span) == (False, None, "none", (0, 0))
    assert answer.reason == reason


@pytest.mark.parametrize("text", ['{"output": NaN}', "{'output': nan}"])
def test_nan_is_a_value(text: str) -> None:
    answer = extract_answer(text, "output")
    assert answer.found
    assert math.isnan(answer.value)


def test_span_is_the_object_that_was_taken() -> None:
    text = 'so {x} gives {"answer": {"output": 3}} at last'
    start, end = extract_answer(text, "output").span
    assert text[start:end] == '{"output": 3}'


# --- limits ---


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("before", ["", "earlier {x} 'y' {\"a\": 1} "])
def test_integers_are_exact_up_to_the_limit(sign: str, before: str) -> None:
    digits = "7" * MAX_DIGITS
    answer = extract_answer(f'{before}{{"output": {sign}{digits}}}', "output")
    assert answer.found
    assert str(answer.value) == sign + digits


@pytest.mark.parametrize("setting", [0, 640])
@pytest.mark.parametrize("text", ['{"output": %s}', "{'output': [%s, True]}", '{"output": %s} and {x}'])
def test_integers_do_not_depend_on_the_interpreters_digit_limit(setting: int, text: str) -> None:
    digits = "123456789" * 400
    expected = int(digits)
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(setting)
    try:
        value = extract_answer(text % digits, "output").value
    finally:
        sys.set_int_max_str_digits(before)
    assert (value[0] if isinstance(value, list) else value) == expected


@pytest.mark.parametrize(
    "number",
    [
        "1" * (MAX_DIGITS + 1),
        "-" + "1" * (MAX_DIGITS + 1),
        "1_" * MAX_DIGITS + "1",
        "0x" + "f" * (MAX_DIGITS - 2),
        "0x" + "f" * 10_000,
        "0." + "3" * 10_000,
        "1" * 1_000_000,
    ],
    ids=["one more", "negative", "underscores", "hexadecimal", "long hexadecimal", "fraction", "million"],
)
@pytest.mark.parametrize("text", ['{"output": %s}', "{'output': [{'a': %s}]}", '{"n": %s, "output": 3}'])
def test_too_many_digits_are_no_answer(number: str, text: str) -> None:
    response = text % number
    answer = extract_answer(response, "output")
    assert (answer.found, answer.reason) == (False, "too many digits")
    assert answer.span == (0, len(response))


@pytest.mark.parametrize("text", ['{"output": %s}', "{'output': %s}", '{"output": %s} {x}'])
@pytest.mark.parametrize(("opening", "closing"), ["[]", "()"])
def test_depth_is_taken_up_to_the_limit_and_refused_beyond(text: str, opening: str, closing: str) -> None:
    def answer_at(depth: int) -> Any:
        return extract_answer(text % (opening * depth + closing * depth), "output")

    assert answer_at(MAX_DEPTH).found
    for depth in (MAX_DEPTH + 1, 300, 700):
        assert (answer_at(depth).found, answer_at(depth).reason) == (False, "nested too deeply")
    for depth in (5_000, 100_000):
        assert (answer_at(depth).found, answer_at(depth).reason) == (False, TOO_MUCH)


def test_deep_objects_are_no_answer() -> None:
    for depth in (MAX_DEPTH + 2, 250):  # the outermost is not part of the value
        closed = '{"output":' * depth + "1" + "}" * depth
        assert extract_answer(closed, "output").reason == "nested too deeply"
        assert extract_answer('{"output":' * (depth - 100), "output").reason == CUT_OFF
        other_key = '{"output":' + '{"a":' * depth + "1" + "}" * depth + "}"
        assert extract_answer(other_key, "output").reason == "nested too deeply"
    deepest = MAX_DEPTH + 1
    assert extract_answer('{"output":' * deepest + "1" + "}" * deepest, "output").found


def test_deep_tuple_as_a_key_is_no_answer() -> None:
    # hash() of a deep tuple recurses in C without a guard
    for depth, reason in ((400, "nested too deeply"), (5_000, TOO_MUCH)):
        key = "(" * depth + "1," + "),".join([""] * depth) + ")"
        assert extract_answer("{'output': {" + key + ": 1}}", "output").reason == reason


def test_keys_made_to_collide_are_no_answer() -> None:
    modulus = sys.hash_info.modulus
    text = "{'output': {" + ", ".join(str(factor * modulus) for factor in range(100)) + "}}"
    assert extract_answer(text, "output").reason == "too many colliding keys"
    many = "{'output': {" + ", ".join(map(str, range(5_000))) + "}}"
    assert extract_answer(many, "output").value == set(range(5_000))


def test_a_refused_object_is_not_replaced_by_an_earlier_one() -> None:
    long = "1" * (MAX_DIGITS + 1)
    assert extract_answer(f'{{"output": 8}}\n{{"output": {long}}}', "output").reason == "too many digits"
    assert extract_answer(f'{{"output": {long}}}\n{{"output": 8}}', "output").value == 8


def test_limits_hold_for_the_answer_not_for_what_is_around_it() -> None:
    long = "1" * (MAX_DIGITS + 1)
    assert extract_answer(f'{{"n": {long}, "answer": {{"output": 8}}}}', "output").value == 8
    around = '{"a":' * 300 + '{"output": 8}' + "}" * 300
    assert extract_answer(around, "output").value == 8


def test_a_long_answer_is_read_whole() -> None:
    items = list(range(-50_000, 50_000))
    assert extract_answer(f'So:\n```json\n{{"output": {items}}}\n```', "output").value == items
    assert extract_answer(f"{{'output': {items[:5_000]}}}", "output").value == items[:5_000]


LARGE: dict[str, tuple[str, str, Any]] = {
    "numbers in Python's list": ("{'output': [%s]}", "1, ", [1]),
    "numbers in a tuple": ("{'output': (%s)}", "2.5,\n", (2.5,)),
    "texts in LaTeX braces": ("\\{'output': [%s]\\}", "'a', ", ["a"]),
    "both quotes": ("{'output': (%s)}", "\"a\", 'b', ", ("a", "b")),
    "tuples in a list": ("{'output': [%s]}", "(1, 'a'), (2,), ", [(1, "a"), (2,)]),
    "lists in Python's list": ("{'output': [%s]}", "['a', True], ", None),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_json_spells_alike_is_read_at_any_length(name: str) -> None:
    frame, piece, value = LARGE[name]
    answer = extract_answer(frame % (piece * 20_000), "output")
    if value is None:  # a comma at the end is none of JSON's
        answer = extract_answer((frame % (piece * 20_000)).replace(", ]}", "]}"), "output")
        value = [["a", True]]
    assert (answer.found, answer.value) == (True, value * 20_000)


@pytest.mark.parametrize("piece", ["((1,), 2), ", "1j, ", "{1}, ", "np.float64(1), ", "'\\n', "])
def test_a_far_larger_answer_than_a_recorded_value_is_none_where_json_lacks_its_parts(piece: str) -> None:
    assert extract_answer("{'output': [" + piece * 100 + "]}", "output").found
    answer = extract_answer("{'output': [" + piece * 20_000 + "]}", "output")
    assert (answer.found, answer.reason) == (False, TOO_MUCH)


def test_many_objects_without_the_key_cost_nothing() -> None:
    """A model that writes down its state at every step, in Python's spelling."""
    state = "i = 3: {1: 'a', 'it': (2, [3, {4: \"it's\"}])}, \\frac{1}{2}, \\{1, 2\\}, {'k': 'a\\n'}\n"
    assert extract_answer(state * 2_000 + "{'output': (1, 2)}", "output").value == (1, 2)


def test_an_answer_cannot_be_changed() -> None:
    answer = extract_answer('{"output": 8}', "output")
    with pytest.raises(AttributeError):
        answer.found = False  # type: ignore[misc]
    assert not hasattr(answer, "__dict__")
