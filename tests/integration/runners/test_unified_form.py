"""The unified form is read as models write it: headings and fences of every kind, and a reason where something is missing."""

import contextlib
import time

import pytest

from reexec.runners.stages.generate.unified import BadFormError, Unified, parse_unified

MAIN = "def main_solution(n):\n    return n * 2"
MAKES = "def input_generator():\n    return {'n': 3}"
SECTIONS = {
    "Main Function": f"```python\n{MAIN}\n```",
    "Input Output Description": "`n` (int). Returns an int.",
    "Input Generator": f"```python\n{MAKES}\n```",
    "Problem Statement": "Double a number.",
}
EXPECTED = Unified(MAIN, "`n` (int). Returns an int.", MAKES, "Double a number.")


def form(heading: str = "## {}", **changed: str) -> str:
    named = {name: changed.get(name.replace(" ", "_"), text) for name, text in SECTIONS.items()}
    return "\n\n".join(f"{heading.format(name)}\n{text}" for name, text in named.items() if text != "(left out)")


@pytest.mark.parametrize(
    "heading",
    [
        "## {}", "# {}", "###### {}", "##{}", "## {}:", "## {} ##", "  ## {}", "## **{}**", "**{}**", "**{}:**",
        "**{}**:", "__{}__", "## 1. {}", "### 2) {}", "**3. {}**", "## Section 4: {}", "1. **{}**", "{}:", "## `{}`", "## *{}*",
        "## IV. {}", "(1) {}", "- **{}**", "- **{}:**", "\u2022 ## {}", "\n{}\n", "{}\n=====", "{}\n---",
    ],
)  # fmt: skip
def test_headings_of_every_kind(heading: str) -> None:
    assert parse_unified(form(heading)) == EXPECTED


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_headings_in_any_case(change: object) -> None:
    text = form()
    for name in SECTIONS:
        text = text.replace(f"## {name}", f"## {change(name)}")  # type: ignore[operator]
    assert parse_unified(text) == EXPECTED


@pytest.mark.parametrize(
    "name", ["Input/Output Description", "Input-Output Description", "Input & Output Description", "Input and Output Format"]
)
def test_the_description_has_several_spellings(name: str) -> None:
    assert parse_unified(form().replace("Input Output Description", name)) == EXPECTED


def test_line_ends_of_other_systems() -> None:
    assert parse_unified(form().replace("\n", "\r\n")) == EXPECTED


@pytest.mark.parametrize(("heading", "before"), [("## {}", "> "), ("{}\n---", ">"), ("## {}", "    "), ("**{}**", "\t")])
def test_a_reply_that_is_quoted_or_indented_as_a_whole(heading: str, before: str) -> None:
    assert parse_unified("\n".join(before + line if line else before.strip() for line in form(heading).split("\n"))) == EXPECTED


@pytest.mark.parametrize("before", ["  ", "\t"])
def test_code_that_is_indented_as_a_whole_loses_its_indentation(before: str) -> None:
    text = form().replace(EXPECTED.refcode, "\n".join(before + line for line in EXPECTED.refcode.split("\n")))
    assert text != form()
    assert parse_unified(text) == EXPECTED


@pytest.mark.parametrize(
    "line", ["- Main Function: it doubles", "- **Main Function**: it doubles", "- Main Function:", "Main Function"]
)
def test_an_item_of_a_list_that_speaks_of_a_section_is_no_heading(line: str) -> None:
    text = form(Problem_Statement=f"{EXPECTED.problem_description}\n\n{line}\n\nAll of it.")
    assert parse_unified(text).problem_description == f"{EXPECTED.problem_description}\n\n{line}\n\nAll of it."


def test_text_before_after_and_between_does_no_harm() -> None:
    text = "Here it is.\n```python\nprint('not this')\n```\n" + form().replace("\n\n## ", "\n\n---\n\n## ") + "\n"
    assert parse_unified(text) == EXPECTED


def test_the_last_python_block_of_a_section_counts() -> None:
    first = "```python\ndef main_solution(n):\n    return 0\n```\nBetter:\n"
    shown = f"{first}```py\n{MAIN}\n```\nIt prints\n```text\n6\n```\nand\n```json\n[6]\n```"
    assert parse_unified(form(Main_Function=shown)).refcode == MAIN


def test_a_block_without_a_language_is_taken_where_there_is_no_other() -> None:
    assert parse_unified(form(Main_Function=f"```\n{MAIN}\n```")).refcode == MAIN


@pytest.mark.parametrize(
    "fence", ["~~~python\n{}\n~~~", "````python\n{}\n````", "```Python3\n{}\n```", "```{{.python}}\n{}\n```"]
)
def test_fences_of_other_kinds(fence: str) -> None:
    assert parse_unified(form(Main_Function=fence.format(MAIN))).refcode == MAIN


def test_an_indented_block_loses_its_indentation() -> None:
    shown = "\n".join("   " + line for line in f"```python\n{MAIN}\n```".split("\n"))
    assert parse_unified(form(Main_Function=shown)).refcode == MAIN


def test_a_block_that_is_not_closed_ends_at_the_next_heading() -> None:
    assert parse_unified(form(Main_Function=f"```python\n{MAIN}\n")) == EXPECTED
    assert parse_unified(form(Input_Generator=f"```python\n{MAKES}\n")) == EXPECTED
    last = form(Problem_Statement="(left out)").replace(
        "## Input Gen", "## Problem Statement\nDouble a number.\n\n## Input Gen"
    )
    assert parse_unified(last.rstrip("`\n")) == EXPECTED


def test_a_heading_inside_code_is_code() -> None:
    code = MAIN + "\n\n# Input Generator\n## Problem Statement\n"
    assert parse_unified(form(Main_Function=f"```python\n{code}```")).refcode == code.strip("\n")


def test_text_may_follow_a_bold_heading_on_its_line() -> None:
    text = form("**{}:**").replace("**Problem Statement:**\n", "**Problem Statement:** ")
    assert parse_unified(text) == EXPECTED


def test_a_sentence_that_begins_with_a_name_is_no_heading() -> None:
    text = form(Input_Output_Description="`n` (int). Returns an int.\nProblem statement and input generator follow.")
    assert parse_unified(text).problem_description == "Double a number."


def test_the_last_of_repeated_sections_counts_where_it_holds_something() -> None:
    draft = form(Problem_Statement="A draft.")
    assert parse_unified(draft + "\n\n" + form()) == EXPECTED
    assert parse_unified(form() + "\n\n## Problem Statement\n\n") == EXPECTED


@pytest.mark.parametrize(
    ("changed", "reason", "said"),
    [
        ({"Main_Function": "(left out)"}, "no-main-function", "no section `## Main Function`"),
        ({"Main_Function": "In words."}, "no-main-function", "no python code under `## Main Function`"),
        ({"Main_Function": "```python\ndef main(n): ...\n```"}, "no-main-function", "defines no main_solution"),
        ({"Main_Function": "```json\n{}\n```"}, "no-main-function", "no python code"),
        ({"Input_Output_Description": "(left out)"}, "no-description", "nothing under `## Input Output Description`"),
        ({"Input_Generator": "(left out)"}, "no-input-generator", "no section `## Input Generator`"),
        ({"Input_Generator": "```python\nx = 1\n```"}, "no-input-generator", "defines no input_generator"),
        ({"Problem_Statement": " "}, "no-problem-statement", "nothing under `## Problem Statement`"),
    ],
)
def test_what_is_missing_is_said(changed: dict[str, str], reason: str, said: str) -> None:
    with pytest.raises(BadFormError, match=said.replace("(", r"\(")) as caught:
        parse_unified(form(**changed))
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["", "I cannot help with that.", "```python", "## ", "#" * 5000, "```\n" * 3000, "**" * 5000])
def test_anything_else_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadFormError) as caught:
        parse_unified(text)
    assert caught.value.reason == "no-main-function"


@pytest.mark.parametrize(
    "piece",
    [
        "# ",
        "#",
        "**",
        "`",
        "``` ",
        "```\n",
        "```text\n",
        "~~~\n```\n",
        "````\n## Main Function\n",
        "\n",
        " ",
        "## Main Function\n",
        "- ",
        "---\n",
        '"""\n```\n',
        "import a\n```\n```python\n",
        "## Main Function (",
        "<|im_end|>",
        "<think>",
    ],
)
def test_a_long_text_of_anything_is_read_in_no_time(piece: str) -> None:
    text = form(Problem_Statement="(left out)") + "\n## Problem Statement\nDouble it.\n" + piece * (300_000 // len(piece)) + "`"
    began = time.monotonic()
    with contextlib.suppress(BadFormError):
        parse_unified(text)
    assert time.monotonic() - began < 5
