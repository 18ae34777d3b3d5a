"""The short way to a frozen dataclass gives the same objects as its own constructor."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from reexec.engine.judging.compare import Comparison
from reexec.engine.judging.verdict import Verdict
from reexec.engine.outcome import Outcome, Usage
from reexec.engine.quick import quick


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Usage, (1.0, 2.0, 3)),
        (Usage, ()),
        (Outcome, ("value", [1], None, "", Usage())),
        (Verdict, ("accepted", None, Comparison(True))),
    ],
)
def test_objects_made_the_short_way_are_the_same(kind: type, values: tuple[object, ...]) -> None:
    made: object = quick(kind)(*values)
    usual = kind(*values)
    assert type(made) is kind
    assert made == usual
    assert repr(made) == repr(usual)
    assert hash(kind) == hash(type(made))
    assert copy.deepcopy(made) == usual
    assert pickle.loads(pickle.dumps(made)) == usual


def test_they_are_frozen_and_replaced_like_others() -> None:
    made = quick(Usage)(1.0)
    with pytest.raises(FrozenInstanceError):
        made.cpu_s = 2.0  # type: ignore[misc]
    assert replace(made, wall_s=3.0) == Usage(1.0, 3.0)


def test_two_objects_share_no_default() -> None:
    make = quick(Outcome)
    assert make("value").usage == Usage()
    assert make("value") is not make("value")
