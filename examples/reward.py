"""A reward for reinforcement learning: 1.0 where a predicted output is what the program returns, 0.0 where not, and None
where the engine failed, which says nothing about the prediction and must not be trained on."""

from reexec import Executor, Program
from reexec.runners.answers import extract_answer


class Reward:
    def __init__(self, workers: int = 2) -> None:
        self.executor = Executor("codeio", workers=workers)

    def __call__(self, source: str, entry: str, given: dict[str, object], response: str) -> float | None:
        answer = extract_answer(response, "output")
        if not answer.found:
            return 0.0
        verdict = self.executor.check(Program(source, entry), given, expected=answer.value)
        return float(verdict.accepted) if verdict.scored else None


if __name__ == "__main__":
    reward = Reward()
    print(reward("def double(n):\n    return 2 * n\n", "double", {"n": 21}, 'Twice 21 is 42. {"output": 42}'))
    reward.executor.shutdown()
