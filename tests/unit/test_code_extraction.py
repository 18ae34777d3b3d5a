"""The program in a model's answer: blocks, prose, chat; and code by contract stays as it is."""

import time

import pytest

from reexec.runners.graders.blocks import blocks, is_python, python_blocks
from reexec.runners.graders.code import code_in_language, code_of, extract_code

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


DOCUMENTED = 'def f(n):\n    """Gives n.\n\n    ```\n    f(3)\n    ```\n    """\n    return n\n'
LABELLED = DOCUMENTED.replace("```", "```python", 1)
SCRIPT = "n = int(input())\nprint(n)\n"
SOLUTION = "class Solution:\n    def f(self, n):\n        return n\n"


@pytest.mark.parametrize(
    ("text", "entry", "found"),
    [
        # fences within fences
        (f"````markdown\nLike so:\n```python\n{F}```\n````", "", F),
        (f"```md\n~~~python\n{F}~~~\n```", "", F),
        (f"```python\n{DOCUMENTED}```\nDone.", "f", DOCUMENTED),
        (f"```python\n{LABELLED}```\nand\n```text\n3\n```", "f", LABELLED),
        (f"```\n{DOCUMENTED}```", "f", DOCUMENTED),
        (f"The answer:\n\n```python\n{F.rstrip()}```\nIt returns n.", "f", F),
        ("It is ```python f = lambda n: n``` as a line.", "f", "f = lambda n: n\n"),
        # labels
        (f"```python:main.py\n{F}```", "", F), (f"```{{.python}}\n{F}```", "", F), (f"```python,ignore\n{F}```", "", F),
        (f"```PY\n{F}```\n```cpp\nint f;\n```", "f", F), (f"``` python\n{F}```", "", F),
        # a draft before the answer, an example and a test behind it
        (f"```python\ndef f(n):\n    return 0\n```\nNo:\n```python\n{F}```\n```python\nassert f(1) == 1\n```", "f", F),
        (f"```python\n{SCRIPT}```\nTo test it:\n```python\ndef test():\n    assert True\n```", "", SCRIPT),
        (f"```python\n{SOLUTION}```\nComplexity:\n```python\nn = 1\n```", "f", SOLUTION),
        (f"```python\n{F}```\nIn C:\n```c\nint f(int n) {{ return n; }}\n```\nOutput:\n```\n3\n```", "f", F),
        # thinking
        (f"So I write ```python\ndef f(n): return 0\n```</think>\n```python\n{F}```", "f", F),
        (f"<think>\n```python\ndef f(n): return 0\n```\n</think>{F}", "f", F),
        # indentation and line ends
        (f"- Step:\n\n      ```python\n{''.join(f'      {line}{chr(10)}' for line in F.splitlines())}      ```\n", "f", F),
        ("Use this:\n\n    def f(n):\n        return n\n\nThat is all.", "f", F),
        (f"```python\n{F}```".replace("\n", "\r\n"), "f", F), (f"```python\n{F}```".replace("\n", "\r"), "f", F),
        # sessions and differences
        ("```pycon\n>>> def f(n):\n...     return n\n...\n>>> f(3)\n3\n```", "f", "def f(n):\n    return n\n\nf(3)\n"),
        ("```python\n>>> def f(n):\n...     return n\n>>> f(3)\n3\n```", "f", "def f(n):\n    return n\nf(3)\n"),
        ("```diff\n--- a/f.py\n+++ b/f.py\n@@ -1,2 +1,2 @@\n def f(n):\n-    return 0\n+    return n\n```", "f", F),
        ("```python\n+def f(n):\n+    return n\n```", "f", F),
    ],
)  # fmt: skip
def test_what_models_make_of_blocks_is_read(text: str, entry: str, found: str) -> None:
    assert extract_code(text, entry).text.strip() == found.strip()


@pytest.mark.parametrize("text", [f"<think>\n```python\n{F}```\n", f"<think>Maybe {F}"])
def test_what_is_only_thought_is_no_answer(text: str) -> None:
    assert not extract_code(text).text


def test_an_answer_in_prose_has_the_names_that_its_prompt_gave() -> None:
    prompt = "from typing import List\n\ndef helper(n):\n    return n\n\ndef f(xs: List[int]) -> int:\n    '''Sum.'''\n"
    takes = "def f(xs: List[int]) -> int:\n    return helper(sum(xs))\n"
    space: dict[str, object] = {}
    exec(code_of({"response": f"```python\n{takes}```"}, prompt, "f").text, space)
    assert space["f"]([1, 2]) == 3  # type: ignore[operator]
    assert code_of({"response": f"```python\n{F}```"}, prompt, "f").text == F
    assert code_of({"solution": takes}, prompt, "f").text == takes


def test_a_block_in_another_language_may_end_behind_its_last_line() -> None:
    c = frozenset(("c",))
    assert code_in_language({"response": "```c\nint main(void) { return 0; }```"}, c).text == "int main(void) { return 0; }\n"
    assert code_in_language({"response": "x</think>```C\nint y;\n```\n```python\n1\n```"}, c).text == "int y;\n"


def test_texts_made_to_be_slow_are_read_in_bounded_time() -> None:
    begun = time.process_time()
    for text in (
        "```python\n'''\n```\n" * 20_000,
        "```python\nx = 1```\n" * 20_000,
        "```python\n" + "(```\n" * 60_000,
        "````markdown\n" * 30_000,
        "```python\n>>> '\n```\n" * 15_000,
        "``` x ```" * 40_000,
        "    def f():\n" * 30_000,
    ):
        extract_code(text, "f")
        python_blocks(text)
    assert time.process_time() - begun < 60
