"""Throughput as pytest-benchmark suites: figures that CI keeps. Ratios to other methods: `reexec bench`."""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.program import Check, Program
from reexec.policies.comparison import ComparisonRule
from reexec.runners.answers import extract_answer

CHECKS = 400


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=2) as pool:
        yield pool


@pytest.mark.parametrize("note", ["plain", "np"])
def test_check_many(benchmark: BenchmarkFixture, executor: Executor, note: str) -> None:
    program = Program(f"def f(n):\n    return n + 1  # {note}\n", "f")

    def run() -> int:
        return sum(v.accepted for v in executor.check_many(Check(program, {"n": n}, n + 1) for n in range(CHECKS)))

    assert benchmark(run) == CHECKS


def test_one_check_on_a_warm_executor(benchmark: BenchmarkFixture, executor: Executor) -> None:
    program = Program("def f(n):\n    return n + 1\n", "f")
    assert benchmark(lambda: executor.check(program, {"n": 1}, 2)).accepted


def test_output_prediction_without_execution(benchmark: BenchmarkFixture) -> None:
    text = "The list is sorted first, then every third item is taken. " * 20 + '\n```json\n{"output": [1, 4, 7]}\n```\n'
    rule = ComparisonRule.preset("codeio")

    def judge() -> bool:
        return compare(extract_answer(text, "output").value, [1, 4, 7], rule).equal

    assert benchmark(judge)
