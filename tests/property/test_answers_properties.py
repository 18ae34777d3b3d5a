"""`extract_answer` against a slow model of its rule, round trips of values through noise, and linear time."""

import ast
import gc
import json
import math
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reexec.runners.answers import Answer, extract_answer
from reexec.runners.answers.budget import Budget
from reexec.runners.answers.extract import _by_scan, _from_the_end, _style_by_tokens, _style_of
from reexec.runners.answers.scan import last_object

# --- the slow model: the rule of scan.py, word for word, on top of Python's own parser ---


def model(text: str) -> tuple[str, str, tuple[int, int]] | None:
    """(repr of the value, style, span) of the answer to "output" in a text of one ASCII line."""
    found: tuple[ast.expr, int] | None = None
    taken = []
    at = text.find("{")
    while at >= 0:
        tree, end = complete_at(text, at)
        if tree is None:
            end = at + 1
        else:
            taken.append((at, end))
            if keyed := list(outermost_keyed(tree, text, at)):
                found = (keyed[-1], at)
        at = text.find("{", end)
    if found is None:
        return None
    node, base = found
    span = (base + node.col_offset, base + (node.end_col_offset or 0))
    if unreadable_behind(text, taken, span):
        return None
    try:
        return repr(json.loads(text[slice(*span)], strict=False)["output"]), "json", span
    except (ValueError, TypeError):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return model(node.value.strip())[0], "escaped", span  # type: ignore[index]
        style = "javascript" if any(bare_key(key) for each in ast.walk(node) for key in keys_of(each)) else "python"
        return repr(literal(node)["output"]), style, span


def unreadable_behind(text: str, taken: list[tuple[int, int]], answer: tuple[int, int]) -> bool:
    """Whether an object with the key, complete by its braces, ends behind the answer: each brace tried on its own."""
    skipped = {place for span in taken for place in range(*span)}
    for start in [match.start() for match in re.finditer("{", text) if match.start() not in skipped]:
        depth, at, keyed, around = 1, start + 1, False, False
        while depth and at < len(text):
            string = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|(?<!\w)'(?:[^'\\]|\\.)*'|\\["'\\]""").match(text, at)
            ends = [end for begin, end in taken if begin == at]
            if string:
                follows = text[string.end() :].lstrip(" ").startswith(":")
                keyed = keyed or (depth == 1 and string[0] in ('"output"', "'output'") and follows)
                at = string.end()
            elif ends:
                around = around or at <= answer[0] < ends[0]
                at = ends[0]
            else:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
        if not depth and keyed and at > answer[1] and (start >= answer[1] or around):
            return True
    return False


def complete_at(text: str, start: int) -> tuple[ast.expr | None, int]:
    """What begins at text[start], by trying every closing brace for its end."""
    end = text.find("}", start) + 1
    while end:
        try:
            tree = ast.parse(text[start:end], mode="eval").body
            literal(tree)
            refuse_other_names(tree, text[start:end])
        except (SyntaxError, ValueError, TypeError):
            end = text.find("}", end) + 1
        else:
            return tree, end
    return None, 0


WORDS: Final = {"true": True, "false": False, "null": None, "NaN": math.nan, "Infinity": math.inf}


def keys_of(node: ast.AST) -> list[ast.expr]:
    return [key for key in node.keys if key] if isinstance(node, ast.Dict) else []


def bare_key(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) and node.id not in WORDS else None


def refuse_other_names(tree: ast.expr, text: str) -> None:
    """Keys without quotes stand in no parentheses, and where the first one is such, a space, a quote or a bracket follows."""
    keys = keys_of(tree)
    if keys and bare_key(keys[0]) and not re.match(r"\{ *[a-zA-Z]\w* *:[ \"'\[({]", text):
        raise ValueError("an f-string's field")
    for key in (key for node in ast.walk(tree) for key in keys_of(node) if bare_key(key)):
        if text[: key.col_offset].rstrip()[-1] not in "{,":
            raise ValueError("a name in parentheses")


def literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.Name(id=word) if word in WORDS:
            return WORDS[word]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return -value  # type: ignore[operator]
        case ast.List(elts=items):
            return [literal(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(literal(item) for item in items)
        case ast.Set(elts=items):
            return {literal(item) for item in items}
        case ast.Dict(keys=keys, values=values):
            return {bare_key(key) or literal(key): literal(value) for key, value in zip(keys, values, strict=True) if key}
    raise ValueError("not a literal")


def outermost_keyed(node: ast.expr, text: str, base: int) -> Iterator[ast.expr]:
    """The objects with the key in `node`, in order, without those inside of one; `node` itself if it has the key."""
    if isinstance(node, ast.Dict):
        for key in node.keys:
            assert key is not None
            written = text[base + key.col_offset : base + (key.end_col_offset or 0)]
            before = text[: base + key.col_offset].rstrip()[-1]
            if written in ('"output"', "'output'", "output") and before in "{,":  # else in parentheses
                yield node
                return
    children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    whole = node.values if isinstance(node, ast.Dict) else node.elts if isinstance(node, ast.List) else []
    for child in sorted(children, key=lambda child: child.col_offset):
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and child in whole:
            inside = child.value.strip()
            found = model(inside) if inside[:1] == "{" and inside[-1:] == "}" else None
            if found and found[2] == (0, len(inside)):
                yield child
        else:
            yield from outermost_keyed(child, text, base)


# Pieces that make and break objects and strings in few steps.
PIECES: Final = [
    *"{}[]():,\"'\\ x1b",
    '{"output": ', "{'output': ", '"output"', "'output'", '"output": 1', '{"output": 1}', "{'output': '{'}",
    '{"a": ', "{'a': '", "'}", '"}', '{"a": 1}', '{"a": "', "{'a': [", "]}", "}}", ", ", ": ", '"k": "', "'k': '",
    "{output: ", "output: 1", "{x: 1", ", b: ", '\"\"\"', "'''",
    "True", "null", "NaN", "-1", "1.5", "{}", "''", '"{"', "'}'", '\\"', "\\'", "\\u0041", "Infinity",
]  # fmt: skip


def without_latex(text: str) -> str:
    # Outside of strings a backslash is LaTeX's, and Python's before a newline only.
    return re.sub(r"\\(?![\"'u])", "", text)


scraps = st.lists(st.sampled_from(PIECES), max_size=14).map("".join).map(without_latex)


@settings(max_examples=1500, deadline=None)
@given(scraps)
@example("{'a': '{\"output\": \"'}\"}")  # an earlier object ends amid the string of what looks like the last
@example("{'a': {'b': '{\"output\": \"'}}, 'c': '}\"}'}")
@example('{"output": {"output": {"output": 1}')
@example("{\"output\": {'a': '{'output': '{'}}")  # what is around the last one sees it in a string
def test_answer_is_that_of_the_slow_model(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's parser warns of unknown escapes
        expected = model(text)
    answer = extract_answer(text, "output")
    assert answer.found == (expected is not None)
    if expected:
        assert (repr(answer.value), answer.style, answer.span) == expected


@settings(max_examples=500, deadline=None)
@given(scraps, st.sampled_from(["1", "{}", '"}"', '"\'}"', '{"a": "\'"}', '[{"output": 1}]', '"{"']), scraps)
def test_short_way_agrees_with_the_scan(before: str, value: str, after: str) -> None:
    text = f'{before}{{"output": {value}}}{after}'
    answer = _from_the_end(text, "output")
    assert answer is None or repr(answer) == repr(_by_scan(text, "output", Budget(len(text))))


@settings(max_examples=500, deadline=None)
@given(scraps, st.sampled_from(["{'output': %s}", "{'a': 1, 'output': %s, }", "{'output': (1, %s), # c\n}"]), scraps)
def test_plain_python_is_known_without_its_tokens(inner: str, form: str, after: str) -> None:
    text = form % inner + after
    found = last_object(text, "output", Budget(len(text))).found
    if found is not None and text[found.start] == "{" and text[found.start - 1 : found.start] != "\\":
        plain = replace(found, has_bare_keys=False)
        assert _style_of(text, plain) == _style_by_tokens(text, found.start, found.end)


# --- any text ---


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(st.characters(exclude_categories=())), scraps), st.sampled_from(["output", "input"]))
def test_any_text_ends_in_an_answer_or_a_reason(text: str, key: Any) -> None:
    answer = extract_answer(text, key)
    assert isinstance(answer, Answer)
    assert answer.found == (answer.reason == "") == (answer.style != "none")
    start, end = answer.span
    assert 0 <= start <= end <= len(text)
    assert not answer.found or (text[start] == "{" and text[end - 1] == "}")


# --- round trips ---

any_text = st.text(st.characters(exclude_categories=()), max_size=12) | st.text("{}[]\"'\\,: aTrue\n", max_size=12)
numbers = st.integers() | st.floats() | st.integers(-(10**400), 10**400)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text | st.just("output"), inner, max_size=4),
    max_leaves=12,
)
# A single-quoted string that begins in the noise could hold the answer, so in front of it a noise has one or the other.
noise = st.lists(st.sampled_from([*PIECES, "```json\n", "```", "\n", "<think>a</think>", "{x}", "`"]), max_size=8).map("".join)
noise = noise.filter(lambda text: "output" not in text)
noise_before = noise.map(lambda text: text.replace("'", "")) | noise.map(lambda text: text.replace("{", ""))
frames = st.sampled_from(["%s", "```json\n%s\n```", "```\n%s", "so `%s`.", "\\boxed{%s}", "<answer>%s</answer>", "[%s]"])


@settings(max_examples=400, deadline=None)
@given(json_values, noise_before, noise, frames, st.sampled_from([None, 1]), st.booleans())
def test_json_is_found_exactly_amid_noise(
    value: Any, before: str, after: str, frame: str, indent: int | None, escaped: bool
) -> None:
    written = json.dumps({"output": value}, indent=indent, ensure_ascii=escaped)
    text = before + frame.replace("%s", written) + after
    answer = extract_answer(text, "output")
    assert (answer.found, answer.style) == (True, "json")
    assert text[slice(*answer.span)] == written
    # Through json, which joins escaped surrogates that happen to make a pair.
    assert repr(answer.value) == repr(json.loads(written)["output"])


@settings(max_examples=200, deadline=None)
@given(json_values, st.text('"\\\n\t\r\0a{}', max_size=8))
def test_raw_control_characters_in_json_strings_are_kept(value: Any, raw: str) -> None:
    raw = raw.replace("\\", "").replace('"', "")
    text = f'{{"n": {json.dumps(value)}, "output": "{raw}"}}'
    assert extract_answer(text, "output").value == raw


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none() | st.booleans() | any_text | st.binary(max_size=8),
    st.integers() | st.floats(allow_nan=False) | st.integers(-(10**400), 10**400),
    st.complex_numbers(allow_nan=False, allow_infinity=False),
)
hashables = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
python_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(hashables, inner, max_size=4),
        st.sets(hashables, max_size=4),
    ),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """The value with its types spelt out, so that 1, 1.0 and True differ, and sets in no order."""
    match value:
        case list() | tuple():
            return type(value), tuple(typed(item) for item in value)
        case set():
            return set, frozenset(typed(item) for item in value)
        case dict():
            return dict, tuple((typed(key), typed(item)) for key, item in value.items())
    return type(value), repr(value)


@settings(max_examples=400, deadline=None)
@given(python_values, noise_before, frames)
def test_python_literals_are_found_exactly(value: Any, before: str, frame: str) -> None:
    # Nothing but the repr may be read as the end of a string that the noise begins.
    before = before.replace("{", "").replace("\\", "")
    answer = extract_answer(before + frame.replace("%s", f"{{'output': {value!r}}}"), "output")
    assert (answer.found, answer.style) == (True, "python")
    assert typed(answer.value) == typed(value)


# --- time ---

REPEATED: Final = {
    "braces": "{",
    "closing braces": "}",
    "open objects": '{"a":',
    "open objects with the key": '{"output":',
    "open lists": '{"output": [',
    "keys": '{"output"',
    "keys without braces": '"output"',
    "objects": '{"output": 1} ',
    "objects before a failure": '{"k": [{"a": {"b": 1}}, 1, ',
    "Python objects": "{'output': 1}",
    "double quotes": '{"',
    "single quotes": "{'",
    "both quotes": "{'{\"",
    "strings without an end": '{"output": "x',
    "single-quoted strings without an end": "{'output': 'x",
    "lists in each other's strings": '{"k":["{\'k\':[\'", "',
    "one long list beside many short ones": "\"{'k':[1,'\",",
    "comments": '{"k":[ # ',
    "commented lines": "\"{'k':[1,'\", # \n",
    "backslashes": "\\",
    "escaped braces": '{"\\',
    "space": "{ ",
    "backticks": "`",
    "digits": "1",
    "signs": "1-",
    "underscores": "1_",
    "adjacent strings": '"a" ',
    "prefixes": "b'' ",
    "words": "True ",
    "typographic quotes": "{\u201c",
    "single typographic quotes": "{\u2018",
    "objects with typographic quotes": "{\u201coutput\u201d: 1, ",
    "block comments without an end": '{"a": /* ',
    "stars": '{"a": /*' + "*" * 8,
    "comments with quotes": '{"a": 1, # "\n',
    "odd blanks": '{\u00a0\u200b"a": ',
    "quoted lines": "{\n> > ",
    "names": "{a: ",
    "names without spaces": "{a:",
    "the key without quotes": "{output: ",
    "the key as a word": "output ",
    "objects with names": "{output: 1} ",
    "triple quotes": '{"""',
    "triple quotes without an end": '{\'output\': """\\',
    "triple single quotes": "{output: '''x\"",
    "LaTeX braces": '\\{"output": ',
    "LaTeX blanks": '{\\left\\,"a": ',
    "LaTeX text": '{\\text{"output": ',
    "constructors": "{'output': np.array([",
    "default dicts": "{'output': defaultdict(<class 'list'>, {",
    "options": "{'output': deque([], maxlen=",
    "thinking": "<think>",
    "ends of thinking": "</think>",
    "thoughts": "<think>{</think>",
    "other thoughts": "<think></reasoning>",
    "objects that cannot be read": '{"output": x} ',
    "objects that cannot be read and have no end": '{"output": x ',
    "apostrophes that are none": "{'output': x ' ",
    "strings of objects": '{"a": "{\\"output\\": ',
    "strings in strings": '{"a": "{\'output\': \\"{',
    "escaped quotes": '{\\"output\\": 1',
    "entities": "{&quot;output&quot;: 1",
    "ampersands": "&quot;output&quot",
    "doubled backslashes": '\\\\"output\\\\"',
}
AROUND: Final = {"bare": ("%s", ""), "in a value": ('{"output": [%s', ""), "closed": ('{"output": [%s]}', '"output"')}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", REPEATED)
def test_time_is_linear(name: str, around: str) -> None:
    def seconds(times: int) -> float:
        frame, behind = AROUND[around]
        text = frame.replace("%s", REPEATED[name] * times) + behind
        best = math.inf
        gc.disable()  # as timeit does: its full passes fall where they like
        try:
            for _ in range(3):
                begin = time.process_time()
                extract_answer(text, "output")
                best = min(best, time.process_time() - begin)
        finally:
            gc.enable()
        return best

    # Four times the text: 4 if linear, 16 if quadratic, whenever it is measured. Below a millisecond there is no telling.
    ratios: list[float] = []
    while len(ratios) < 3:
        longer = seconds(4_800)
        ratios.append(0.0 if longer < 0.001 else longer / seconds(1_200))
        if ratios[-1] < 9:
            return
    pytest.fail(f"four times the text takes {ratios} times as long")


PLAIN_MEMBERS = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab ,()'\"[}\\", max_size=3) | st.none()
)
MANY_TUPLES = st.lists(st.lists(PLAIN_MEMBERS, max_size=3).map(tuple) | PLAIN_MEMBERS, min_size=4, max_size=14)


@settings(max_examples=500, deadline=None)
@given(MANY_TUPLES, st.sampled_from([list, tuple, lambda values: [tuple(values)] * 6]))
def test_tuples_in_a_row_are_read_as_python_reads_them(values: list[Any], outside: Callable[[list[Any]], Any]) -> None:
    whole = outside(values)
    answer = extract_answer(f"So: {{'output': {whole!r}}}", "output")
    assert answer.found, answer.reason
    assert repr(answer.value) == repr(whole)


@pytest.mark.parametrize("text", ["(1), " * 8, "(1,2,,), " * 8, "(,), " * 8, "(1 2), " * 8, "(1, 2) " * 8])
def test_what_is_no_tuple_is_none_in_a_row_either(text: str) -> None:
    answer = extract_answer(f"{{'output': [0, {text}]}}", "output")
    assert (answer.found, answer.value) == ((True, [0, *[1] * 8]) if text.startswith("(1),") else (False, None))
