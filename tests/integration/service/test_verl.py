"""verl's sandbox client, in its published form (tests/support/verl_client.py), against the service: tests over standard input,
over functions and with assertions, many at a time, with its limits; each answer becomes the number that verl counts with."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import lacking
from tests.support.service import Service, service
from tests.support.verl_client import Result, check_correctness


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("verl"), "--workers", "2") as found:
        yield found


def results(served: Service, tests: dict[str, Any], program: str, **more: Any) -> list[Result]:
    found = check_correctness(f"{served.url}/run_code", tests, program, **more)
    assert all(type(one) is bool or -4 <= one <= -1 for one in found)
    return found


def same(found: list[Result], wanted: list[Result]) -> bool:
    """1 == True and 0 == False, and none of them is meant here."""
    return [(type(one), one) for one in found] == [(type(one), one) for one in wanted]


def test_forty_tests_over_standard_input_at_a_time(served: Service) -> None:
    tests = {"inputs": [f"{n}\n" for n in range(40)], "outputs": [2 * n if n % 3 else -1 for n in range(40)]}
    found = results(served, tests, "print(int(input()) * 2)", timeout=5)
    assert same(found, [n % 3 != 0 for n in range(40)])


ONE = {"inputs": ["1"], "outputs": ["1"]}


@pytest.mark.parametrize(
    ("program", "more", "result"),
    [
        ("print(input())", {}, True),
        ("print(input(), end='\\n\\n')", {}, True),
        ("print(2)", {}, False),
        ("", {}, False),
        ("raise ValueError(1)", {}, -2),
        ("def f(:", {}, -2),
        ("import sys\nprint(1)\nsys.exit(1)", {}, -2),
        ("import os\nos.kill(os.getpid(), 9)", {}, -2),
        ("x = bytearray(10 ** 8)\nprint(1)", {"memory_limit_mb": 50}, -2),
        ("x = bytearray(10 ** 7)\nprint(1)", {"memory_limit_mb": 50}, True),
        ("while True: pass", {"timeout": 1}, -3),
        ("import time\ntime.sleep(20)", {"timeout": 1}, -3),
        ("print('x' * 3_000_000)", {}, -2),
        ("print(1)", {"language": "perl"}, -1),
        ("echo 1", {"language": "bash"}, True),
        ("exit 4", {"language": "bash"}, -2),
        ("while :; do :; done", {"language": "bash", "timeout": 1}, -3),
    ],
)  # fmt: skip
def test_each_end_is_the_number_that_verl_counts_with(
    served: Service, program: str, more: dict[str, Any], result: Result
) -> None:
    assert same(results(served, ONE, program, **more), [result])


def test_tests_of_functions_and_of_methods(served: Service) -> None:
    tests = {"inputs": ['[1, 2]\n"x"', '[]\n{"a": null}', "[1]\n2"], "outputs": ['[1, 2, "x"]', '[{"a": null}]', "[1]"]}
    add = "def append_to(items, more):\n    return items + [more]"
    assert same(results(served, tests | {"fn_name": "append_to"}, add), [True, True, False])
    method = "class Solution:\n    def append_to(self, items: List[int], more) -> list:\n        return items + [more]"
    assert same(results(served, tests | {"fn_name": "append_to"}, method), [True, True, False])
    words = {"inputs": ["1", "true", '"s"', "null", ""], "outputs": ["1", "true", "s", "null", "nothing"], "fn_name": "same"}
    assert same(results(served, words, "def same(x='nothing'):\n    return x"), [True] * 5)
    # verl's own program catches what the function raises, so that is a wrong answer there.
    assert same(results(served, {**ONE, "fn_name": "f"}, "def f(x):\n    return 1 / 0"), [False])
    assert same(results(served, {**ONE, "fn_name": "f"}, "def g(x):\n    return x"), [False])
    assert same(results(served, {**ONE, "fn_name": "f"}, "def f(x):\n    while True: pass", timeout=1), [-3])


def test_assertions_behind_the_program(served: Service) -> None:
    tests = {"inputs": [None] * 3, "outputs": [None] * 3, "assert_case": ["assert f(1) == 2", "assert f(1) == 3", ""]}
    assert same(results(served, tests, "def f(x):\n    return x + 1"), [True, -2, True])


def test_what_does_not_compile_is_told_of_every_later_test(served: Service) -> None:
    if "cpp" not in httpx.get(f"{served.url}/v1/info", timeout=60).json()["languages"]:
        lacking("a C++ compiler")
    url, tests = f"{served.url}/run_code", {"inputs": ["1", "2", "3"], "outputs": ["1", "2", "4"]}
    right = '#include <cstdio>\nint main() { int n; if (scanf("%d", &n) == 1) printf("%d\\n", n); }'
    asked = {"language": "cpp", "code": right, "stdin": "1"}
    said = httpx.post(url, json=asked, timeout=120).json()["message"]
    if "leaves" in said and "to a check" in said:
        lacking("addresses for a C++ compiler")
    assert same(results(served, tests, right, language="cpp"), [True, True, False])
    assert same(results(served, tests, "int main( {", language="cpp"), [-4, -4, -4])
    endless = "int main() { for (volatile int i = 0;; i = 1 - i) {} }"
    assert same(results(served, ONE, endless, language="cpp", timeout=1), [-3])


def test_an_endless_program_holds_up_no_other_test(served: Service) -> None:
    """Twelve tests, half of them endless: all come back within what verl's client waits for one."""
    program = "n = int(input())\nwhile n % 2:\n    pass\nprint(n)"
    tests = {"inputs": [str(n) for n in range(12)], "outputs": [str(n) for n in range(12)]}
    began = time.monotonic()
    assert same(results(served, tests, program, timeout=1), [n % 2 == 0 or -3 for n in range(12)])
    assert time.monotonic() - began < 60


def test_a_full_or_missing_service_is_minus_one(served: Service) -> None:
    assert same(check_correctness("http://127.0.0.1:1/run_code", ONE, "print(1)"), [-1])
    assert same(check_correctness(f"{served.url}/nowhere", ONE, "print(1)"), [-1])
