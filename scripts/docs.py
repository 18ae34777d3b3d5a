"""Writes the generated parts of the documents from the code: docs/api.md and the tables of docs/policies.md.

python scripts/docs.py [--check]     --check: exit 1 where a file is out of date, and write nothing
"""

import inspect
import re
import sys
import typing
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import reexec
from reexec.policies.comparison import ComparisonRule
from reexec.policies.model import Determinism, Isolation, Limits, Policy
from reexec.policies.size import SizeRule

DOCS = Path(__file__).resolve().parents[1] / "docs"

API_HEAD = """# Python API

Everything that `reexec` exports, made from its docstrings by `scripts/docs.py`. [python.md](python.md) shows how to use it.
"""

GROUPS = {
    "Run and judge": (
        "Executor",
        "CommandExecutor",
        "Program",
        "Script",
        "Command",
        "Stdin",
        "Call",
        "Check",
        "Outcome",
        "Verdict",
        "Usage",
        "Statistics",
    ),
    "Compare and measure": ("compare", "Comparison", "ComparisonRule", "judge", "strict_check_size", "SizeRule"),
    "Policies": ("Policy", "load_policy", "IsolationLevel"),
    "Results": ("read_run", "RunTables"),
    "Errors": ("ReexecError", "UsageError", "PolicyError", "EngineError", "IsolationUnavailableError"),
}


def _docstring(thing: object) -> str:
    return inspect.cleandoc(thing.__doc__ or "") if thing.__doc__ else ""


def _signature(thing: object) -> str:
    try:
        text = str(inspect.signature(thing))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"
    return re.sub(r"\b(?:reexec|collections|concurrent|pathlib|typing)(?:\.[a-z_]+)*\.(?=[A-Z])", "", text).replace("'", "")


def _members(thing: type) -> typing.Iterator[tuple[str, object]]:
    for name, member in vars(thing).items():
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property | classmethod)):
            yield name, member


def _fields(thing: type) -> list[str]:
    """Fields of a dataclass with the string below each, read from the source."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        return []
    found = re.findall(r'^    (\w+): ([^\n=]+?)(?: = ([^\n]*))?\n(?:    """(.*?)""")?', source, re.MULTILINE | re.DOTALL)
    return [f"- `{name}: {kind.strip()}`{': ' + ' '.join(text.split()) if text else ''}" for name, kind, _, text in found]


def _entry(name: str) -> str:
    thing = getattr(reexec, name)
    lines = [f"### {name}", ""]
    if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, Exception | BaseModel)):
        lines += [f"`{name}{_signature(thing)}`", ""]
    lines += [_docstring(thing), ""]
    if inspect.isclass(thing) and not issubclass(thing, Exception | BaseModel):
        fields = _fields(thing) if hasattr(thing, "__dataclass_fields__") else []
        lines += [*fields, ""] if fields else []
        for member_name, member in _members(thing):
            function = member.__func__ if isinstance(member, classmethod) else member
            if isinstance(function, property):
                lines += [f"- `.{member_name}`: {' '.join(_docstring(function).split())}"]
            else:
                text = " ".join(_docstring(function).split())
                lines += [f"- `.{member_name}{_signature(function).replace('(self, ', '(').replace('(self)', '()')}`: {text}"]
        lines += [""]
    return "\n".join(lines)


def api() -> str:
    named = {name for names in GROUPS.values() for name in names}
    rest = [name for name in reexec.__all__ if name not in named and not name.startswith("__")]
    groups = GROUPS | ({"More": tuple(rest)} if rest else {})
    parts = [API_HEAD]
    for title, names in groups.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name) for name in names]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _bounds(field: typing.Any) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    found = [f"{sign} {getattr(part, name)}" for part in field.metadata for name, sign in signs.items() if hasattr(part, name)]
    return ", ".join(found)


def _default(field: typing.Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel | tuple):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else getattr(value, 'value', value)}`"


def table(prefix: str, model: type[BaseModel]) -> str:
    lines = ["| field | default | bounds | effect |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        effect = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{prefix}{name}` | {_default(field)} | {_bounds(field)} | {effect} |")
    return "\n".join(lines) + "\n"


TABLES = {
    "policy": ("", Policy),
    "limits": ("limits.", Limits),
    "isolation": ("isolation.", Isolation),
    "determinism": ("determinism.", Determinism),
    "comparison": ("comparison.", ComparisonRule),
    "size": ("size.", SizeRule),
}


def policies(page: str) -> str:
    """The page with each table between its two marks replaced."""
    for name, (prefix, model) in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        rows = table(prefix, model)
        page = pattern.sub(lambda found, rows=rows: found[1] + rows + found[2], page)  # type: ignore[misc]
    return page


def main() -> int:
    page = DOCS / "policies.md"
    wanted = {DOCS / "api.md": api(), page: policies(page.read_text())}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.name} is out of date: run `python scripts/docs.py`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
