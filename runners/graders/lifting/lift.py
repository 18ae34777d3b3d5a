"""Tests to lifted tests: rewriting here, recording in the jail, reading what came back."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reexec.engine.commands import AnyExecutor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program

from ..plan import inside
from .rewrite import NotRewritable, free_names, parse_quietly, rewrite
from .tree import Tree, only_iterated


@dataclass(frozen=True, slots=True)
class LiftedCheck:
    """One assertion: the calls that it needs, and the tree over their values (numbered within `calls`)."""

    calls: tuple[tuple[str, Call], ...]
    """(function, arguments)"""
    tree: Tree
    iterated: frozenset[int] = frozenset()
    """The calls that may return an iterator, since the check goes through what they return and does nothing else with it."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """A test as checks; `refused` says why it has none and must run as it is."""

    checks: tuple[LiftedCheck, ...] = ()
    refused: str = ""
    assertions: int = 0
    """Assertions in the test's text."""


def joined_source(setup: str, body: str) -> str:
    """One text of set-up code and a test."""
    return f"{setup}\n{body}\n"


def lift_all(
    executor: AnyExecutor, tests: Iterable[tuple[str, Any]], *, given: Callable[[Any], str] = lambda _tag: ""
) -> Iterator[tuple[Lifted, Any]]:
    """`(lifted, tag)` for every `(source, tag)`, in order. `given` tells a test's own definitions, which are no solution's."""
    recorder = inside("recorder", "record")

    def items() -> Iterator[tuple[Program | None, Any, Any]]:
        for source, tag in tests:
            try:
                module = parse_quietly(source)
                names = free_names(module)
                text, assertions = rewrite(module)
            except SyntaxError as error:
                yield None, (), (Lifted(refused=f"the test is not Python: {error.msg}"), 0, tag)
            except NotRewritable as error:
                yield None, (), (Lifted(refused=str(error), assertions=_assertions(source)), 0, tag)
            except RecursionError:
                yield None, (), (Lifted(refused="the test is nested too deeply"), 0, tag)
            else:
                yield recorder, (text, names, given(tag)), (None, assertions, tag)

    for outcome, (known, assertions, tag) in executor.run_many(items()):
        yield known or _read(outcome, assertions), tag


def _assertions(source: str) -> int:
    return source.count("assert ")


def _read(outcome: Outcome | None, assertions: int) -> Lifted:
    assert outcome is not None
    if not outcome.ok:
        return Lifted(refused=f"recording it ended in {outcome.describe()}", assertions=assertions)
    found = outcome.value
    if "refused" in found:
        return Lifted(refused=found["refused"], assertions=assertions)
    calls = [(name, Call(tuple(args), kwargs)) for name, args, kwargs in found["calls"]]
    checks = tuple(_narrow(tree, calls) for tree in found["checks"])
    if not checks:
        return Lifted(refused="no assertion about a function under test", assertions=assertions)
    return Lifted(checks, "", assertions)


def _narrow(tree: Tree, calls: list[tuple[str, Call]]) -> LiftedCheck:
    """The check with its own calls only, numbered anew."""
    numbers: dict[int, int] = {}

    def renumber(each: Tree) -> Tree:
        if each[0] == "call":
            return ("call", numbers.setdefault(each[1], len(numbers)))
        if each[0] == "value":
            return each
        return (each[0], *map(renumber, each[1:]))

    narrowed = renumber(tree)
    return LiftedCheck(tuple(calls[number] for number in numbers), narrowed, only_iterated(narrowed))
