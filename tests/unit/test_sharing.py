"""Which programs may share a fork among their checks: none that could leave a mark for the next one."""

import tomllib
from pathlib import Path

import pytest

from reexec.engine.zygote.sharing import reason_against

PROGRAMS = tomllib.loads(Path(__file__).with_name("sharing.toml").read_text())


@pytest.mark.parametrize("name", PROGRAMS["shares"])
def test_programs_that_leave_no_mark_share(name: str) -> None:
    assert reason_against(PROGRAMS["shares"][name]) == ""


@pytest.mark.parametrize("name", PROGRAMS["refused"])
def test_programs_that_could_leave_a_mark_do_not(name: str) -> None:
    assert reason_against(PROGRAMS["refused"][name]) != ""


@pytest.mark.parametrize(
    "source",
    ["(" * 5000 + ")" * 5000, "x" + ".a" * 100_000, "-" * 100_000 + "1", "\\0", "\\ud800 = 1"],
    ids=["brackets", "dots", "signs", "nul", "surrogate"],
)
def test_the_rule_is_total(source: str) -> None:
    assert isinstance(reason_against(source), str)


PRELUDE = (
    "import os, sys as system, json",
    "from os import path, system as run",
    "from collections import Counter",
    "from itertools import count",
    "import numpy as np",
)


@pytest.mark.parametrize(
    "source",
    [
        "def f(n):\n    return Counter(n)",
        "def f(n):\n    return json.dumps(n)",
        "count = 0\ndef f():\n    global count\n    count += 1\n    return count",
        "def run(n):\n    return n\ndef f(n):\n    return run(n)",
        "def f(path):\n    return path",
        "def f(n):\n    return [os for os in n]",
    ],
)
def test_names_of_the_prelude_may_be_used_and_bound_anew(source: str) -> None:
    assert reason_against(source, PRELUDE) == ""


@pytest.mark.parametrize(
    "source",
    [
        "def f(n):\n    return os.getpid()",
        "def f(n):\n    return run(n)",
        "def f(n):\n    return path",
        "system.modules",
        "system.setrecursionlimit(9)",
        "Counter.seen = 1",
        "C = Counter",
        "C = Counter\nCounter = 1",
        "def g():\n    return Counter\ng().seen = 1\nCounter = 1",
        "if 0:\n    Counter = 1\nCounter.seen = 1",
        "Counter = 1\ndel Counter\nCounter.seen = 1",
        "json.seen = 1",
        "np.seterr(all='raise')",
        "from os import *",
    ],
)
def test_names_of_the_prelude_count_like_imports(source: str) -> None:
    assert reason_against(source, PRELUDE) != ""


def test_what_a_prelude_hides_in_a_star_is_not_trusted() -> None:
    assert reason_against("def f(n):\n    return n", ("from os import *",)) != ""
