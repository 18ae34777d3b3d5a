"""Where a value lies inside another, written in the manner of JSONPath: `$.edges[2].weight`, `$["a b"]`.

Owns the spelling. It depends on nothing that changes between interpreter versions: which names stand bare is decided
for ASCII only, and no `repr` of a text is used.
"""

import json
from collections.abc import Iterable

MAX_NAME = 120
"""Characters of a name that are shown; a longer one is cut, for a hostile key may have megabytes."""

type Step = int | str | tuple[str]
"""An index of a list, a name of a JSON object, or (text,) for a key that is shown as `[text]`."""


def render_path(steps: Iterable[Step]) -> str:
    """The path of those steps from the root, which is `$`."""
    parts = ["$"]
    for step in steps:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif isinstance(step, str):
            parts.append(_name(step))
        else:
            parts.append(f"[{step[0]}]")
    return "".join(parts)


def quoted(text: str) -> str:
    """A JSON string of ASCII characters, cut to MAX_NAME; surrogates and control characters are escaped."""
    if len(text) <= MAX_NAME:
        return json.dumps(text)
    return json.dumps(text[:MAX_NAME])[:-1] + '..."'


def _name(name: str) -> str:
    # Beyond ASCII, what is an identifier depends on the interpreter's Unicode tables.
    if len(name) <= MAX_NAME and name.isascii() and name.isidentifier():
        return f".{name}"
    return f"[{quoted(name)}]"
