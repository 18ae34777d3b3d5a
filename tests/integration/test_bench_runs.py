"""The benchmark itself, as small as it can be: every figure is there, above nothing, of work that is right."""

from pathlib import Path

import pytest

from reexec import Executor
from reexec.engine.errors import EngineError
from reexec.policies.layers import load_policy
from reexec.runners.bench import methods, workloads
from reexec.runners.bench.measuring import Size, measure, side_by_side
from reexec.runners.bench.methods.drive import TESTS_A_SAMPLE
from reexec.runners.bench.ratios import RATIOS
from tests.conftest import ROOT

TINY = Size(rounds=1, checks=60, fresh=20, fresh_numpy=2, rows=200, latency=10, starts=1)
LESS = ["limits.memory_bytes=192MiB"]


def test_a_run_measures_everything_and_every_work_is_right() -> None:
    policy = load_policy("codeio", settings=LESS)
    said: list[str] = []
    report = measure(policy, 2, TINY, arguments=["--set", *LESS], tell=said.append)
    assert report.ratios.keys() == {ratio.name for ratio in RATIOS}
    promised = "floor call batch fresh in_process mixed sample output_rows cache_hits"
    assert report.figures.keys() >= set(promised.split())
    assert not report.not_available
    assert report.host_us.keys() == {"call", "batch"}
    assert report.latency_ms["p99"] >= report.latency_ms["p50"] > 0
    assert report.scaling.keys() == {"1", "2"}
    numbers = [report.figures, report.host_us, report.ratios, report.limits, report.start_s, report.resident_mb, report.scaling]
    assert all(value > 0 for found in numbers for value in found.values())
    assert said


def test_every_method_gives_the_right_words() -> None:
    found = side_by_side(load_policy("codeio", settings=LESS), 2, TINY, tell=lambda _: None)
    assert found.keys() == {*methods.NAMES, "reexec"}
    assert all(value > 0 for value in found.values())


@pytest.mark.parametrize("name", methods.NAMES)
def test_a_method_sees_every_kind_of_end(name: str) -> None:
    checks = workloads.mixed(20)
    setting = methods.Setting("import math", 2, str(Path(ROOT / ".venv" / "bin" / "python")))
    said, elapsed_s = methods.words_of(name, checks, setting)
    assert elapsed_s > 0
    if name == "process":
        assert said == ["accepted", "accepted", "wrong-answer", "wrong-answer"]
        assert len(said) == len(checks) // TESTS_A_SAMPLE
    else:
        assert {word: said.count(word) for word in said} == workloads.mixed_words(20)


def test_a_figure_of_wrong_work_is_an_error() -> None:
    with Executor("codeio", workers=1) as executor, pytest.raises(EngineError, match="'wrong-answer': 5"):
        workloads.per_s(executor, workloads.mixed(20))
