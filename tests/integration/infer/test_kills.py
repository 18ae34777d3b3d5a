"""A server with faults of every kind, and `kill -9` at random moments: every row exactly once, nothing answered twice."""

import random
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from tests.support.helpers import read_rows, wait_until
from tests.support.infer import assert_key_nowhere, infer, log_of, logged, start_infer, write_prompts
from tests.support.server import Server, reply_to

KINDS: tuple[str, ...] = (
    "429:1",
    "429-date:0",
    "500",
    "503",
    "reset",
    "reset-body",
    "stall",
    "malformed",
    "no-choices",
    "length",
)
KINDS += ("content-filter",)
CONCURRENCY = 32


def faults_of(prompts: list[str], share: float, chance: random.Random) -> dict[str, list[str]]:
    """What the first requests of each prompt meet: every kind with the same chance, a row may have several."""
    plan = {}
    for prompt in prompts:
        kinds = [kind for kind in KINDS if chance.random() < share]
        chance.shuffle(kinds)
        plan[prompt] = [
            word for kind in kinds for word in ([kind] * chance.randint(1, 2) if kind in ("500", "503") else [kind])
        ]
    return plan


def answered_in(output: Path) -> set[str]:
    return {entry["id"] for entry in logged(output) if entry.get("finish_reason") == "stop"}


def has_answered(server: Server, mark: int, process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None or len(server.seen.answered) >= mark


def killed_and_gone_on(folder: Path, rows: int, kills: int, seed: int, share: float) -> str:
    chance = random.Random(seed)
    prompts = [f"question {n} of {seed}" for n in range(rows)]
    plan = faults_of(prompts, share, chance)
    messages, output = write_prompts(folder, prompts), folder / "out.jsonl"
    began, torn, runs = time.monotonic(), 0, 0
    more = ("--timeout", "1", "--concurrency", str(CONCURRENCY))

    mark = 0  # from so many answers on the server stands still, so that a run does not end before its kill

    def word(prompt: str, before: int) -> str:
        if mark and len(server.seen.answered) >= mark:
            return "stall"
        return plan[prompt].pop(0) if plan[prompt] else "ok"

    with Server(word, delay_s=0.02) as server:
        sealed: dict[str, int] = {}  # requests that an answered and logged prompt had had when a run was dead

        def seal() -> None:
            for row_id in answered_in(output):
                prompt = prompts[int(row_id[3:])]
                sealed.setdefault(prompt, server.seen.asked[prompt])

        for mark in sorted(chance.sample(range(1, rows - CONCURRENCY - 1), kills)):  # what is on its way is still answered
            process = start_infer(messages, output, server, *more)
            reached = partial(has_answered, server, mark, process)
            wait_until(reached, timeout=1200, what=f"{mark} answers")
            assert process.poll() is None, process.communicate()
            assert_key_nowhere(folder)
            process.kill()
            out, err = process.communicate(timeout=30)
            assert_key_nowhere(folder, out, err)
            if chance.random() < 0.5:  # a kill may also leave the beginning of a line
                with open(log_of(output), "ab") as log:
                    log.write(b'{"id": "row1", "index": 0, "dig'[: chance.randint(1, 30)])
                torn += 1
            seal()
        mark, rejected = 0, rows
        while rejected and runs < 8:  # what failed in one run is asked again by the next
            done = infer(messages, output, server, *more)
            assert done.code in (0, 1), done.err
            rejected, runs = done.summary["rejected"], runs + 1
            assert_key_nowhere(folder, done.out, done.err)
            seal()
        assert rejected == 0, done.err
        asked_twice = [prompt for prompt, count in sealed.items() if server.seen.asked[prompt] != count]
        assert not asked_twice
        sent, words = sum(server.seen.asked.values()), dict(server.seen.words)
        lost = sum(server.seen.answered.values()) - rows
    rows_out = read_rows(output)
    assert [row["id"] for row in rows_out] == [f"row{n}" for n in range(rows)]
    assert [row["output"] for row in rows_out] == [reply_to(prompt) for prompt in prompts]
    assert [row["provenance"] for row in rows_out] == [{"n": n} for n in range(rows)]
    assert lost <= CONCURRENCY * kills  # answered, but killed before the line was written: at most what was on its way
    faults = sum(count for kind, count in words.items() if kind != "ok")
    return (
        f"{rows} rows, {kills} kills ({torn} with a torn line), {runs} runs after them, {sent} requests, {faults} faults "
        f"{words}, {lost} answers lost to kills, {time.monotonic() - began:.0f} s"
    )


def test_rows_survive_faults_and_kills(tmp_path: Path) -> None:
    print(killed_and_gone_on(tmp_path, rows=150, kills=3, seed=1, share=0.02))


@pytest.mark.slow
def test_two_thousand_rows_survive_ten_percent_of_every_fault_and_ten_kills(tmp_path: Path) -> None:
    print(killed_and_gone_on(tmp_path, rows=2000, kills=10, seed=2, share=0.1))
