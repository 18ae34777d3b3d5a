"""Revise: failed rows become the next turn's messages; the history grows and nothing is lost on the way."""

from pathlib import Path

import pytest

from reexec.runners.records.turns import read_turn, revision_id
from reexec.runners.stages.revise import ReviseSettings, revise
from tests.support.helpers import Row, read_rows, reexec, write_rows
from tests.support.turns import verified


def revised(tmp_path: Path, *rows: Row | str) -> list[Row]:
    revise(write_rows(tmp_path / "v.jsonl", rows), tmp_path / "m.jsonl")
    return read_rows(tmp_path / "m.jsonl")


def test_the_messages_grow_by_the_answer_and_the_feedback(tmp_path: Path) -> None:
    row = verified("a")
    (asked,) = revised(tmp_path, row)
    first, answer, feedback = asked["messages"]
    assert first == row["messages"][0]
    assert answer == {"role": "assistant", "content": "answer a.0"}
    assert feedback["role"] == "user"
    assert "said of a.0" in feedback["content"]
    assert '{"output": ...}' in feedback["content"]
    for name in ("itemid", "ioid", "io_pred", "function_id", "pair_id", "provenance"):
        assert asked[name] == row[name]
    assert (asked["retry_count"], asked["history_errors"], asked["original_id"]) == (1, ["said of a.0"], row["id"])
    assert asked.keys().isdisjoint({"output", "verdict", "res", "model", "usage"})


def test_the_next_turn_goes_on_from_the_grown_messages(tmp_path: Path) -> None:
    row = verified("a", index=4)
    (second,) = revised(tmp_path, row)
    judged = {**second, "index": 0, "output": "again", "verdict": "cpu-limit", "res": {"message": "too slow"}}
    (tmp_path / "next").mkdir()
    (third,) = revised(tmp_path / "next", judged)
    assert [message["role"] for message in third["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert (third["retry_count"], third["history_errors"]) == (2, ["said of a.4", "too slow"])
    assert (third["original_id"], third["original_index"]) == (row["id"], 4)
    assert third["id"] == revision_id(read_turn(judged), 3)
    assert len({row["id"], second["id"], third["id"]}) == 3


def test_samples_of_one_prompt_get_revisions_with_ids_of_their_own(tmp_path: Path) -> None:
    rows = revised(tmp_path, *(verified("a", index=index) for index in range(3)))
    assert len({row["id"] for row in rows}) == 3
    assert {row["original_id"] for row in rows} == {"id of a"}


def test_accepted_rows_and_those_the_engine_failed_on_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = [verified("a", "accepted"), verified("b"), verified("c", "engine-error"), verified("d", "no-answer")]
    summary = revise(write_rows(tmp_path / "v.jsonl", rows), tmp_path / "m.jsonl")
    assert (summary.rows, summary.counts["accepted"], summary.counts["unchecked"], summary.rejected) == (2, 1, 1, 0)
    assert summary.counts["verdicts"] == {"no-answer": 1, "wrong-answer": 1}
    assert [row["original_id"] for row in read_rows(tmp_path / "m.jsonl")] == ["id of b", "id of d"]


@pytest.mark.parametrize(("status", "asked"), [("success", 0), ("failed", 1), ("AssertionError", 1), ("error", 0)])
def test_rows_of_the_original_are_judged_by_their_status(status: str, asked: int, tmp_path: Path) -> None:
    row = verified("a", res={"status": status, "message": "said"})
    del row["verdict"]
    assert len(revised(tmp_path, row)) == asked


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**verified("a"), "messages": None}, "at $.messages"),
        ({**verified("a"), "messages": [{"role": "user"}, {"content": "x"}]}, "at $.messages[1].role"),
        ({**verified("a"), "id": None}, "at $.id"),
        ({**verified("a"), "res": {}}, "at $.res.message"),
        ({**verified("a"), "io_pred": "x"}, "at $.io_pred"),
        ({**verified("a"), "retry_count": "1"}, "at $.retry_count"),
        ({"output": "never verified"}, "at $.verdict"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_rows_that_cannot_be_asked_again_are_rejected_with_the_reason(row: Row | str, said: str, tmp_path: Path) -> None:
    assert revised(tmp_path, row) == []
    (reject,) = read_rows(tmp_path / "m.rejects.jsonl")
    assert said in reject["reason"]


def test_the_wording_is_a_template(tmp_path: Path) -> None:
    (tmp_path / "revise.toml").write_text('[output]\ntext = "No: {message}"\n[input]\ntext = "Nope: {message}"\n')
    source = write_rows(tmp_path / "v.jsonl", [verified("a"), verified("b", io_pred="i")])
    revise(source, tmp_path / "m.jsonl", ReviseSettings(templates=tmp_path))
    said = [row["messages"][-1]["content"] for row in read_rows(tmp_path / "m.jsonl")]
    assert said == ["No: said of a.0", "Nope: said of b.0"]


def test_the_command_tells_what_was_asked_again_and_what_was_not(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "v.jsonl", [verified("a"), verified("b", "accepted"), verified("c", "engine-error")])
    done = reexec("revise", source, "-o", tmp_path / "m.jsonl", "--json")
    assert done.code == 1, "a row is not checked"
    told = {name: done.summary[name] for name in ("rows", "accepted", "engine_errors", "rejected", "verdicts")}
    assert told == {"rows": 1, "accepted": 1, "engine_errors": 1, "rejected": 0, "verdicts": {"wrong-answer": 1}}
