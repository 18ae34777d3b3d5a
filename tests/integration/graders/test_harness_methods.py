"""The methods that the table of cheaters is about do what they are said to do: right solutions pass, wrong ones fail."""

import pytest

from tests.support import cheaters, harnesses


@pytest.mark.parametrize(("kind", "method"), [(kind, method) for kind, each in harnesses.METHODS.items() for method in each])
def test_a_method_tells_right_from_wrong(kind: str, method: str) -> None:
    right = cheaters.RIGHT[kind]
    wrong = right.replace("2 * ", "3 * ").replace("node.n +", "1 - node.n +") + "\n"
    assert harnesses.lets_through(method, kind, right)
    assert not harnesses.lets_through(method, kind, wrong)


def test_every_method_falls_for_some_cheater() -> None:
    def of(name: str, kind: str) -> str:
        return next(each.source for each in cheaters.CHEATERS if (each.name, each.kind) == (name, kind))

    assert harnesses.lets_through("one-text", "check", of("harness-result-from-frames", "check"))
    assert harnesses.lets_through("exit-status", "check", of("exit-0-in-module", "check"))
    assert harnesses.lets_through("in-process", "call", of("result-that-lies", "call"))
    assert harnesses.lets_through("mocked", "call", of("result-that-lies", "call"))
    assert harnesses.lets_through("mocked", "script", of("leaves-with-a-status-after-printing", "script"))
    assert harnesses.lets_through("output-only", "script", of("crashes-after-printing", "script"))
