"""Pass rates: of prompts with several samples, by pair and side, without the rows that the engine failed on."""

from pathlib import Path
from typing import Any

import pytest

from reexec.runners.stages.verify.pass_rates import write_pass_rates
from tests.support.helpers import read_rows, write_rows


def row(pair: str, verdict: str, side: str = "o", **more: Any) -> dict[str, Any]:
    return {"function_id": pair[0], "pair_id": pair, "io_pred": side, "verdict": verdict, **more}


def rates(folder: Path, *rows: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    output = write_rows(folder / "v.jsonl", rows)
    means = write_pass_rates(output)
    path = folder / "v.passrates.jsonl"
    return means, read_rows(path) if path.exists() else []


def test_rows_that_the_engine_failed_on_do_not_count(tmp_path: Path) -> None:
    means, rows = rates(
        tmp_path, row("a1", "accepted"), row("a1", "wrong-answer"), row("a1", "engine-error"), row("a2", "accepted"),
        row("a2", "engine-error"),
    )  # fmt: skip
    assert means is not None
    assert [(each["samples"], each["accepted"]) for each in rows if "pair_id" in each] == [(2, 1), (1, 1)]
    assert means["mean_over_pairs"] == 0.75


def test_sides_of_a_pair_are_prompts_of_their_own(tmp_path: Path) -> None:
    means, rows = rates(
        tmp_path, row("a1", "accepted"), row("a1", "accepted"), row("a1", "wrong-answer", "i"), row("a1", "wrong-answer", "i")
    )
    assert means is not None
    assert means["prompts"] == 2
    assert [each["pass_rate"] for each in rows if "pair_id" in each] == [1.0, 0.0]


def test_prompts_of_a_later_turn_are_told_apart_by_their_id(tmp_path: Path) -> None:
    means, _ = rates(
        tmp_path, row("a1", "accepted", id="x", original_id="1"), row("a1", "wrong-answer", id="y", original_id="2"),
        row("a1", "accepted", id="x", original_id="1"),
    )  # fmt: skip
    assert means is not None
    assert means["prompts"] == 2


def test_functions_weigh_the_same_whatever_their_pairs(tmp_path: Path) -> None:
    rows = [row("a1", "accepted")] * 2 + [row(f"b{n}", "wrong-answer") for n in range(3) for _ in range(2)]
    means, _ = rates(tmp_path, *rows)
    assert means is not None
    assert means["mean_over_functions"] == pytest.approx(0.5)
    assert means["mean_over_pairs"] == pytest.approx(0.25)


def test_one_sample_for_each_prompt_is_no_rate(tmp_path: Path) -> None:
    (tmp_path / "v.passrates.jsonl").write_text("of an earlier run\n")
    assert rates(tmp_path, row("a1", "accepted"), row("a2", "accepted")) == (None, [])
