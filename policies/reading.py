"""Policies as text: presets and files, what they extend, and settings such as limits.cpu_s=2, as one tree of values.

Knows nothing of what a policy's fields are (model.py).
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import PolicyError

_PRESETS = Path(__file__).with_name("presets")
_MAX_EXTENDS = 10


def preset_names() -> list[str]:
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


def read_tree(source: str, depth: int = 0) -> dict[str, Any]:
    """A preset or a TOML file, with what it extends below it. Raises PolicyError."""
    if depth > _MAX_EXTENDS:
        raise PolicyError(f"more than {_MAX_EXTENDS} policies extend each other, at $.extends")
    tree = _read(source)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise PolicyError(f"{source}: expected a preset's name or a file, got {base!r}, at $.extends")
    if base not in preset_names() and not Path(base).is_absolute():
        base = str(Path(source).parent / base)
    return merge(read_tree(base, depth + 1), tree)


def _read(source: str) -> dict[str, Any]:
    path = _PRESETS / f"{source}.toml" if source in preset_names() else Path(source)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        if "/" in source or source.endswith(".toml"):
            raise PolicyError(f"{source}: {_absent(error)}") from None
        near = difflib.get_close_matches(source, preset_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise PolicyError(
            f"no policy {source!r}: {hint}presets are {', '.join(preset_names())}; anything else must be a TOML file"
        ) from None
    except OSError as error:
        raise PolicyError(f"{source}: cannot be read ({os.strerror(error.errno or 0).lower()})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{source}: not a TOML file ({error})") from None


def _absent(error: OSError) -> str:
    return "is a folder; expected a TOML file" if isinstance(error, IsADirectoryError) else "no such file"


def merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        if key in ("comparison", "size") and isinstance(lower, str) and isinstance(value, dict):
            lower = {"extends": lower}
        merged[key] = merge(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def parse_setting(setting: str, origin: str) -> dict[str, Any]:
    """`limits.cpu_s=2` as {"limits": {"cpu_s": 2}}. Raises PolicyError, which names `origin`."""
    key, equals, text = setting.partition("=")
    keys = [part.strip() for part in key.split(".")]
    if not equals or not all(keys):
        raise PolicyError(f"{origin} {setting!r}: write it as limits.cpu_s=2")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for part in reversed(keys):
        value = {part: value}
    return dict(value)
