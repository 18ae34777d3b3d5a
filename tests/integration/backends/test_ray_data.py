"""Verifier on batches of columns, as Ray Data gives them: the words of `reexec verify`."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reexec.engine.errors import UsageError
from reexec.ray import Verifier
from tests.support.helpers import FUNCTIONS, example_responses, read_rows, reexec, write_rows

COLUMNS = ("itemid", "ioid", "io_pred", "output")


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    made = Verifier(FUNCTIONS)
    yield made
    made.close()


def test_batches_get_the_verdicts_of_verify(verifier: Verifier, tmp_path: Path) -> None:
    rows = [{name: row[name] for name in COLUMNS} for row in example_responses()[:40]]
    done = reexec("verify", write_rows(tmp_path / "r.jsonl", rows), "--functions", FUNCTIONS, "-o", tmp_path / "o.jsonl")
    assert done.code == 0, done.err
    wanted = read_rows(tmp_path / "o.jsonl")
    for begin in (0, 25):
        part = rows[begin : begin + 25]
        given = {name: np.array([row[name] for row in part]) for name in COLUMNS}
        batch = verifier(given)
        assert batch["output"] is given["output"]
        expected = wanted[begin : begin + 25]
        assert batch["verdict"] == [row["verdict"] for row in expected]
        assert batch["feedback"] == [row["res"]["message"] for row in expected]
        assert batch["status"] == [row["res"]["status"] for row in expected]
        assert batch["pair_id"] == [row["pair_id"] for row in expected]
        assert batch["reject"] == [None] * len(part)


def test_a_row_that_cannot_be_used_says_why_and_the_others_stay(verifier: Verifier) -> None:
    rows = example_responses()[:3]
    batch = {name: [row[name] for row in rows] for name in COLUMNS}
    batch["ioid"] = [batch["ioid"][0], 999, batch["ioid"][2]]
    done = verifier(batch)
    assert done["verdict"][0] is not None
    assert done["verdict"][1] is None
    assert "ioid is 999" in done["reject"][1]
    assert done["reject"][2] is None


def test_nulls_and_columns_of_any_kind_change_nothing(verifier: Verifier) -> None:
    rows = example_responses()[:2]
    batch = {name: [row[name] for row in rows] for name in COLUMNS}
    plain = verifier(batch)
    pictures = [b"\x89PNG", np.zeros((2, 2))]
    full = verifier({**batch, "id": [None, float("nan")], "index": [float("nan"), None], "picture": pictures})
    assert {name: full[name] for name in plain} == plain
    assert full["picture"] is pictures
    assert verifier({**batch, "output": [None, float("nan")]})["verdict"] == ["no-answer", "no-answer"]


def test_the_same_batch_twice_gives_the_same_and_repeats_nothing(verifier: Verifier) -> None:
    rows = example_responses()[:2]
    batch = {name: [row[name] for row in rows] for name in COLUMNS} | {"id": ["a", "b"]}
    first, second = verifier(batch), verifier(batch)
    assert json.dumps(first) == json.dumps(second)
    assert first["reject"] == [None, None]


def test_an_empty_batch_and_columns_of_different_lengths(verifier: Verifier) -> None:
    assert verifier({name: [] for name in COLUMNS})["verdict"] == []
    assert verifier({"other": [1, 2]})["verdict"] == [None, None]
    with pytest.raises(UsageError, match="same length"):
        verifier({"itemid": [0, 1], "ioid": [0]})
