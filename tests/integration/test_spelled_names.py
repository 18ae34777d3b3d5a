"""Python's compiler spells identifiers its own way (NFKC); a caller names functions and arguments as their source does."""

from collections.abc import Iterator
from typing import Any

import pytest

from reexec.engine.executor import Executor
from reexec.engine.program import Check, Program
from reexec.runners.records.arguments import by_name

MICRO, COMPILED_MU = "\u00b5", "\u03bc"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=1) as found:
        yield found


@pytest.mark.parametrize(
    ("source", "entry", "call"),
    [
        ("def \ufb01nd(x):\n    return x", "\ufb01nd", [7]),
        ("def \ufb01nd(x):\n    return x", "find", [7]),
        ("globals()['\ufb01nd'] = lambda x: x", "\ufb01nd", [7]),
        (f"def f({MICRO}):\n    return {MICRO}", "f", {MICRO: 7}),
        (f"def f({MICRO}):\n    return {MICRO}", "f", {COMPILED_MU: 7}),
        (f"def f(*, {MICRO}=1, caf\u00e9=2):\n    return {MICRO}", "f", {MICRO: 7, "cafe\u0301": 3}),
        ("def f(**more):\n    return more['\ufb01']", "f", {"\ufb01": 7}),
        ("class \uff21:\n    def \ufb01nd(self, \uff58):\n        return x", "\uff21.\ufb01nd", {"\uff58": 7}),
        (
            "import functools\ndef w(f):\n    @functools.wraps(f)\n    def g(*a, **k): return f(*a, **k)\n    return g\n"
            f"@w\ndef f({MICRO}):\n    return {MICRO}",
            "f",
            {MICRO: 7},
        ),
    ],
)  # fmt: skip
def test_names_are_found_as_the_source_spells_them(executor: Executor, source: str, entry: str, call: Any) -> None:
    assert executor.check(Program(source, entry), call, 7).accepted
    many = [Check(Program(source, entry), call, 7) for _ in range(4)]
    assert all(verdict.accepted for verdict in executor.check_many(many))


def test_a_name_that_is_not_there_is_told_as_it_was_asked_for(executor: Executor) -> None:
    outcome = executor.submit(Program("def f(): pass", "\ufb01nd"), []).result()
    assert outcome.exception is not None
    assert outcome.exception.message == "the program defines no '\ufb01nd'"
    both = Program(f"def f({MICRO}, **more):\n    return [{MICRO}, more]", "f")
    outcome = executor.submit(both, {MICRO: 1, COMPILED_MU: 2}).result()
    assert outcome.value == [2, {MICRO: 1}], "a name that fits is never given away"


def test_arguments_by_position_find_the_function(executor: Executor) -> None:
    assert by_name(f"def \ufb01nd({MICRO}, b):\n    pass", "\ufb01nd", [1, 2]) == {COMPILED_MU: 1, "b": 2}
