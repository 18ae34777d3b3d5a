"""The table of system calls: what may be called, by whom, with which arguments. Data in, checked rows out."""

import errno
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from reexec import policies

ARCHITECTURES = ("aarch64", "x86_64")

ALLOW = -1
"""The answer of a rule that lets a call through; any other answer is an errno, and 0 pretends success."""


class Grant(StrEnum):
    """What a policy or an isolation level gives, beyond what every check may do."""

    PROCESSES = "processes"  # the policy allows more than one process or thread
    WRITABLE = "writable"  # there is a folder of a fixed size in which the check may write
    COUNTED = "counted"  # memory shared between processes is counted by a control group
    COMMANDS = "commands"  # the worker runs one program of another language per check
    EXECUTE = "execute"  # its checks may start every program that its jail shows
    RESTRICTED = "restricted"  # the worker is without a jail: its children enter a Landlock domain of their own
    OWN_FILTER = "own-filter"  # its children install a filter of their own


class UnsupportedArchitectureError(ValueError):
    """The table has no numbers for this machine's architecture."""


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of one argument; the kernel takes most arguments as 32-bit numbers, so the high half is not read."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    negated: bool = False
    """Holds where the argument is none of the values."""
    wide: bool = False
    """All 64 bits."""
    at_most: int | None = None
    """Holds where all 64 bits are a number that is not larger; there are no values then."""


@dataclass(frozen=True, slots=True)
class Rule:
    answer: int
    tests: tuple[Test, ...]
    """All must hold."""


@dataclass(frozen=True, slots=True)
class Row:
    """One call, as the grants leave it."""

    name: str
    number: int
    rules: tuple[Rule, ...]
    """Tried in order; the first whose tests hold answers."""
    otherwise: int
    """The answer where no rule fits."""

    @property
    def is_plain(self) -> bool:
        """Whether the answer is the same for all arguments."""
        return not self.rules or not self.rules[0].tests

    @property
    def plain_answer(self) -> int:
        return self.rules[0].answer if self.rules else self.otherwise


@functools.cache
def _document() -> dict[str, Any]:
    return tomllib.loads((Path(policies.__file__).parent / "seccomp" / "syscalls.toml").read_text(encoding="utf-8"))


def newest_known() -> int:
    """The highest call number that was known when the table was written."""
    return int(_document()["newest"])


@functools.cache
def rows(architecture: str, grants: frozenset[Grant]) -> tuple[Row, ...]:
    """The rows for `architecture` (as in `platform.machine()`). Raises UnsupportedArchitectureError."""
    if architecture not in ARCHITECTURES:
        raise UnsupportedArchitectureError(f"no system-call table for {architecture!r}; known: {', '.join(ARCHITECTURES)}")
    document = _document()
    return tuple(
        _row(call, group, document["condition"], architecture, grants)
        for group in document["group"]
        for call in group["calls"]
        if architecture in call
    )


def _row(
    call: Mapping[str, Any],
    group: Mapping[str, Any],
    conditions: Mapping[str, Any],
    architecture: str,
    grants: frozenset[Grant],
) -> Row:
    name, number = str(call["name"]), int(call[architecture])
    if not _granted(group.get("grant"), grants):
        return Row(name, number, (), _errno(group.get("refuse", "EPERM"), name))
    if "only" not in call:
        return Row(name, number, (Rule(ALLOW, ()),), errno.EPERM)
    try:
        condition = conditions[call["only"]]
    except KeyError:
        raise ValueError(f"syscalls.toml, call {name!r}: unknown condition {call['only']!r}") from None
    rules = tuple(
        Rule(_answer(rule.get("answer", "allow"), name), tuple(_test(test) for test in rule["tests"]))
        for rule in condition["rules"]
        if _granted(rule.get("grant"), grants) and not ("without" in rule and Grant(rule["without"]) in grants)
    )
    return Row(name, number, rules, _errno(condition.get("refuse", "EPERM"), name))


def _granted(grant: str | None, grants: frozenset[Grant]) -> bool:
    return grant is None or (grant != "never" and Grant(grant) in grants)


def _test(test: Mapping[str, Any]) -> Test:
    if "at_most" in test:
        return Test(test["arg"], (), at_most=test["at_most"])
    values = tuple(test["not"] if "not" in test else test["is"])
    return Test(test["arg"], values, test.get("mask", 0xFFFFFFFF), "not" in test, test.get("wide", False))


def _answer(text: str, name: str) -> int:
    return {"allow": ALLOW, "success": 0}[text] if text in ("allow", "success") else _errno(text, name)


def _errno(text: str, name: str) -> int:
    try:
        return int(getattr(errno, text))
    except AttributeError:
        raise ValueError(f"syscalls.toml, call {name!r}: no errno is called {text!r}") from None
