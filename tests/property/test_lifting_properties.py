"""What a lifted assertion comes to is what plain Python says, for every form of assertion and for right and wrong values."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reexec.runners.graders.inside.recorder import record
from reexec.runners.graders.lifting import judge_tree
from reexec.runners.graders.lifting.rewrite import parse_quietly, rewrite

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-4, 4), st.sampled_from([0.0, -1.5, 2.0, 1e-7, 0.3]), st.text("ab", max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    ),
    max_leaves=6,
)
FORMS = """
{f} == {v}
{f} != {v}
{v} == {f}
not {f}
{f}
{f} is None
{f} is not None
{f} is True
{f} < {v}
{v} <= {f} <= {w}
{f} == {g} == {v}
{f} == {g}
{f} in {v}
{v} in {f}
{v} not in {f}
{f} and {g}
{f} or {g}
{f} == {v} or {g} == {w}
not ({f} == {v} and {g} == {w})
abs({f} - {v}) < 1e-6
{f} + {g} == {v}
{f} * 2 == {v}
{f} % 2 == 0
{f} // 2 == {v}
-{f} == {v}
{f} ** 2 == {v}
{f}[0] == {v}
{f}[-1] == {v}
{f}['a'] == {v}
len({f}) == 2
sorted({f}) == {v}
sorted({f}, reverse=True) == {v}
set({f}) == set({v})
list({f}) == {v}
tuple({f}) == {v}
sum({f}) == {v}
min({f}) == {v}
max({f}, {v}) == {v}
str({f}) == str({v})
int({f}) == {v}
float({f}) == {v}
bool({f}) == {v}
round({f}, 1) == {v}
all({f})
any({f})
math.isclose({f}, {v})
math.isclose({f}, {v}, abs_tol=0.5)
[{f}, {g}] == {v}
({f}, 1) == {v}
isinstance({f}, int)
isinstance({f}, (list, str))
not isinstance({f}, dict)
type({f}) == int
type({f}) is not list
all({f} == x for x in {v})
any(x == {f} for x in [1, 2])
[{f} for _ in range(2)] == {v}
len([{f} for _ in range(3)]) == 3
all(0 <= {f} < x for x in (1, 2, 3) if x > 1)
""".strip().splitlines()


def plain(text: str, f: Any, g: Any) -> bool:
    try:
        exec(text, {"f": lambda *_: f, "g": lambda *_: g})
    except Exception:
        return False
    return True


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_lifted_assertion_is_judged_as_python_judges_it(form: str, data: st.DataObject) -> None:
    f, g, v, w = (data.draw(VALUES, label=name) for name in "fgvw")
    if data.draw(st.booleans(), label="right"):
        v = f
    text = "import math\nassert " + form.format(f="f(1)", g="g(2)", v=repr(v), w=repr(w))
    found = record(rewrite(parse_quietly(text))[0], ["f", "g"])
    if "refused" in found:  # an assertion that does not ask the functions: nothing is lifted, and nothing is claimed
        assert found["refused"] not in ("the test itself raises NameError", "the test itself raises SyntaxError")
        return
    values = [f if name == "f" else g for name, _, _ in found["calls"]]
    assert all(judge_tree(tree, values) == "" for tree in found["checks"]) == plain(text, f, g), found["checks"]
