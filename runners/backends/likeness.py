"""Whether nodes are alike: the same check must come to the same end on each of them.

A node must have the command's own reexec, to the byte, and read the same policy in what it is sent. With the other nodes
it must share what else decides outcomes.
"""

import functools
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import reexec.engine
import reexec.policies
from reexec.engine.errors import UsageError
from reexec.engine.executor import Executor
from reexec.engine.version import VERSION
from reexec.policies.model import Policy

_NAMES = {
    "python": "Python",
    "machine": "a processor of the kind",
    "isolation": "isolation",
    "packages": "packages",
}
_SHOWN = 5


@functools.cache
def reexec_here() -> str:
    """The version, and a digest of the code that runs checks and travels: two checkouts may have the same version."""
    digest = hashlib.blake2b(digest_size=6)
    folders = [Path(each).parent for each in (reexec.policies.__file__, reexec.engine.__file__, __file__)]
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".toml", ".json")):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return f"{VERSION} (code {digest.hexdigest()})"


def terms(policy: Policy) -> dict[str, Any]:
    """What a node is sent of a policy, and how it knows that it means the same there."""
    return {"reexec": reexec_here(), "policy": policy.model_dump(mode="json"), "digest": policy.digest}


def agreed(terms: Mapping[str, Any]) -> Policy:
    """The policy, on the node. Raises UsageError where this reexec is not the command's."""
    if terms["reexec"] != reexec_here():
        other = terms["reexec"]
        raise UsageError(f"this node has reexec {reexec_here()} and the command has {other}; install the same on both")
    policy = Policy.model_validate(terms["policy"])
    if policy.digest != terms["digest"]:
        raise UsageError(f"this node reads another policy in the same words: {policy.digest}, not {terms['digest']}")
    return policy


def about(executor: Executor) -> dict[str, Any]:
    """What decides outcomes on this machine beside programs and calls, as data; and what is good to know."""
    interpreter = executor.interpreter
    return {
        "python": interpreter.version_text,
        "machine": platform.machine(),
        "isolation": executor.isolation.value,
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
