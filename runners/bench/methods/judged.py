"""What a check comes to where nothing isolates it: the word that ours must give too. Runs in whatever process a method makes;
standard library alone, Python 3.8."""

import json
import sys
from typing import Any


def word(names: "dict[str, Any]", entry: str, call: "dict[str, Any]", expected: Any) -> str:
    """`names`: a namespace that holds the program."""
    try:
        value = names[entry](**call)
    except SystemExit:
        return "early-exit"
    except BaseException:
        return "runtime-error"
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return "bad-result"
    return "accepted" if value == expected else "wrong-answer"


def main(prelude: str, source: str, entry: str, call: str, expected: str) -> None:
    """One check as a whole program; prints its word."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(prelude, names)
    exec(source, names)
    sys.stdout.write(word(names, entry, json.loads(call), json.loads(expected)) + "\n")
