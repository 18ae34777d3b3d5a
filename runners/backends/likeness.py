"""Whether nodes are alike: the same check must come to the same end on each of them."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reexec.engine.executor import Executor
from reexec.engine.version import VERSION

from . import wire

_NAMES = {
    "form": "another form of frames",
    "reexec": "reexec",
    "python": "Python",
    "machine": "a processor of the kind",
    "isolation": "isolation",
    "policy": "a policy with the digest",
    "packages": "packages",
}
_SHOWN = 5


def about(executor: Executor) -> dict[str, Any]:
    """What decides outcomes on this machine beside programs and calls, as data; and what is good to know."""
    interpreter = executor.interpreter
    return {
        "form": wire.FORM,
        "reexec": VERSION,
        "python": interpreter.version_text,
        "machine": platform.machine(),
        "isolation": executor.isolation.value,
        "policy": executor.policy.digest,
        "packages": installed(interpreter.folders),
        "executable": interpreter.executable,
        "workers": executor.workers,
        "missing": executor.missing_prelude_modules,
    }


def installed(folders: tuple[str, ...]) -> list[str]:
    """`name-version` of what is installed, as the folders of their metadata say."""
    found: set[str] = set()
    for folder in folders:
        try:
            found.update(path.stem for path in Path(folder).iterdir() if path.suffix in (".dist-info", ".egg-info"))
        except OSError:
            continue
    return sorted(found)


def difference(one: str, ours: Mapping[str, Any], other: str, theirs: Mapping[str, Any]) -> str:
    """Why nodes named `one` and `other` cannot share a run; "" where they can."""
    for name, word in _NAMES.items():
        if ours.get(name) == theirs.get(name):
            continue
        if name != "packages":
            return f"nodes differ: {one} has {word} {ours.get(name)}, {other} has {theirs.get(name)}"
        first, second = set(ours[name]), set(theirs[name])
        return f"nodes differ in packages: {one} has {_some(first - second)}, {other} has {_some(second - first)} instead"
    return ""


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{more}" if names else "nothing"
