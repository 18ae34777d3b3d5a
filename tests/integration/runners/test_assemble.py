"""Assemble: turns that belong together become one row, in the order of the first turn's file; nothing is lost or mixed up."""

import random
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.stage import Summary
from reexec.runners.stages.assemble import AssembleSettings, assemble
from tests.e2e.test_resume import killed_and_left_in_peace
from tests.support.helpers import Row, read_rows, reexec, write_rows
from tests.support.turns import after, verified

FIVE = ("prompt", "turn_1", "feedback_1", "turn_2", "feedback_2")


def assembled(tmp_path: Path, *turns: list[Row], **more: Any) -> tuple[Summary, list[Row]]:
    paths = [write_rows(tmp_path / f"v{number}.jsonl", rows) for number, rows in enumerate(turns, start=1)]
    settings = AssembleSettings(later=tuple(paths[1:]), **more)
    return assemble(paths[0], tmp_path / "final.jsonl", settings), read_rows(tmp_path / "final.jsonl")


def test_a_first_turn_that_is_right_has_no_second_one(tmp_path: Path) -> None:
    summary, (row,) = assembled(tmp_path, [verified("a", "accepted")])
    assert list(row)[:5] == list(FIVE)
    assert [row[name] for name in FIVE] == ["question a", "answer a.0", "said of a.0", None, None]
    assert (row["id"], row["index"], row["io_pred"]) == ("id of a", 0, "o")
    assert (row["function_id"], row["pair_id"]) == ("f", "pair a")
    assert (row["verdicts"], row["provenance"]) == (["accepted"], {"license": "MIT"})
    assert summary.counts["accepted"] == {"1": 1}


def test_turns_are_found_by_their_ids_in_whatever_order_the_later_file_has_them(tmp_path: Path) -> None:
    first = [verified(str(number), "accepted" if number % 3 == 0 else "wrong-answer") for number in range(30)]
    second = [after(row, "accepted" if number % 2 else "wrong-answer") for number, row in enumerate(first) if number % 3]
    random.Random(1).shuffle(second)
    summary, rows = assembled(tmp_path, first, second)
    assert [row["id"] for row in rows] == [row["id"] for row in first]
    for number, row in enumerate(rows):
        assert row["turn_2"] == (f"turn 2 of answer {number}.0" if number % 3 else None)
        assert len(row["verdicts"]) == (2 if number % 3 else 1)
    assert (summary.rows, summary.counts["accepted"], summary.counts["failed"]) == (30, {"1": 10, "2": 10}, 10)
    assert (summary.counts["without_next_turn"], summary.counts["unmatched"]) == (0, 0)


def test_any_number_of_turns(tmp_path: Path) -> None:
    first = verified("a")
    second = after(first)
    third = after(second, turn=3)
    fourth = after(third, "accepted", turn=4)
    summary, (row,) = assembled(tmp_path, [first], [second], [third], [fourth], turns=5)
    assert row["turn_4"] == f"turn 4 of {third['output']}"
    assert (row["turn_5"], row["feedback_5"]) == (None, None)
    assert row["verdicts"] == ["wrong-answer", "wrong-answer", "wrong-answer", "accepted"]
    assert summary.counts["accepted"] == {"4": 1}


def test_a_failure_whose_next_turn_is_missing_is_kept_and_counted(tmp_path: Path) -> None:
    first = [verified("a"), verified("b"), verified("c")]
    summary, rows = assembled(tmp_path, first, [after(first[0]), after(first[1], "engine-error")])
    assert [row["turn_2"] is None for row in rows] == [False, True, True]
    assert (summary.counts["failed"], summary.counts["without_next_turn"]) == (3, 2)


def test_rows_of_a_later_turn_that_belong_to_nothing_are_counted(tmp_path: Path) -> None:
    stranger = after(verified("stranger"))
    summary, rows = assembled(tmp_path, [verified("a")], [stranger])
    assert rows[0]["turn_2"] is None
    assert summary.counts["unmatched"] == 1


def test_samples_of_one_prompt_keep_their_own_second_turns(tmp_path: Path) -> None:
    first = [verified("a", index=index) for index in range(4)]
    _, rows = assembled(tmp_path, first, [after(row) for row in reversed(first)])
    assert [row["turn_2"] for row in rows] == [f"turn 2 of answer a.{index}" for index in range(4)]


def test_of_several_samples_of_a_later_turn_the_first_right_one_counts(tmp_path: Path) -> None:
    first = [verified("a"), verified("b")]
    second = [
        after(first[0], index=0),
        after(first[0], "accepted", index=1, output="right"),
        after(first[0], "accepted", index=2),
        after(first[1], index=0, output="one"),
        after(first[1], index=1, output="two"),
    ]
    summary, rows = assembled(tmp_path, first, second)
    assert [row["turn_2"] for row in rows] == ["right", "one"]
    assert (summary.counts["other_samples"], summary.counts["unmatched"]) == (3, 0)


def test_a_first_turn_that_the_engine_failed_on_is_left_out_and_counted(tmp_path: Path) -> None:
    summary, rows = assembled(tmp_path, [verified("a", "engine-error"), verified("b", "accepted")])
    assert [row["id"] for row in rows] == ["id of b"]
    assert summary.counts["dropped"] == {"unchecked": 1}


def test_only_successes_duplicates_and_the_cap(tmp_path: Path) -> None:
    first = [
        verified("a", "accepted"),
        verified("a", "accepted", index=1, output="answer a.0"),
        verified("b"),
        verified("c"),
        verified("d", "accepted"),
        verified("e", "accepted"),
        verified("f", "accepted", function_id="g"),
    ]
    second = [after(first[2]), after(first[3], "accepted")]
    summary, rows = assembled(tmp_path, first, second, only_successes=True, deduplicate=True, max_per_function=3)
    assert [row["id"][-1] for row in rows] == ["a", "c", "d", "f"]
    assert summary.counts["dropped"] == {"duplicate": 1, "failed": 1, "over-cap": 1}
    assert summary.rows + sum(summary.counts["dropped"].values()) == len(first)


def test_the_prompt_is_what_the_user_asked_and_the_systems_words_lie_beside(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"}]
    _, (row,) = assembled(tmp_path, [verified("a", messages=messages)])
    assert (row["prompt"], row["system"]) == ("What?", "Be brief.")


def test_examples_before_the_prompt_are_kept_as_its_history(tmp_path: Path) -> None:
    def say(role: str, content: Any) -> Row:
        return {"role": role, "content": content}

    messages = [
        *(say("developer", "Be brief."), say("user", "One?"), say("user", "Or two?"), say("assistant", ["1"])),
        *(say("user", "Three?"), say("assistant", "3"), say("user", "What?")),
    ]  # fmt: skip
    same = verified("a", messages=messages)
    other = verified("b", messages=[say("user", "What?")], output=same["output"])
    summary, rows = assembled(tmp_path, [same, other, same], deduplicate=True)
    assert (rows[0]["prompt"], rows[0]["system"]) == ("What?", "Be brief.")
    assert rows[0]["history"] == [["One?\n\nOr two?", "1"], ["Three?", "3"]]
    assert "history" not in rows[1]
    assert summary.counts["dropped"] == {"duplicate": 1}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (verified("a", messages=[{"role": "assistant", "content": "x"}]), "an answer before any question, at $.messages[0]"),
        (
            verified("a", messages=[{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}]),
            "the messages end with an answer, at $.messages[1]",
        ),
        (after(verified("a")), "the first turn's file comes first, at $.original_id"),
        (verified("a", messages=[]), "at $.messages"),
        (verified("a", messages=[{"role": "system", "content": "x"}]), "no message of the user"),
        (verified("a", id=[7]), "at $.id"),
    ],
)
def test_rows_that_cannot_be_used_are_rejected_with_the_reason(row: Row, said: str, tmp_path: Path) -> None:
    summary, rows = assembled(tmp_path, [row, verified("b")])
    assert (len(rows), summary.rejected) == (1, 1)
    assert said in summary.first_reject


def test_a_later_file_that_is_not_verified_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"v2.jsonl, line 1: not a verified row: it has no verdict, at \$.verdict"):
        assembled(tmp_path, [verified("a")], [{"output": "x"}])


def test_another_later_file_is_another_run(tmp_path: Path) -> None:
    first = verified("a")
    assembled(tmp_path, [first], [after(first)])
    with pytest.raises(UsageError, match="another later turns"):
        assembled(tmp_path, [first], [after(first, "accepted")])
    with pytest.raises(UsageError, match="2 files of turns"):
        assembled(tmp_path, [first], [after(first)], turns=1)


def test_compressed_turns_are_read_like_others(tmp_path: Path) -> None:
    first = [verified(str(number)) for number in range(5)]
    paths = [write_rows(tmp_path / "v1.jsonl.gz", first), write_rows(tmp_path / "v2.jsonl.gz", [after(row) for row in first])]
    assemble(paths[0], tmp_path / "final.jsonl.gz", AssembleSettings(later=tuple(paths[1:])))
    assert all(row["turn_2"] for row in read_rows(tmp_path / "final.jsonl.gz"))


def test_a_killed_assemble_ends_with_the_files_of_one_left_in_peace(tmp_path: Path) -> None:
    first = [verified(str(number), function_id=str(number % 900)) for number in range(40_000)]
    for number in range(0, len(first), 7):
        first[number] = {
            **first[number],
            "messages": [{"role": "user", "content": "same"}],
            "output": "same",
            "function_id": "s",
        }
    for number in range(3, len(first), 500):
        first[number] = {"output": "not verified"}
    second = [after(row, "accepted") for number, row in enumerate(first) if "id" in row and number % 2]
    paths = [write_rows(tmp_path / f"v{turn}.jsonl", rows) for turn, rows in enumerate((first, second), start=1)]
    output = tmp_path / "final.jsonl"
    command = ["assemble", *map(str, paths), "-o", str(output), "--deduplicate", "--max-per-function", "20"]
    progress = killed_and_left_in_peace(command, output, (), 4, seed=5)
    assert any(0 < lines < len(first) for lines in progress), f"no kill in the middle: {progress}"


def test_the_command_tells_what_became_of_the_turns(tmp_path: Path) -> None:
    first = [verified("a"), verified("b", "accepted"), verified("c", "engine-error"), verified("d")]
    paths = [write_rows(tmp_path / "v1.jsonl", first), write_rows(tmp_path / "v2.jsonl", [after(first[0], "accepted")])]
    done = reexec("assemble", *paths, "-o", tmp_path / "final.jsonl", "--json")
    assert done.code == 1, "a row is not checked"
    told = {name: done.summary[name] for name in ("rows", "accepted", "failed", "without_next_turn", "dropped", "unmatched")}
    assert told == {"rows": 3, "accepted": {"1": 1, "2": 1}, "failed": 1, "without_next_turn": 1,
                    "dropped": {"unchecked": 1}, "unmatched": 0}  # fmt: skip
