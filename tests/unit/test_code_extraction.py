"""The program in a model's answer: blocks, prose, chat; and code by contract stays as it is."""

import pytest

from reexec.runners.graders.code import blocks, code_of, extract_code, is_python

F = "def f(n):\n    return n\n"
G = "def g(n):\n    return f(n)\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Here it is:\n```python\n{F}```\nDone.", F),
        (f"```\n{F}```", F),
        (f"~~~py\n{F}~~~", F),
        (f"Cut off:\n```python\n{F}", F),
        (f"````python\n{F}# ```\n````", F + "# ```\n"),
        (f"1. Like this:\n   ```python\n   {F.replace(chr(10) + '    ', chr(10) + '       ')}   ```", F),
        (f"<think>```python\nwrong(\n```</think>\n```python\n{F}```", F),
        (f"```python\n{F}```\nUse it:\n```python\nprint(f(3))\n```", F),
        (f"```bash\npip install x\n```\n```python\n{F}```\n```text\n3\n```", F),
        (f"First try:\n```python\ndef f(n):\n    return 0\n```\nBetter:\n```python\n{F}```", F),
        (f"Helper:\n```python\n{F}```\nSolution:\n```python\n{G}```", f"{F}\n\n{G}"),
        (f"```Python\r\n{F}```".replace("\n", "\r\n"), F),
        (F, F),
        (f"The solution is simple.\n\n{F}\nThis returns n.", F),
        (f"Sure!\nimport math\n\n{F}\nHope it helps, isn't it?", f"import math\n\n{F}"),
    ],
)
def test_code_is_found_in_free_text(text: str, found: str) -> None:
    taken = extract_code(text)
    assert taken.text.strip() == found.strip()


def test_the_wanted_name_decides_between_blocks() -> None:
    text = f"```python\n{F}```\nand a test\n```python\ndef test():\n    assert f(1) == 1\n```"
    assert extract_code(text, "f").text == F
    assert extract_code(text).text.startswith("def f")  # the last block needs what the first defines
    assert "def test" in extract_code(text).text


def test_of_several_blocks_that_define_the_wanted_name_the_last_counts() -> None:
    first, last = "def f():\n    return 1\n", "def f():\n    return 2\n"
    text = f"A first try:\n```python\n{first}```\nBetter:\n```python\n{last}```\nUse:\n```python\nprint(f())\n```\n"
    assert extract_code(text, "f").text.strip() == last.strip()


def test_code_in_thinking_is_no_answer() -> None:
    draft, answer = "def f():\n    return 1\n", "def f():\n    return 2\n"
    thinking = f"<think>\nFirst:\n```python\n{draft}```\n</think>\n"
    assert extract_code(f"{thinking}```python\n{answer}```", "f").text == answer
    assert extract_code(f"{thinking}I do not know.", "f").text == ""
    assert extract_code(thinking.replace("think", "thinking").upper().replace("DEF F", "def f"), "f").text == ""


def test_a_script_block_goes_before_an_example_of_use() -> None:
    text = "```python\nn = int(input())\nprint(n)\n```\nFor instance:\n```python\nprint(3)\n```"
    assert extract_code(text).text == "n = int(input())\nprint(n)\n"


@pytest.mark.parametrize("text", ["", "I cannot do that.", "```text\nno code\n```"])
def test_no_code_has_a_reason(text: str) -> None:
    taken = extract_code(text)
    assert not taken.text
    assert taken.reason


def test_a_block_that_does_not_compile_is_still_the_answer() -> None:
    assert extract_code("```python\ndef f(:\n```").text == "def f(:\n"


def test_code_by_contract_stays_as_it_is() -> None:
    broken = "def f(n):\n    return (\n"
    assert code_of({"solution": broken}).text == broken
    assert code_of({"code": f"Text. {F}"}).text == f"Text. {F}"
    with_fence_inside = f'"""\n```python\nx\n```\n"""\n{F}'
    assert code_of({"solution": with_fence_inside}).text == with_fence_inside
    assert code_of({"completion": "    return n\n"}, "def f(n):\n", "f").text == F


def test_fenced_answers_in_code_fields_are_opened() -> None:
    assert code_of({"solution": f"```python\n{F}```"}).text == F
    assert code_of({"completion": f"```python\n{F}```"}, "def f(n):\n", "f").text == F
    assert code_of({"completion": "```python\n    return n\n```"}, "def f(n):\n", "f").text == F


@pytest.mark.parametrize(
    "value",
    [
        f"```python\n{F}```",
        [{"role": "user", "content": "write f"}, {"role": "assistant", "content": f"```python\n{F}```"}],
        [{"role": "assistant", "content": [{"type": "text", "text": f"```python\n{F}```"}]}],
    ],
)
def test_answers_are_texts_or_messages(value: object) -> None:
    assert code_of({"response": value}).text == F
    assert code_of({"messages": value}).text == F


def test_blocks_are_read_as_commonmark_reads_them() -> None:
    found = blocks("```python title=x\na\n```\n~~~\nb\n```\n~~~\n```` ```\nnot a fence\n```js\nc")
    assert [(block.label, block.text, block.closed) for block in found] == [
        ("python", "a\n", True),
        ("", "b\n```\n", True),
        ("js", "c\n", False),
    ]


def test_what_cannot_be_parsed_never_raises() -> None:
    for text in ("\x00", "(" * 5000, "def f():\n" + "  " * 300 + "x", "\ud800"):
        assert isinstance(is_python(text), bool)
        extract_code(text)
