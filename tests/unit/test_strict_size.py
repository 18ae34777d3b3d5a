"""`strict_check_size` of any object: as CodeI/O's rule with pympler decides, and the guard where the value is plain data."""

import subprocess
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

import pympler.asizeof
import pytest

from reexec import SizeRule, strict_check_size

asizeof: Any = pympler.asizeof.asizeof  # without types


@dataclass
class Point:
    x: Any = 1
    y: Any = 2


def original(value: Any) -> bool:
    """CodeI/O's rule in its own words."""
    if asizeof(value) >= 1024:
        return False
    if isinstance(value, dict):
        return len(value) < 20 and all(original(key) and original(child) for key, child in value.items())
    if isinstance(value, list | tuple | set):
        return len(value) < 20 and all(map(original, value))
    return len(value) < 100 if isinstance(value, str) else asizeof(value) < 128


VALUES = [
    {1, 2, 3}, set(range(19)), {b"a"}, {b"x" * 90}, {b"x" * 200}, [{"a", "b" * 99}], [{"a", "b" * 100}], b"", b"x" * 94,
    b"x" * 95,
    (1, {2}), {"k": {3: b"x"}}, {b"k": 1}, {(1, 2): {3}}, 3j, [1j] * 18, [1j] * 20, object(), [object()],
    Point(), Point("x" * 200), {"f": len},
    [b"x" * 60] * 15, [bytes([65 + n]) * 60 for n in range(15)], deque([1]), OrderedDict(a={1}),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[f"{number}" for number in range(len(VALUES))])
def test_other_objects_are_judged_as_pympler_judges_them(value: Any) -> None:
    found = strict_check_size(value)
    assert (found is None) is original(value), found


def test_the_finding_says_what_is_too_large_and_where() -> None:
    assert str(strict_check_size({"a": [1, {b"x" * 100}]})).startswith("$.a[1][0]: 136 bytes, limit 128")
    assert str(strict_check_size(({b"k"}, "x" * 100))) == "$[1]: 100 characters, limit 100"


def test_plain_data_has_the_answer_of_the_guard_and_needs_no_pympler() -> None:
    assert str(strict_check_size({"rows": [1, 2, 3, [0] * 24]})) == "$.rows[3]: 24 entries, limit 20"
    assert strict_check_size([1, "a", None, 2.5, (True,)]) is None
    assert strict_check_size([1] * 5, SizeRule(entries_below=5)) is not None
    program = "import sys, reexec; reexec.strict_check_size([1]); print('pympler' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_circles_end() -> None:
    circle: list[Any] = [{1}]
    circle.append(circle)
    assert strict_check_size(circle) is None
