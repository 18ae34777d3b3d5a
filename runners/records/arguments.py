"""Arguments by position: which names they have, as far as the function's signature says.

The signature is read from the source's syntax tree; nothing runs.
"""

import ast
import functools
import unicodedata
from collections.abc import Sequence
from typing import Any


@functools.lru_cache(maxsize=4096)
def _signature(source: str, entry: str) -> tuple[tuple[str, ...], int] | None:
    """(names that can be given by position and by name, how many of them are needed); None where that cannot be known."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    name = unicodedata.normalize("NFKC", entry)  # as the parser spells names
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
    if not found or found[-1].decorator_list:
        return None
    given = found[-1].args
    if given.posonlyargs or given.vararg or any(default is None for default in given.kw_defaults):
        return None
    return tuple(one.arg for one in given.args), len(given.args) - len(given.defaults)


def by_name(source: str, entry: str, args: Sequence[Any]) -> dict[str, Any] | None:
    """The arguments under their names; None where the signature does not say which is which, or they do not fit it."""
    signature = _signature(source, entry)
    if signature is None or not signature[1] <= len(args) <= len(signature[0]):
        return None
    return dict(zip(signature[0], args, strict=False))
