"""A case as data: one program, one expected word, and where an isolation level cannot hold it, what happens there and why."""

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reexec.policies.layers import load_policy
from reexec.policies.model import IsolationLevel, Policy

from ..jail import levels

# The limits of a case that names none: short, so that many can be run.
BASE = ("limits.cpu_s=0.3", "limits.idle_s=0.4", "limits.memory_bytes=268435456", "limits.confirm=false")
REFUSED = "refused"
"""The word where an isolation level cannot serve the policy, and says so."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a file of cases."""

    id: str
    group: str
    title: str
    program: str
    expect: str
    entry: str = "f"
    call: str = "[]"
    value: str = "null"
    set: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    """Further words that are right as well; each use is reported."""
    says: str = ""
    """A regular expression that the outcome's description must match."""
    benign: bool = False
    runs: int = 1
    """Above 1: executed as often, with the same result each time."""
    then: str = ""
    """A program to run next, whose `f` must return `then_value`."""
    then_value: str = "null"
    late_s: float = 0.2
    """How far the processor time may lie above the limit."""
    short: bool = False
    """Whether it belongs to the short form."""
    except_on: Mapping[str, str] = field(default_factory=dict)
    """Isolation levels on which another word is expected."""
    because: str = ""
    """Why; docs/threat-model.md lists it."""

    def policy(self, isolation: IsolationLevel) -> Policy:
        return _policy((*BASE, f'isolation.lowest="{isolation.value}"', *self.set))

    def expected(self, isolation: IsolationLevel) -> str:
        if levels.backend_of(isolation).refuses(self.policy(isolation)):
            return REFUSED
        return self.except_on.get(isolation.value, self.expect)

    def description(self, isolation: IsolationLevel) -> str:
        """What the outcome's description must match on `isolation level`."""
        return "" if isolation.value in self.except_on else self.says

    def is_widened(self, word: str, isolation: IsolationLevel) -> bool:
        return word in self.widened and word != self.expected(isolation)


@functools.cache
def _policy(settings: tuple[str, ...]) -> Policy:
    return load_policy("codeio", settings=settings)


def load_cases(folder: Path, builders: Mapping[str, Callable[[], str]] | None = None) -> Iterator[Case]:
    """Cases of every .toml file of `folder`. A row names its program, or the builder that makes it; its group is the part of
    the id before the first hyphen. A file's `preamble` stands before each of its programs."""
    for path in sorted(folder.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for row in document["case"]:
            fields: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in row.items()}
            builder = fields.pop("build", None)
            if builder is not None and builders is not None:
                fields["program"] = builders[str(builder)]()
            for name in {"program", "then"} & fields.keys():
                fields[name] = document.get("preamble", "") + fields[name]
            group = re.match(r"[^-]+(?=-)", fields["id"])
            if group is None or (fields.get("except_on") and not fields.get("because")):
                raise ValueError(
                    f"{path}: case {fields['id']!r} needs a group before a hyphen, and a reason for each exception"
                )
            yield Case(group=group.group(), **fields)
