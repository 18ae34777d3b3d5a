"""What is said where the engine fails: never a number."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from reexec.engine.jail import levels
from reexec.rewards import Reward, shutdown
from reexec.runners.rewards import executors
from tests.integration.rewards.material import CALLS, DOUBLE, fenced, says_input, says_output, truth


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    shutdown()
    yield
    shutdown()


def test_a_host_without_workers_gives_no_reward_for_what_would_have_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "candidates", lambda policy, only=None: [])
    truths = [truth("i"), truth("o"), CALLS, truth("i")]
    begun = time.perf_counter()
    scores = Reward().score_many([says_input({"n": 5}), says_output(10), fenced(DOUBLE), "no answer"], truths)
    assert [(score.reward, score.verdict, score.missing) for score in scores] == [
        (None, "engine-error", "engine"), (1.0, "accepted", ""), (None, "engine-error", "engine"), (0.0, "no-answer", ""),
    ]  # fmt: skip
    assert "cannot give the isolation" in scores[0].detail
    for _ in range(50):  # one by one, as some trainers call: nobody waits for each refusal
        assert Reward().score(says_input({"n": 5}), truth("i")).missing == "engine"
    assert time.perf_counter() - begun < 20


def test_rewards_come_back_when_the_host_can_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(levels, "candidates", lambda policy, only=None: [])
        patch.setattr(executors, "_REFUSED_FOR_S", 0.0)
        assert Reward().score(says_input({"n": 5}), truth("i")).missing == "engine"
    monkeypatch.setattr(executors, "_REFUSED_FOR_S", 0.0)
    assert Reward(workers=1).score(says_input({"n": 5}), truth("i")).reward == 1.0


def test_workers_that_are_killed_cost_no_reward() -> None:
    reward = Reward(workers=2)
    reward.score(says_input({"n": 5}), truth("i"))
    (executor,) = executors._open.values()
    over = threading.Event()

    def kill() -> None:
        for _ in range(3):
            if over.wait(0.15):
                return
            for pid in executor.worker_pids():
                with contextlib.suppress(ProcessLookupError):  # it may be replaced just then
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    scores = reward.score_many([says_input({"n": n % 7}) for n in range(600)], [truth("i")] * 600)
    over.set()
    thread.join()
    for n, score in enumerate(scores):
        assert score.reward == float(n % 7 == 5) or score.missing == "engine", score
    assert sum(score.missing == "engine" for score in scores) < 60


def test_an_executor_that_ended_is_replaced() -> None:
    reward = Reward(workers=1)
    assert reward.score(says_input({"n": 5}), truth("i")).reward == 1.0
    (first,) = executors._open.values()
    first.shutdown()
    assert not first.is_open
    assert [score.reward for score in reward.score_many([says_input({"n": 5}), fenced(DOUBLE)], [truth("i"), CALLS])] == [1, 1]
    assert first not in executors._open.values()


def test_an_executor_that_ends_amid_a_batch_costs_no_reward() -> None:
    reward = Reward(workers=1)
    slow = truth("i", "import time\ndef nap(s):\n    time.sleep(s)\n    return 1\n", "nap", {"s": 0}, 1)
    reward.score(says_input({"s": 0}), slow)
    (first,) = executors._open.values()
    stopper = threading.Timer(0.4, first.shutdown)
    stopper.start()
    scores = reward.score_many([says_input({"s": 0.1})] * 8, [slow] * 8)
    stopper.join()
    assert [score.reward for score in scores] == [1.0] * 8, scores


def test_an_error_of_ours_says_nothing_about_the_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("reexec.runners.rewards.core.plan_pair", broken)
    score = Reward().score(says_output(10), truth("o"))
    assert (score.reward, score.missing) == (None, "engine")
    assert "an error in reexec itself" in score.detail
