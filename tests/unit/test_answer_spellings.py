# ruff: noqa: RUF001 - these characters are what is tested
"""Answers that are no plain JSON: what is read because its meaning is beyond doubt, and how its style is called."""

import math
from typing import Any

import pytest

from reexec.runners.answers import extract_answer

NO_OUTPUT = 'no JSON object with the key "output"'
INVALID = 'the JSON object with the key "output" is not valid JSON'
NO_END = "the thinking has no end"

# name: (response, value, style)
READ: dict[str, tuple[str, Any, str]] = {
    # --- LaTeX ---
    "boxed": (r'So $$\boxed{\{"output": 5\}}$$', 5, "latex"),
    "boxed, nested": (r'$\boxed{\{"output": \{"a": [1, 2], "b": "x"\}\}}$', {"a": [1, 2], "b": "x"}, "latex"),
    "left and right": (r'\[\boxed{\left\{"output": [1,2]\right\}}\]', [1, 2], "latex"),
    "big braces": (r'$\Bigl\{ "output" : 5 \Bigr\}$', 5, "latex"),
    "text around it": (r'\boxed{\text{\{"output": "a b"\}}}', "a b", "latex"),
    "text inside": (r'$\{\text{"output"}:\ \texttt{"abc"},\; "n": 1\}$', "abc", "latex"),
    "escaped underscores": (r'\{"output": \{"first\_name": "50\%"\}\}', {"first_name": "50%"}, "latex"),
    "escaped brackets": (r'{"output": \[1, 2\]}', [1, 2], "latex"),
    "quad": (r'$\{ "output":\quad 5 \,\}$', 5, "latex"),
    "Python in LaTeX": (r"$\boxed{\{'output': True\}}$", True, "latex"),
    "a key without quotes in LaTeX": (r"\boxed{\{output: 5\}}", 5, "latex"),
    # --- typographic ---
    "a key without quotes": ("{output: “hello”}", "hello", "typographic"),
    "curly quotes": ("{“output”: {“name”: “Ann”, “n”: 3}}", {"name": "Ann", "n": 3}, "typographic"),
    "curly value": ('{"output": “hello”}', "hello", "typographic"),
    "curly single quotes": ("{‘output’: ‘a’}", "a", "typographic"),
    "apostrophe in curly quotes": ("{“output”: “It’s”}", "It’s", "typographic"),
    "low quotes": ("{„output“: „a“}", "a", "typographic"),
    "guillemets": ("{«output»: «a»}", "a", "typographic"),
    "quotes both closing": ("{”output”: ”a”}", "a", "typographic"),
    "escape in curly quotes": ("{“output”: “a\\nb”}", "a\nb", "typographic"),
    "wide punctuation": ('{"output"：[1，2]}', [1, 2], "typographic"),
    "wide brackets": ('｛"output"：［1，（2，3）］｝', [1, (2, 3)], "typographic"),
    "wide quotes": ("{＂output＂: 1}", 1, "typographic"),
    "no-break spaces": ('{"output":\u00a0[1,\u00a02] \u00a0}', [1, 2], "typographic"),
    "zero-width blanks": ('{\u200b"output"\ufeff: 5\u2060}', 5, "typographic"),
    "thin and ideographic spaces": ('{"output":\u2009[1,\u30002]}', [1, 2], "typographic"),
    "minus": ('{"output": \u22125}', -5, "typographic"),
    "minus in a float": ('{"output": [\u22122.5, 1e\u22123]}', [-2.5, 0.001], "typographic"),
    "quoted block": ('> {\n>   "output": [1,\n>     2]\n> }', [1, 2], "typographic"),
    "quoted twice": ('> > {\n> > "output": 5\n> > }', 5, "typographic"),
    "odd characters in strings stay": ('{"output": "a\u00a0“b”：\u200b"}', "a\u00a0“b”：\u200b", "json"),
    # --- comments and words ---
    "block comment": ('{\n  "output": 5 /* after the last round */\n}', 5, "python"),
    "block comments": ('{/* a */"output"/**/: [1, /* it\'s ** 2 */ 2]}', [1, 2], "python"),
    "comment with an apostrophe": ('{"output": 5 // it\'s "the" sum\n}', 5, "python"),
    "upper-case words": ('{"output": [NULL, TRUE, FALSE]}', [None, True, False], "python"),
    # --- constructors ---
    "np.float64": ("{'output': np.float64(3.5)}", 3.5, "python"),
    "numpy integers": ("{'output': [np.int64(-3), numpy.uint8(7), -np.int32(2)]}", [-3, 7, -2], "python"),
    "numpy words": ("{'output': [np.True_, np.bool_(False), np.str_('a')]}", [True, False, "a"], "python"),
    "numpy key": ("{'output': {np.int64(1): 2}}", {1: 2}, "python"),
    "array": ("{'output': array([1, 2])}", [1, 2], "python"),
    "array with a type": ("{'output': np.array([[1.5], [2.]], dtype=np.float32)}", [[1.5], [2.0]], "python"),
    "array of the library": ("{'output': array.array('i', [1, 2])}", [1, 2], "python"),
    "infinity": ("{'output': [float('inf'), 1, -float(\"Infinity\")]}", [math.inf, 1, -math.inf], "python"),
    "negative infinity": ("{'output': float('-inf')}", -math.inf, "python"),
    "named infinities": ("{'output': [math.inf, -np.inf]}", [math.inf, -math.inf], "python"),
    "Counter": ("{'output': Counter({'a': 2, 'b': 1})}", {"a": 2, "b": 1}, "python"),
    "OrderedDict of pairs": ("{'output': OrderedDict([('a', 1), ('b', 2)])}", {"a": 1, "b": 2}, "python"),
    "OrderedDict of a dict": ("{'output': collections.OrderedDict({'a': 1})}", {"a": 1}, "python"),
    "empty constructors": ("{'output': [OrderedDict(), Counter(), deque(), dict(), list()]}", [{}, {}, [], {}, []], "python"),
    "defaultdict": ("{'output': defaultdict(<class 'list'>, {'a': [1]})}", {"a": [1]}, "python"),
    "defaultdict of code": ("{'output': defaultdict(int, {'a': 1})}", {"a": 1}, "python"),
    "defaultdict of a function": ("{'output': defaultdict(<function f.<locals>.<lambda> at 0x7f>, {1: 2})}", {1: 2}, "python"),
    "empty defaultdict": ("{'output': defaultdict(<class 'int'>, {})}", {}, "python"),
    "deque": ("{'output': deque([1, 2])}", [1, 2], "python"),
    "deque of fixed length": ("{'output': deque([1, 2], maxlen=3)}", [1, 2], "python"),
    "set and frozenset": ("{'output': [set([1]), frozenset({2}), frozenset()]}", [{1}, frozenset({2}), frozenset()], "python"),
    "tuple and list": ("{'output': [tuple([1, 2]), list((1, 2))]}", [(1, 2), [1, 2]], "python"),
    "constructor around the object's value": ("{'output': dict([('a', np.float64(1.0))])}", {"a": 1.0}, "python"),
    # --- keys without quotes ---
    "key without quotes": ("so {output: 5}", 5, "javascript"),
    "JavaScript": ("```js\nreturn {\n  // it\n  output: [{a: 1, $b: null}],\n};\n```", [{"a": 1, "$b": None}], "javascript"),
    "keys without quotes inside": ('{"output": {n:21, größe:{}}}', {"n": 21, "größe": {}}, "javascript"),
    "key without quotes after another": ('{"steps": 3, output:5}', 5, "javascript"),
    "a key in quotes after another": ('{steps: 3, "output": 5}', 5, "javascript"),
    "key without quotes in LaTeX": (r"$\boxed{\{output: 5\}}$", 5, "latex"),
    "after a draft in JSON": ('{"output": 3}, no: {output: 5}', 5, "javascript"),
    "a draft without quotes": ('{output: 3}, no: {"output": 5}', 5, "json"),
    "a form after the answer": ('{"output": 5}, in the form {output: value}', 5, "json"),
    "a text with gaps after the answer": ('{"output": 5}: f"{output:6}"', 5, "json"),
    # --- strings ---
    "quotes between three": ('{"output": """a" "b"""}', 'a" "b', "python"),
    "three single quotes": ("{'output': r\'\'\'a'b\\n\'\'\' \"c\"}", "a'b\\nc", "python"),
    "empty ones side by side": ("{'output': '' \"\" ''}", "", "python"),
    # --- written in a string, or with entities ---
    "tool call": (
        '<tool_call>{"name": "answer", "arguments": "{\\"output\\": 5}"}</tool_call>', 5, "escaped",
    ),
    "string of Python": ('{"arguments": "{\'output\': [1, None]}"}', [1, None], "escaped"),
    "string in a list": ('["a", "{\\"output\\": 5}"] and {"calls": ["{\\"output\\": 6}"]}', 6, "escaped"),
    "escaped as a whole": ('"{\\"output\\": \\"a\\\\nb\\"}"', "a\nb", "escaped"),
    "escaped in prose": ('The answer is {\\"output\\": [1, 2]}.', [1, 2], "escaped"),
    "escaped newlines": ('{\\n  \\"output\\": 5\\n}', 5, "escaped"),
    "escaped twice": ('"{\\\\\\"output\\\\\\": 5}"', 5, "escaped"),
    "entities": ("{&quot;output&quot;: 5}", 5, "escaped"),
    "numbered entities": ("{&#34;output&#34;: &#34;a &lt; b&#34;}", "a < b", "escaped"),
    "entities once only": ("{&quot;output&quot;: &quot;&amp;lt;&quot;}", "&lt;", "escaped"),
    "entities after a draft": ('{"output": 4} no: {&quot;output&quot;: 5}', 5, "escaped"),
    "escaped after a draft": ('{"output": 4} no: {\\"output\\": 5}', 5, "escaped"),
    "tool call after a draft": ('{"output": 4}\n{"arguments": "{\\"output\\": 5}"}', 5, "escaped"),
    "plain after entities": ('{&quot;output&quot;: 4} no: {"output": 5}', 5, "json"),
    # --- which one counts ---
    "nested after a draft": ('{"output": 4}\n```json\n{"answer": {"output": 5}}\n```', 5, "json"),
    "LaTeX after a draft": ('{"output": 4} so $\\boxed{\\{"output": 5\\}}$', 5, "latex"),
    "cut off after a complete one": ('{"output": 4}\n{"output": [5, ', 4, "json"),
    "unreadable, then readable": ('{"output": f(x)} is {"output": 5}', 5, "json"),
    "unreadable without the key": ('{"output": 5} as {"x": f(x)}', 5, "json"),
    "code after the answer": ('{"output": 5}\n```python\nreturn {"result": total}\n```', 5, "json"),
    "a mark in a string": ('{"output": "<think>"}', "<think>", "json"),
    "marks in a string": ('{"output": "<think>a</think>", "n": {}}', "<think>a</think>", "json"),
    "a mark that is spoken of": ('I close `<think>` first. {"output": 5}', 5, "json"),
    # --- thinking ---
    "after thinking": ('<think>{"output": 4}</think>{"output": 5}', 5, "json"),
    "before thinking": ('{"output": 5}\n<thinking>or {"output": 6}?</thinking>', 5, "json"),
    "thinking that began in the prompt": ('first {"output": 4}\n</think>\n{"output": 5}', 5, "json"),
    "thinking twice": ('<think>a</think>b {"output": 4} <think>{"output": 6}</think> {"output": 5}', 5, "json"),
    "thinking in thinking": ('<think>a<think>b</think>{"output": 4}</think>{"output": 5}', 5, "json"),
    "open object in thinking": ('<think>{"a": "</think>{"output": 5}', 5, "json"),
    "upper case": ('<THINK>{"output": 4}</THINK>{"output": 5}', 5, "json"),
    "square marks": ('[THINK]{"output": 4}[/THINK]{"output": 5}', 5, "json"),
    "triangles": ('◁think▷{"output": 4}◁/think▷{"output": 5}', 5, "json"),
    "thought marks": ('<|begin_of_thought|>{"output": 4}<|end_of_thought|>{"output": 5}', 5, "json"),
    "channels": (
        '<|channel|>analysis<|message|>{"output": 4}<|end|><|start|>assistant<|channel|>final<|message|>{"output": 5}',
        5,
        "json",
    ),
}  # fmt: skip

# name: (response, reason)
NOT_READ: dict[str, tuple[str, str]] = {
    "thinking only": ('<think>{"output": 4}</think>', NO_OUTPUT),
    "three quotes without an end": ('{"output": """a"}', INVALID),
    "no value of JavaScript's": ("{output: undefined}", INVALID),
    "thinking only, begun in the prompt": ('{"output": 4}</think>', NO_OUTPUT),
    "thinking without an end": ('<think>so {"output": 4}', NO_END),
    "thinking in capitals without an end": ('<Think>so {"output": 4}', NO_END),
    "thinking between triangles without an end": ('◁think▷so {"output": 4}', NO_END),
    "escaped, in thinking without an end": ('<think>so "{\\"output\\": 4}"', NO_END),
    "entities, in thinking without an end": ("<think>so {&quot;output&quot;: 4}", NO_END),
    "answer, then thinking without an end": ('{"output": 4}\n<think>but', NO_END),
    "reasoning": ('<reasoning>{"output": 4}</reasoning> I am done.', NO_OUTPUT),
    "escaped thinking": ('<think>{\\"output\\": 4}</think>', NO_OUTPUT),
    "unreadable after a draft": ('{"output": 4}. Final: {"output": sum([1, 2, 3])}', INVALID),
    "dots after a draft": ('{"output": 4}, in the form {"output": ...}', INVALID),
    "unreadable before the key": ('{"output": 4}\n{"steps": f(x), "output": 5}', INVALID),
    "unreadable around it": ('{"output": [f(x), {"output": 4}]}', INVALID),
    "unreadable in what is not": ('{"output": 4} {"answer": {"output": x + 1}}', INVALID),
    "counting": ("{'output': Counter('abca')}", INVALID),
    "another call": ("{'output': np.sum([1, 2])}", INVALID),
    "a decimal": ("{'output': Decimal('1.5')}", INVALID),
    "two arguments": ("{'output': np.float64(1, 2)}", INVALID),
    "text for a number": ("{'output': float('ten')}", INVALID),
    "pairs that are none": ("{'output': OrderedDict([1, 2])}", INVALID),
    "key in a string with more": ('{"note": "as in {\\"output\\": 8}"}', NO_OUTPUT),
    "curly apostrophe in single curly quotes": ("{“output”: ‘It’s’}", INVALID),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_beyond_doubt_is_read_and_its_style_told(name: str) -> None:
    text, value, style = READ[name]
    answer = extract_answer(text, "output")
    assert (answer.found, answer.reason) == (True, "")
    assert repr(answer.value) == repr(value)
    assert answer.style == style
    start, end = answer.span
    assert 0 <= start < end <= len(text)
    assert "output" in text[start:end]


@pytest.mark.parametrize("name", NOT_READ)
def test_doubt_is_no_answer(name: str) -> None:
    text, reason = NOT_READ[name]
    answer = extract_answer(text, "output")
    assert (answer.found, answer.value, answer.style, answer.reason) == (False, None, "none", reason)


@pytest.mark.parametrize(
    ("before", "written", "behind"),
    [
        ('"So: ', '{\\"output\\": 3}', '\\n"'),
        ('"', '{\\"output\\": \\"a\\"}', '\\n\\"x\\""'),
        ("So &gt; ", "{&quot;output&quot;: 3}", "&nbsp;&quot;"),
        ("So &gt; ", "&#123;&quot;output&quot;: 3&#125;", ""),
        ("&lt;b&gt;", "&#123;&quot;output&quot;: [3]&#x7d;", "&lt;/b&gt;."),
        ('<think>a</think>"', '{\\"output\\": 3}', '"'),
    ],
)
def test_the_span_of_an_escaped_object_is_as_it_is_written(before: str, written: str, behind: str) -> None:
    text = before + written + behind
    start, end = extract_answer(text, "output").span
    assert text[start:end] == written
