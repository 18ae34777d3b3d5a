"""The unified form where code blocks hold fences, come in parts, or stand in something else."""

from dataclasses import replace

import pytest

from reexec.runners.stages.generate.unified import BadFormError, parse_unified
from tests.integration.runners.test_unified_form import EXPECTED, MAIN, form

FENCED: dict[str, str] = {
    "fence in a docstring": 'def main_solution(n):\n    """2 n\n\n    ```\n    main(1)\n    ```\n    """\n    return n',
    "fence in a string": 'def main_solution(n):\n    page = """\n```\ncode\n```\n"""\n    return n',
    "fence with a language in a string": "def main_solution(n):\n    '''2 n\n```python\nmain(1)\n```\n    '''\n    return n",
    "quotes in a comment": 'def main_solution(n):  # it\'s """ nothing\n    return n',
    "quotes in strings": 'def main_solution(n):\n    return \'"""\' + "\\"\'\'\'"',
}


@pytest.mark.parametrize("name", FENCED)
def test_a_fence_inside_a_string_of_the_code_is_code(name: str) -> None:
    code = FENCED[name]
    assert parse_unified(form(Main_Function=f"```python\n{code}\n```")) == replace(EXPECTED, refcode=code)


HELPER = "def helper(n):\n    return n + 1"
USES = "def main_solution(n):\n    return helper(n)"


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([HELPER, USES], f"{HELPER}\n\n{USES}"),
        ([USES, HELPER], f"{USES}\n\n{HELPER}"),
        (["import math", "LIMIT = math.pi", "def main_solution(n):\n    return LIMIT"], None),
        ([HELPER.replace("+ 1", "+ 2"), HELPER, USES], f"{HELPER}\n\n{USES}"),
        ([MAIN.replace("2", "3"), MAIN], MAIN),
        ([MAIN, "print(main_solution(3))"], MAIN),
        (["pip = 1", MAIN], MAIN),
        (["from functools import partial\n\nmain_solution = partial(pow, 2)"], None),
        (["class main_solution:\n    pass"], None),
        (["async def main_solution(n):\n    return n"], None),
        (["from math import sqrt as main_solution"], None),
    ],
)
def test_the_last_block_that_defines_the_function_counts_with_what_it_uses(blocks: list[str], code: str | None) -> None:
    shown = "\nand then\n".join(f"```python\n{block}\n```\n" for block in blocks)
    assert parse_unified(form(Main_Function=shown)).refcode == (code or "\n\n".join(blocks))


@pytest.mark.parametrize(
    "frame",
    [
        "\ufeff{}", "```markdown\n{}\n```", "```\n{}\n```", "````md\n{}\n````", "Here it is:\n\n```markdown\n{}\n```\n",
        "{}<|im_end|>", "{}\n<|eot_id|>\n", "{} </s>", "{}\n<|im_end|><|endoftext|>",
        "<think>## Main Function\nnone</think>\n{}", "## Main Function\nhm\n</think>\n{}",
    ],
)  # fmt: skip
def test_what_is_around_the_form_is_no_part_of_it(frame: str) -> None:
    assert parse_unified(frame.replace("{}", form())) == EXPECTED


def test_thinking_without_an_end_is_no_form() -> None:
    with pytest.raises(BadFormError, match="no section `## Main Function`"):
        parse_unified("<think>\n" + form())


@pytest.mark.parametrize(
    "heading",
    [
        "## {} (main)", "## {} - main", "## {} \u2013 the thing", "## {}\uff1a", "## \U0001f9e0 {}", "## {} \u2728", "## `{}`:",
        "### 1\ufe0f\u20e3 {}", "**\U0001f4e5 {}**", "**{} (main)**", "## **{}** (main)", "## {} [code]", "## {} Section",
        "1. {} (main)", "## Step 2: {}", "## Step 2: **{}**",
    ],
)  # fmt: skip
def test_headings_with_additions(heading: str) -> None:
    assert parse_unified(form(heading)) == EXPECTED


@pytest.mark.parametrize(
    "line", ["The main function (see above) is short.", "Input generator - none", "- Main Function (x)", "#!main"]
)
def test_sentences_are_no_headings(line: str) -> None:
    assert parse_unified(form(Problem_Statement=f"Double a number.\n{line}")).problem_description == f"Double a number.\n{line}"
