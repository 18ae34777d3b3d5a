"""`to_json` and `from_json` of the data classes: exact through any JSON text, and total on what is no form of theirs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reexec import Call, Check, Comparison, ComparisonRule, Outcome, Program, Usage, UsageError, Verdict
from reexec.engine.json_form import from_plain, to_plain
from reexec.engine.judging.verdict import VERDICT_WORDS
from reexec.engine.outcome import KINDS, RaisedException
from reexec.engine.program import Script, Stdin

TEXTS = st.text(st.characters(exclude_categories=()), max_size=6)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.binary(max_size=6),
    st.integers(11_900, 13_000).map(lambda bits: 3 << bits), st.complex_numbers(allow_nan=False),
)  # fmt: skip
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.dictionaries(TEXTS | st.just("!"), inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=3),
    ),
    max_leaves=12,
)
NAMES = st.text(min_size=1, max_size=5)
USAGES = st.builds(Usage, *[st.floats(0, 1e6)] * 2, st.integers(0, 2**40))
RAISED = st.builds(
    RaisedException, TEXTS, TEXTS, st.lists(st.tuples(st.integers(0, 99), TEXTS), max_size=3).map(tuple), st.none() | TEXTS
)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(sorted(KINDS)),
    value=VALUES,
    exception=st.none() | RAISED,
    detail=TEXTS,
    usage=USAGES,
    arguments_changed=st.none() | st.booleans(),
    sources=st.lists(TEXTS, max_size=2).map(tuple),
    attempts=st.integers(1, 9),
    disagreed_with=st.none() | st.sampled_from(["cpu-limit"]),
    exit_status=st.none() | st.integers(0, 255),
    stdout=TEXTS,
    stderr=TEXTS,
    varies=st.none() | st.booleans(),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
ANSWERS = st.one_of(  # a rule, and an expected value that a result can equal under it
    st.tuples(st.none() | st.just(ComparisonRule.preset("exact")), VALUES),
    st.tuples(st.just(ComparisonRule.preset("codeio")), JSON_VALUES),
)
CALLS = st.builds(Call, st.lists(VALUES, max_size=3).map(tuple), st.dictionaries(NAMES, VALUES, max_size=3))


def exactly(value: Any) -> Any:
    """Something that is equal only for values of the same types, all the way down."""
    kind = type(value)
    if kind is dict:
        return "dict", [(exactly(key), exactly(item)) for key, item in value.items()]
    if kind in (set, frozenset):
        return kind.__name__, sorted((exactly(item) for item in value), key=repr)
    if kind in (list, tuple):
        return kind.__name__, [exactly(item) for item in value]
    return kind.__name__, hex(value) if kind is int else repr(value)


def through_text(form: Any) -> Any:
    return json.loads(json.dumps(form))


@given(VALUES)
def test_values_are_exact_through_json_text(value: Any) -> None:
    assert exactly(from_plain(through_text(to_plain(value)))) == exactly(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), -0.0, 1e-320])
def test_floats_that_json_hardly_knows(number: float) -> None:
    assert repr(from_plain(through_text(to_plain([number])))[0]) == repr(number)


@given(OUTCOMES)
def test_outcomes(outcome: Outcome) -> None:
    read = Outcome.from_json(through_text(outcome.to_json()))
    assert read == outcome
    assert exactly(read.value) == exactly(outcome.value)
    hidden = ("usage", "attempts", "disagreed_with", "exit_status", "varies")  # == does not look at these
    assert [getattr(read, name) for name in hidden] == [getattr(outcome, name) for name in hidden]


@given(st.sampled_from(VERDICT_WORDS), st.none() | OUTCOMES, st.booleans(), TEXTS, VALUES)
def test_verdicts(word: Any, outcome: Outcome | None, equal: bool, path: str, own: Any) -> None:
    verdict = Verdict(word, outcome, Comparison(equal, path, "why"), own)
    read = Verdict.from_json(through_text(verdict.to_json()))
    assert read == verdict
    assert exactly(read.id) == exactly(own)


@given(TEXTS, NAMES, CALLS, VALUES, ANSWERS)
def test_checks(source: str, entry: str, call: Call, own: Any, answer: tuple[ComparisonRule | None, Any]) -> None:
    rule, expected = answer
    check = Check(Program(source, entry), call, expected, id=own, rule=rule)
    read = Check.from_json(through_text(check.to_json()))
    assert (read.program, read.program.id, read.rule) == (check.program, check.program.id, check.rule)
    assert exactly(read.expected) == exactly(check.expected)
    assert exactly(read.id) == exactly(own)
    assert isinstance(read.call, Call)
    assert exactly((read.call.args, dict(read.call.kwargs))) == exactly((call.args, dict(call.kwargs)))


def test_scripts_keep_their_kind() -> None:
    check = Check(Script("print(input())"), b"\xff1\n", 0)
    read = Check.from_json(through_text(check.to_json()))
    assert type(read.program) is Script
    assert read.program.id == check.program.id
    assert read.call == Stdin(b"\xff1\n")


@pytest.mark.parametrize("kind", [Outcome, Verdict, Check, Program, Call])
@pytest.mark.parametrize("data", [None, [], 3, "x", {}, {"kind": "value"}, {"word": "nice"}, {"source": 3, "entry": 4}])
def test_what_is_no_form_is_a_usage_error_that_says_what_was_expected(kind: Any, data: Any) -> None:
    article = "an" if kind is Outcome else "a"
    said = (
        f"{article} {kind.__name__.lower()} has no member '"
        if isinstance(data, dict)
        else f" as an object, got {type(data).__name__}"
    )
    if kind is Program and data == {"source": 3, "entry": 4}:
        said = "source and entry are text"
    with pytest.raises(UsageError, match=said):
        kind.from_json(data)


@pytest.mark.parametrize(
    ("value", "path"),
    [(object(), "$"), ([1, {2, 3}, [object()]], "$[2][0]"), ({"a": {"b": range(3)}}, "$.a.b")],
)
def test_what_is_no_plain_value_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(UsageError, match=r"at " + path.replace("$", r"\$").replace("[", r"\[") + "$"):
        to_plain(value)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"!": "set"}, "a broken tagged value, at $"),
        ({"!": "set", "v": [[1]]}, "a broken tagged value, at $"),
        ({"!": "int", "v": 3}, "a broken tagged value, at $"),
        ({"!": "x", "v": 1}, "unknown tag 'x', at $"),
        ({"!": "dict", "v": [1]}, "a broken tagged value, at $"),
    ],
)
def test_broken_tags_are_usage_errors(form: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        from_plain(form)
    assert str(error.value) == said


def test_a_rule_by_name_is_the_preset() -> None:
    assert Check(Program("", "f"), [], 1, rule="exact").rule == ComparisonRule.preset("exact")
    with pytest.raises(UsageError, match="no comparison rule 'exakt': did you mean 'exact'"):
        Check(Program("", "f"), [], 1, rule="exakt")
    with pytest.raises(UsageError, match=r"must be 0 or more \(given: -1\), at \$\.rule\.rtol"):
        Check(Program("", "f"), [], 1, rule={"rtol": -1})  # type: ignore[arg-type]
