"""Every regular expression of the host, on the shapes that make backtracking engines slow: all of them take linear time.

The list is made by importing every module, so no pattern can be left out; patterns are constants of their modules, which
another test makes sure of.
"""

import importlib
import pkgutil
import re
import time
from pathlib import Path
from typing import Any

import pytest

import reexec
from tests.support import limited_host

if limited_host.is_limited():
    pytest.skip("imports every module: too few addresses here (ulimit -Hv)", allow_module_level=True)

ROOT = Path(reexec.__file__).parent
PACKAGES = ("cli", "engine", "policies", "runners")
INSIDE = ("engine.zygote.start", "engine.conformance.inside")
"""Run inside the jail when they are imported."""

PIECES = [
    *"`~#*_-:. \t\n\"'\\{}[]()<>&/|,=+@$%^!?;0aA\u00a0\u201c\u2028\U0001f9e0\ud83d",
    "```", "``` ", "~~~\n", "##", "# ", "**", "a ", "a.", "a,", "a_", "1.", "1e", "1_", "--", " \n", "\n>", "\\\"",
    "\\{", "/*", "//",
    '"a" ', "'a' ", "{'", '{"', "<think>", "&quot;", "import a,", "def a(", "a = ", "a:b", "http://", "a@", "0x1", "np.",
]  # fmt: skip
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "start" not in path.parts
}


def is_searched_for(module: str, name: str) -> bool:
    """Whether a pattern is tried at every character of a text, and not at one place only."""
    used = re.compile(rf"\b{re.escape(name)}\.(?:search|finditer|findall|subn?|split)\b")
    own = Path(*module.split(".")[1:])
    return any(
        used.search(source)
        for path, source in SOURCES.items()
        if not name.startswith("_") or path.relative_to(ROOT).with_suffix("") in (own, own / "__init__")
    )


def patterns() -> dict[str, re.Pattern[Any]]:
    found: dict[str, re.Pattern[Any]] = {}
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"reexec.{package}."):
            if any(part in module.name for part in INSIDE) or "entry" in module.name:
                continue
            try:
                loaded = importlib.import_module(module.name)
            except ImportError:  # an extra that is not installed
                continue
            for name, value in vars(loaded).items():
                value = getattr(value, "__self__", value)
                value = getattr(value, "pattern", value) if not isinstance(value, re.Pattern) else value
                if isinstance(value, re.Pattern):
                    found[f"{module.name}.{name}"] = value
    return found


PATTERNS = patterns()


def test_the_list_is_not_empty() -> None:
    assert len(PATTERNS) > 40


def in_kind(pattern: re.Pattern[Any], text: str) -> Any:
    return text.encode("utf-8", "surrogatepass") if isinstance(pattern.pattern, bytes) else text


def seconds(pattern: re.Pattern[Any], how: str, text: Any, times: int = 1) -> float:
    """The least of so many: what disturbs a measurement only makes it longer."""
    least = float("inf")
    for _ in range(times):
        began = time.process_time()
        getattr(pattern, how)(text)
        least = min(least, time.process_time() - began)
    return least


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern = PATTERNS[name]
    hows = ("match", "search") if is_searched_for(*name.rpartition(".")[::2]) else ("match",)
    for piece in PIECES:
        for how in hows:
            short, long = (in_kind(pattern, piece * (size // len(piece)) + "\x00") for size in (2_000, 8_000))
            if seconds(pattern, how, long) > 0.004:
                later = seconds(pattern, how, long, 3)
                ratio = later / max(seconds(pattern, how, short, 3), 1e-6)
                assert ratio < 9, f"{how} of {piece!r}: {later * 1000:.1f} ms, {ratio:.0f} times that of a quarter"


def test_patterns_are_constants_of_their_modules() -> None:
    """A pattern inside a call would not be on the list."""
    call = re.compile(r"\bre\.(?:search|match|fullmatch|subn?|findall|finditer|split)\(")
    found = {str(path.relative_to(ROOT)) for path, source in SOURCES.items() if call.search(source)}
    assert found <= set(INLINE), sorted(found - set(INLINE))


INLINE = {
    "cli/commands.py": "our own help",
    "engine/cache/health.py": "the host's own table of mounts",
    "engine/conformance/bench.py": "cases of ours",
    "engine/conformance/case.py": "ids of cases of ours",
    "engine/conformance/outside.py": "the host's /proc",
    "engine/pool/preload.py": "one name after the other, in a line that a pattern of the list has found",
    "runners/answers/unreadable.py": "the key between two quotes; timed in test_answers_properties.py",
    "runners/stages/infer/endpoint.py": "the user's own base URL",
}
"""Files with a pattern inside a call, and why it meets nothing that is long and untrusted."""
