"""Whether any result could equal an expected value. What no result can be would make every answer a wrong one, in silence."""

from typing import Any, Final

from reexec.policies.comparison import ComparisonRule

from ..errors import UsageError
from ..protocol import values
from .compare import compare

_SCALARS: Final = frozenset((type(None), bool, int, float, str))
_TEXT: Final = frozenset((str,))


def require_attainable(expected: Any, rule: ComparisonRule) -> None:
    """Raises UsageError, with the path, for a plain value that no result can equal under `rule`: what the rule's values cannot
    say (under a JSON rule sets, bytes, complex numbers, keys of tuples), or what ends each comparison (depth, number of
    items)."""
    if type(expected) in _SCALARS or _is_usual(expected, rule):
        return
    fault = _fault(expected, rule)
    if fault:
        hint = "; values are carried as JSON, which python-literal and exact do not" if rule.values == "json" else ""
        raise UsageError(f"no result can equal the expected value under this comparison: {fault}{hint}")


def _is_usual(expected: Any, rule: ComparisonRule) -> bool:
    """Whether a look at types and depth settles it; texts and numbers have no bounds that matter here."""
    if rule.values == "python":
        return rule.max_depth >= values.MAX_DEPTH and rule.max_nodes >= values.MAX_NODES
    level: list[Any] = [expected]
    nodes = 1
    for _ in range(min(rule.max_depth, values.MAX_DEPTH) + 1):
        inside: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is dict and _TEXT.issuperset(map(type, item)):
                inside.extend(item.values())
            elif kind is list or kind is tuple:
                inside.extend(item)
            else:
                return False
        nodes += 2 * len(inside)  # keys count too
        level = [item for item in inside if type(item) not in _SCALARS]
        if not level:
            return nodes <= min(rule.max_nodes, values.MAX_NODES)
    return False


def _fault(expected: Any, rule: ComparisonRule) -> str:
    """Asks what a program that returns this very value would hear."""
    try:
        returned = values.fold(expected, values.JSON if rule.values == "json" else values.PYTHON)
    except values.Refused as refusal:
        return f"{refusal.path}: {refusal.reason}"
    found = compare(returned, expected, rule)
    return "" if found.equal else f"{found.path}: {found.reason}"
