"""An expected value that no result can equal is refused with its path, where it would make every answer a wrong one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reexec.engine.errors import UsageError
from reexec.engine.judging.attainable import require_attainable
from reexec.engine.judging.compare import compare
from reexec.engine.program import Check, Program
from reexec.engine.protocol import values
from reexec.policies.comparison import ComparisonRule

F = Program("def f(x):\n    return x", "f")
JSON = ["codeio", "numeric", "text"]


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("rule", JSON)
@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({1, 2}, "$: an object of type set"),
        ({"a": [1, {"b": frozenset()}]}, "$.a[1].b: an object of type frozenset"),
        ([b"x"], "$[0]: an object of type bytes"),
        (1j, "$: an object of type complex"),
        ({"a": {(1, 2): 3}}, "$.a: a key of type tuple"),
        ({1: "a", "1": "b"}, "$: two keys are written '1' in JSON"),
    ],
)
def test_what_json_cannot_say_is_refused_under_a_json_rule(rule: str, expected: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Check(F, [1], expected, rule=rule)
    assert said in str(refused.value)
    assert "python-literal" in str(refused.value)
    Check(F, [1], expected, rule="python-literal")
    Check(F, [1], expected, rule="exact")


@pytest.mark.parametrize("rule", [*JSON, "python-literal", "exact"])
@pytest.mark.parametrize(
    "expected",
    [
        None,
        True,
        1,
        10**5000,
        -0.0,
        float("nan"),
        float("inf"),
        "\ud800",
        (1, (2,)),
        {1: 2},
        {None: 1.5},
        nested(201),
        [[]] * 9,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_program_can_return_is_taken(rule: str, expected: Any) -> None:
    Check(F, [1], expected, rule=rule)


def test_the_bounds_are_those_of_results_and_of_the_rule() -> None:
    with pytest.raises(UsageError, match="nested deeper than 200"):
        Check(F, [1], nested(202))
    for values_are in ("json", "python"):
        shallow = ComparisonRule(containers=values_are, max_depth=3, max_nodes=10)
        Check(F, [1], nested(4), rule=shallow)
        with pytest.raises(UsageError, match=r"\$\[0\]\[0\]\[0\]\[0\]: too-deep"):
            Check(F, [1], nested(5), rule=shallow)
        with pytest.raises(UsageError, match="too-large"):
            Check(F, [1], [0] * 10, rule=shallow)


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=2) | st.complex_numbers()
)
_KEYS = st.text(max_size=1) | st.integers(0, 2) | st.none() | st.tuples(st.integers(0, 1))
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3) | st.tuples(inner),
    max_leaves=8,
)


@given(_VALUES, st.sampled_from([*JSON, "python-literal", "exact"]), st.integers(1, 4), st.integers(1, 12))
def test_refused_is_exactly_what_would_not_equal_itself(expected: Any, name: str, depth: int, nodes: int) -> None:
    rule = ComparisonRule.preset(name).model_copy(update={"max_depth": depth, "max_nodes": nodes})
    try:
        returned = values.fold(expected, values.JSON if rule.values == "json" else values.PYTHON)
        attainable = compare(returned, expected, rule).equal
    except values.Refused:
        attainable = False
    try:
        require_attainable(expected, rule)
    except UsageError:
        assert not attainable
    else:
        assert attainable
