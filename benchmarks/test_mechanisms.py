"""What a check is made of, each by itself; every suite asserts that its work is right."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from reexec.engine.arguments import encode_call
from reexec.engine.cache import OutcomeCache
from reexec.engine.decoding import read_outcome
from reexec.engine.executor import Executor
from reexec.engine.judging.compare import compare
from reexec.engine.judging.size_guard import check_size
from reexec.engine.pool.answer import of_result
from reexec.engine.program import Call
from reexec.engine.protocol import frames
from reexec.policies.comparison import ComparisonRule
from reexec.policies.model import Policy
from reexec.policies.size import SizeRule
from reexec.runners.answers import extract_answer
from reexec.runners.bench.workloads import OutputRows
from reexec.runners.bench.yardsticks import Floor

RESULTS = 64
VALUE: Any = {"rows": [[n, n / 3, f"row {n}", None, n % 2 == 0] for n in range(20)], "name": "totals"}
PAYLOAD = json.dumps(VALUE).encode()
TEXT = "The list is sorted first, then every third item is taken. " * 40 + f"\n```json\n{json.dumps({'output': VALUE})}\n```\n"


def test_fork(benchmark: BenchmarkFixture) -> None:
    """A hundred bare forks of a process without numpy."""
    floor = Floor(os.path.realpath("/proc/self/exe"), Policy.preset("codeio"), 1, False, 8 << 20)
    try:
        assert benchmark(lambda: floor.forks_per_s(100)) > 0
    finally:
        floor.close()


def test_frame_round_trip(benchmark: BenchmarkFixture) -> None:
    result = frames.Result(7, 1, 0, 10, 20, 30, PAYLOAD, b"", b"", b"")
    answers = frames.encode(result) * RESULTS
    call, _ = encode_call(Call.of({"n": 1}))

    def there_and_back() -> tuple[int, int]:
        sent = b"".join(frames.encode_check(number, 1, 0, call) for number in range(RESULTS))
        came = frames.Decoder(frames.ZYGOTE_SAYS, 1 << 20).feed(answers)
        return len(sent), sum(one == result for one in came)

    assert benchmark(there_and_back)[1] == RESULTS


def test_arguments_to_bytes(benchmark: BenchmarkFixture) -> None:
    call = Call.of({"given": VALUE})
    assert len(benchmark(lambda: encode_call(call))[0]) > 500


def test_result_to_value(benchmark: BenchmarkFixture) -> None:
    answer = of_result(frames.Result(7, 1, 0, 10, 20, 30, PAYLOAD, b"", b"", b""))
    assert benchmark(lambda: read_outcome(answer)).value == VALUE


def test_compare(benchmark: BenchmarkFixture) -> None:
    rule, other = ComparisonRule.preset("codeio"), json.loads(PAYLOAD)
    assert benchmark(lambda: compare(other, VALUE, rule)).equal


def test_size_guard(benchmark: BenchmarkFixture) -> None:
    small = {"rows": [[n, n / 3, "row"] for n in range(3)]}
    assert benchmark(lambda: check_size(small, SizeRule())) is None


def test_extract(benchmark: BenchmarkFixture) -> None:
    assert benchmark(lambda: extract_answer(TEXT, "output")).value == VALUE


def test_cache_keep_and_recall(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    with OutcomeCache(tmp_path) as cache:
        keys = [number.to_bytes(32, "big") for number in range(200)]

        def keep_and_recall() -> int:
            for key in keys:
                cache.put(key, PAYLOAD)
            return sum(cache.get(key) == PAYLOAD for key in keys)

        assert benchmark(keep_and_recall) == len(keys)


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=2) as pool:
        yield pool


def test_output_rows_from_file_to_file(benchmark: BenchmarkFixture, executor: Executor, tmp_path: Path) -> None:
    rows = OutputRows(tmp_path, 1000)
    assert benchmark(lambda: rows.per_s(executor)) > 0
