"""What a completion is worth: CodeI/O pairs, tests and benchmark problems, one at a time and in batches."""

import asyncio
import json
import time
from typing import Any

import pytest

from reexec import Check, Executor, Program, UsageError, load_policy
from reexec.rewards import Reward
from tests.integration.rewards.material import (
    CALLS,
    DOUBLE,
    HUMANEVAL,
    LOOP,
    MBPP,
    SQUARE,
    STDIN,
    fenced,
    says_input,
    says_output,
    truth,
)

REWARD = Reward(workers=2, settings=("limits.cpu_s=1", "limits.idle_s=1", "limits.confirm=false"))
MAXIMUM = "data = open(0).read().split()\nprint(max(map(int, data[1:])))\n"


def words(completions: list[Any], truths: list[Any], reward: Reward = REWARD) -> list[tuple[float | None, str]]:
    return [(score.reward, score.verdict) for score in reward.score_many(completions, truths)]


def test_a_right_answer_is_worth_one_and_every_other_nothing() -> None:
    completions = [says_output(10), says_output(11), "It is ten.", "", None, says_output(10)[:-1]]
    assert words(completions, [truth("o")] * 6) == [
        (1.0, "accepted"), (0.0, "wrong-answer"), *[(0.0, "no-answer")] * 4,
    ]  # fmt: skip


def test_any_input_that_gives_the_output_is_right() -> None:
    square = truth("i", SQUARE, "square", {"n": 3}, 9)
    completions = [says_input({"n": 3}), says_input({"n": -3}), says_input([-3]), says_input({"n": 4}), says_input(-3)]
    assert words(completions, [square] * 5) == [
        (1.0, "accepted"), (1.0, "accepted"), (1.0, "accepted"), (0.0, "wrong-answer"), (0.0, "no-answer"),
    ]  # fmt: skip


def test_a_runaway_completion_costs_only_itself() -> None:
    loop = truth("i", LOOP, "f", {"n": 0}, 0)
    completions = [says_input({"n": 0}), says_input({"n": 1}), says_input({"m": 1}), says_input({"n": 0})]
    assert words(completions, [loop] * 4) == [
        (1.0, "accepted"), (0.0, "cpu-limit"), (0.0, "runtime-error"), (1.0, "accepted"),
    ]  # fmt: skip


def test_chat_form_is_the_same_as_plain_text() -> None:
    right, wrong = says_output(10), says_output(11)
    user = {"role": "user", "content": 'Answer as {"output": 10}.'}
    completions = [
        [{"role": "assistant", "content": right}],
        [{"role": "assistant", "content": wrong}, user, {"role": "assistant", "content": right}],
        [{"role": "assistant", "content": wrong}, {"role": "tool", "content": right}],
        [user, {"role": "assistant", "content": None, "tool_calls": []}],
        [{"role": "assistant", "content": [{"type": "thinking", "thinking": right}, {"type": "text", "text": wrong}]}],
        {"role": "assistant", "content": right},
        [{"role": "assistant", "content": f"<think>{right}</think>"}],
        [],
    ]
    found = [reward for reward, _ in words(completions, [truth("o")] * len(completions))]
    assert found == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]


def test_code_is_graded_by_tests_over_input_and_calls_and_by_benchmark_problems() -> None:
    double, wrong = fenced(DOUBLE), fenced("def double(n):\n    return n + 3\n")
    for problem in (CALLS, HUMANEVAL, MBPP):
        assert [reward for reward, _ in words([double, wrong, "no idea"], [problem] * 3)] == [1.0, 0.0, 0.0], problem
    assert words([fenced(MAXIMUM), fenced("print(5)\n"), ""], [STDIN] * 3) == [
        (1.0, "accepted"), (0.0, "wrong-answer"), (0.0, "no-answer"),
    ]  # fmt: skip


def test_a_base_models_completion_continues_the_prompt() -> None:
    assert words(["    return 2 * n\n", "    return n\n"], [HUMANEVAL] * 2) == [(1.0, "accepted"), (0.0, "wrong-answer")]


def test_fractions_are_the_share_of_tests_that_pass() -> None:
    reward = Reward(workers=2, grade="fraction")
    found = words([fenced("def double(n):\n    return 0\n"), fenced(DOUBLE)], [CALLS] * 2, reward)
    assert found == [(0.5, "wrong-answer"), (1.0, "accepted")]


def test_every_spelling_of_a_truth_is_the_same_truth() -> None:
    text = truth("o")
    spellings: list[Any] = [
        text, json.loads(text), {"ground_truth": text}, {"reward_model": {"style": "rule", "ground_truth": text}},
        {"ground_truth": json.loads(text), "prompt": "x"}, {"answer": text}, {"info": {"ground_truth": text}},
    ]  # fmt: skip
    assert words([says_output(10)] * len(spellings), spellings) == [(1.0, "accepted")] * len(spellings)
    calls: list[Any] = [CALLS, json.dumps(CALLS), {"input_output": json.dumps(CALLS)}, {"ground_truth": json.dumps(CALLS)}]
    assert [reward for reward, _ in words([fenced(DOUBLE)] * 4, calls)] == [1.0] * 4
    cases = [{"input": "1\n4\n", "output": "4\n"}]
    assert [reward for reward, _ in words([fenced(MAXIMUM)] * 3, [cases, json.dumps(cases), {"tests": cases}])] == [1.0] * 3


def test_one_batch_may_mix_all_kinds() -> None:
    truths = [truth("o"), STDIN, truth("i"), HUMANEVAL, {"nothing": 1}]
    completions = [says_output(10), fenced(MAXIMUM), says_input({"n": 5}), fenced(DOUBLE), "?"]
    scores = REWARD.score_many(completions, truths)
    assert [score.reward for score in scores] == [1.0, 1.0, 1.0, 1.0, None]
    assert scores[4].missing == "row"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "nothing to judge by"),
        ("42", "not JSON of an object"),
        ("{", "not JSON"),
        ({"io_pred": "x", "refcode": "", "funcname": "", "output": 1}, "$.io_pred"),
        ({"io_pred": "o", "refcode": "", "funcname": "f"}, "$.output"),
        ({"inputs": ["1"], "outputs": []}, "as many inputs as outputs"),
        ({"inputs": [], "outputs": []}, "without a single test"),
        ({"ground_truth": None, "prompt": "?"}, "no ground_truth"),
        ({"base_input": [[1]], "task_id": "a/1"}, "entry_point"),
    ],
)
def test_a_row_that_nothing_can_be_judged_by_gets_no_reward_and_harms_no_other(row: Any, reason: str) -> None:
    bad, good = REWARD.score_many(["x", says_output(10)], [row, truth("o")])
    assert (bad.reward, bad.missing) == (None, "row")
    assert reason in bad.detail
    assert good.reward == 1.0


def test_wrong_settings_and_numbers_are_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="1 completions and 2 rows"):
        REWARD.score_many(["x"], [truth("o")] * 2)
    with pytest.raises(UsageError, match="grade"):
        Reward(grade="half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="compare is 'equal'; it must be one of lines, tokens, numbers, apps, livecodebench"):
        Reward(compare="equal")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="timeout"):
        Reward(timeout=0)
    with pytest.raises(UsageError, match="no_such"):
        Reward(settings=("limits.no_such=1",)).score(says_output(10), truth("o"))


def test_a_batch_costs_what_its_checks_cost() -> None:
    count = 256
    completions = [says_input({"n": n}) for n in range(count)]
    truths = [truth("i")] * count
    program = Program(DOUBLE, "double")
    with Executor(load_policy("codeio"), workers=2) as executor:
        list(executor.check_many([Check(program, {"n": 1}, 10)] * 64))
        REWARD.score_many(completions[:64], truths[:64])
        ratios: list[float] = []
        single: list[float] = []
        while len(ratios) < 9 and not (ratios and min(ratios) < 2.0 and max(single) > 1.2):
            begun = time.perf_counter()
            list(executor.check_many(Check(program, {"n": n}, 10) for n in range(count)))
            checked = time.perf_counter()
            REWARD.score_many(completions, truths)
            rewarded = time.perf_counter()
            for completion in completions:
                REWARD.score(completion, truths[0])
            ratios.append((rewarded - checked) / (checked - begun))
            single.append((time.perf_counter() - rewarded) / (rewarded - checked))
    assert min(ratios) < 2.0, ratios  # others may have the processors in any of them
    assert max(single) > 1.2, single


def test_sleepers_of_a_batch_sleep_side_by_side_with_the_rest() -> None:
    sleeper = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)
    begun = time.perf_counter()
    scores = REWARD.score_many([says_input({"s": 0.3})] * 4 + [says_output(10)], [sleeper] * 4 + [truth("o")])
    assert [score.reward for score in scores] == [1.0] * 5
    assert time.perf_counter() - begun < 60


def test_a_deadline_is_elapsed_time_and_no_verdict() -> None:
    sleeper = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)
    reward = Reward(workers=2, timeout=4.0)
    Reward(workers=2).score(says_input({"s": 0}), sleeper)
    scores = reward.score_many([says_input({"s": 0}), says_input({"s": 60}), says_output(10)], [sleeper, sleeper, truth("o")])
    assert [(score.reward, score.verdict, score.missing) for score in scores] == [
        (1.0, "accepted", ""), (None, "", "deadline"), (1.0, "accepted", ""),
    ]  # fmt: skip
    assert reward.score(says_input({"s": 0}), sleeper).reward == 1.0


def test_awaited_calls_run_side_by_side_and_alone() -> None:
    async def main() -> list[float | None]:
        calls = [REWARD.ascore(says_input({"n": 5 + n % 2}), truth("i")) for n in range(40)]
        batch = REWARD.ascore_many([says_input({"n": 5})] * 8, [truth("i")] * 8)
        singles, many = await asyncio.gather(asyncio.gather(*calls), batch)
        return [score.reward for score in (*singles, *many)]

    assert asyncio.run(main()) == [1.0, 0.0] * 20 + [1.0] * 8


def test_an_event_loop_goes_on_while_rewards_are_awaited() -> None:
    sleeper = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)

    async def main() -> int:
        waiting = asyncio.ensure_future(REWARD.ascore(says_input({"s": 0.5}), sleeper))
        turns = 0
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0.02)
        assert (await waiting).reward == 1.0
        return turns

    assert asyncio.run(main()) >= 3  # none at all where the loop is held up


CRUX = {"id": "sample_0", "code": "def f(a, b=1):\n    return [a] * b\n", "input": "'x', 2", "output": "['x', 'x']"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("['x', 'x']", "accepted"), ("['x']", "wrong-answer"), ("('x', 'x')", "wrong-answer"),
        ("[ANSWER]f('x', 2) == ['x', 'x'][/ANSWER]", "accepted"), ("assert f('x', 2) == ['x', 'x']", "accepted"),
        ("Two of them.\n[ANSWER]\n['x']\n[/ANSWER]\nNo: [ANSWER]['x', 'x'][/ANSWER]", "accepted"),
        ("<think>['x']</think>\nIt is\n```python\n['x', 'x']\n```\n", "accepted"),
        ("I think.</think>['x', 'x']", "accepted"), ("<think>['x', 'x']", "no-answer"),
        (" ['x', 'x'][/ANSWER]\n[PYTHON]", "accepted"), ("The output is `['x', 'x']`.", "accepted"),
        ("['x', 'x']\nor maybe more", "no-answer"), ("['x'] * 2", "no-answer"), ("f('x', 2)", "no-answer"), ("", "no-answer"),
        ("__import__('os')._exit(0)", "no-answer"),
    ],
)  # fmt: skip
def test_an_output_of_cruxeval_is_read_as_its_prompts_ask_for_it(text: str, found: str) -> None:
    assert words([text], [{**CRUX, "mode": "output"}]) == [(float(found == "accepted"), found)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f('x', 2)", "accepted"), ("f('x', b=2)", "accepted"), ("[ANSWER]assert f('x', 2) == 3[/ANSWER]", "accepted"),
        ("f('x')", "wrong-answer"), ("f('x', 2, 3)", "runtime-error"), ("f(1 + 1)", "no-answer"), ("'x', 2", "no-answer"),
        ("g('x', 2)", "no-answer"), ("f('x', __import__('os').getpid())", "no-answer"),
    ],
)  # fmt: skip
def test_any_input_of_cruxeval_that_gives_the_output_is_right(text: str, found: str) -> None:
    assert words([text], [{**CRUX, "io_pred": "i"}]) == [(float(found == "accepted"), found)]


def test_an_expected_output_of_cruxeval_may_be_an_expression() -> None:
    row = {**CRUX, "output": "['x'] * 2"}
    truths = [{**row, "mode": mode} for mode in ("output", "output", "input", "input")]
    assert words(["['x', 'x']", "['x']", "f('x', 2)", "f('x', 1)"], truths) == [
        (1.0, "accepted"), (0.0, "wrong-answer"), (1.0, "accepted"), (0.0, "wrong-answer"),
    ]  # fmt: skip


def test_a_batch_of_cruxeval_rows_says_what_is_predicted() -> None:
    scores = REWARD.score_many(["['x', 'x']"] * 3, [CRUX, {**CRUX, "mode": "output"}, {"info": {**CRUX, "mode": "output"}}])
    assert [score.reward for score in scores] == [None, 1.0, 1.0]
    assert "$.mode" in scores[0].detail
