"""Sources too long to be written out: made by name."""

from collections.abc import Callable


def attribute_chain() -> str:
    return "x" + ".a" * 300_000 + "\ndef f():\n    return 1\n"


def empty_classes() -> str:
    return "\n".join(f"class A{number}: pass" for number in range(200_000)) + "\ndef f():\n    return 1\n"


def long_tuple() -> str:
    return "x = (" + "1," * 3_000_000 + ")\ndef f():\n    return 1\n"


def nested_parentheses() -> str:
    return "x = " + "(" * 100_000 + ")" * 100_000 + "\ndef f():\n    return 1\n"


def unary_chain() -> str:
    return "x = " + "-" * 500_000 + "1\ndef f():\n    return 1\n"


def many_statements() -> str:
    """A benign twin: long, and soon compiled."""
    return "x = 0\n" + "x += 1\n" * 2_000 + "def f():\n    return x\n"


def surrogate() -> str:
    return "def f():\n    return '\ud800'\n"


def much_code() -> str:
    """276 KB of source, 60 MB of code: constants that the compiler makes."""
    return "def g():\n" + "".join(f" a='{i:012x}'*341\n" for i in range(14_000)) + "def f():\n    return 1\n"


def too_much_code() -> str:
    return "def g():\n" + "".join(f" a='{i:012x}'*341\n" for i in range(17_000)) + "def f():\n    return 1\n"


def long_and_marked() -> str:
    return "def f():\n    return 1\nTEXT = '" + "neighbour-source " * 20_000 + "xyzzy" * 200_000 + "'\n"


BUILDERS: dict[str, Callable[[], str]] = {
    "attribute-chain": attribute_chain,
    "empty-classes": empty_classes,
    "long-tuple": long_tuple,
    "nested-parentheses": nested_parentheses,
    "unary-chain": unary_chain,
    "many-statements": many_statements,
    "surrogate": surrogate,
    "much-code": much_code,
    "too-much-code": too_much_code,
    "long-and-marked": long_and_marked,
}
