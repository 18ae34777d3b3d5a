"""Predictions labelled by construction, built from CodeI/O's sample: the confusion table of expected against
given verdicts has nothing off its diagonal."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.helpers import read_rows, reexec
from tests.support.label_predictions import OUTPUT_CHANGES, label
from tests.support.sample import subset


@pytest.mark.parametrize(
    ("functions", "pairs", "inputs"),
    [pytest.param(12, 2, 1, id="twelve functions"), pytest.param(None, 10, 2, id="all", marks=pytest.mark.slow)],
)
def test_every_labelled_prediction_gets_its_label(functions: int | None, pairs: int, inputs: int, tmp_path: Path) -> None:
    proven, predictions, output = (tmp_path / name for name in ("proven.jsonl", "predictions.jsonl", "verified.jsonl"))
    source = subset(tmp_path, functions, first=3)
    done = reexec("audit", source, "-o", tmp_path / "report.jsonl", "--keep", proven, "--json", timeout=1200)
    assert done.code == 0, done.err
    count = label(proven, predictions, pairs, inputs)
    done = reexec("verify", predictions, "-f", proven, "-o", output, "--json", timeout=1200)
    assert done.code == 0, done.err
    rows = read_rows(output)
    assert len(rows) == count
    wrong = [
        f"function {row['itemid']}, pair {row['ioid']}, made by {row['made_by']}: {row['verdict']}, expected "
        f"{row['expected_verdict']}: {row['output'][-300:]!r}"
        for row in rows
        if row["verdict"] != row["expected_verdict"]
    ]
    assert not wrong, f"{len(wrong)} of {count} rows:\n" + "\n".join(wrong[:20])
    table = Counter((row["made_by"], row["verdict"]) for row in rows)
    made = [made_by for made_by, (_, word) in OUTPUT_CHANGES.items() if table[made_by, word]]
    assert len(made) == len(OUTPUT_CHANGES) if functions is None else len(made) >= 4, made
    assert {word for _, word in table} >= {"accepted", "wrong-answer", "no-answer", "runtime-error"}
