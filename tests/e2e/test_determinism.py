"""Files are the same to the byte, whatever the number of workers and the load of the machine."""

from pathlib import Path

import pytest

from tests.support.busy import busy, busy_cores
from tests.support.helpers import FUNCTIONS, RESPONSES, example_responses, read_rows, reexec, write_rows
from tests.support.sample import subset

ROOMY = ("--set", "limits.cpu_s=2", "--set", "limits.idle_s=1")


def verified(folder: Path, name: str, responses: Path, workers: int, *more: str) -> dict[str, bytes]:
    output = folder / f"{name}.jsonl"
    done = reexec("verify", responses, "-f", FUNCTIONS, "-o", output, "-w", str(workers), *more, timeout=900)
    assert done.code == 0, done.err
    return {path.name.removeprefix(name): path.read_bytes() for path in folder.glob(f"{name}*.jsonl")}


def audited(folder: Path, name: str, functions: Path, workers: int) -> tuple[bytes, bytes]:
    output, keep = folder / f"{name}.jsonl", folder / f"{name}-kept.jsonl"
    done = reexec("audit", functions, "-o", output, "--keep", keep, "-w", str(workers), timeout=1800)
    assert done.code == 0, done.err
    return output.read_bytes(), keep.read_bytes()


def test_verify_writes_the_same_files_with_1_2_and_4_workers_and_under_load(tmp_path: Path) -> None:
    responses = write_rows(tmp_path / "responses.jsonl", example_responses())
    first = verified(tmp_path, "one", responses, 1)
    assert first.keys() == {".jsonl", ".passrates.jsonl"}
    assert verified(tmp_path, "two", responses, 2) == first
    with busy(busy_cores(8)):
        assert verified(tmp_path, "four", responses, 4) == first


@pytest.mark.slow
def test_ten_runs_over_all_examples_write_the_same_files(tmp_path: Path) -> None:
    first = verified(tmp_path, "first", RESPONSES, 2, *ROOMY)
    for number, workers in enumerate((1, 2, 4)):
        assert verified(tmp_path, f"idle{number}", RESPONSES, workers, *ROOMY) == first
    with busy(busy_cores(8)):
        for number, workers in enumerate((1, 2, 4, 1, 2, 4)):
            assert verified(tmp_path, f"loaded{number}", RESPONSES, workers, *ROOMY) == first
    assert all(row["verdict"] == row["expected_verdict"] for row in read_rows(tmp_path / "loaded0.jsonl"))


@pytest.mark.parametrize("count", [pytest.param(8, id="eight functions"), pytest.param(None, id="all", marks=pytest.mark.slow)])
def test_audit_writes_the_same_report_with_1_and_4_workers(count: int | None, tmp_path: Path) -> None:
    functions = subset(tmp_path, count)
    first = audited(tmp_path, "one", functions, 1)
    assert audited(tmp_path, "four", functions, 4) == first
    if count is None:
        with busy(busy_cores(4)):
            assert audited(tmp_path, "loaded", functions, 2) == first
