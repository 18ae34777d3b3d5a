"""Where a policy comes from: preset < `extends` < file < REEXEC_POLICY < `--set`.

Owns the layers, the errors' wording and nothing else. Every mistake is a `PolicyError` of one line that ends in the
path of the fault (`at $.limits.cpu_s`) and, for a wrong key, the nearest known ones.
"""

import difflib
import functools
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .errors import PolicyError
from .model import Policy

_PRESETS = Path(__file__).with_name("presets")
_MAX_EXTENDS = 10


def preset_names() -> list[str]:
    return sorted(path.stem for path in _PRESETS.glob("*.toml"))


def load_policy(
    source: str | Path = "codeio",
    *,
    settings: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Policy:
    """The effective policy.

    `source` is a preset's name or a TOML file's path. `settings` are `dotted.key=value` with the value in TOML's
    spelling (a bare word is text). `environment`, where given, is asked for REEXEC_POLICY: a TOML file, or settings
    separated by spaces.
    """
    tree = _from_source(str(source), depth=0)
    from_environment = (environment or {}).get("REEXEC_POLICY", "").strip()
    if from_environment:
        if "=" in from_environment:
            for setting in from_environment.split():
                tree = _merge(tree, _parse_setting(setting, "REEXEC_POLICY"))
        else:
            tree = _merge(tree, _from_source(from_environment, depth=0))
    for setting in settings:
        tree = _merge(tree, _parse_setting(setting, "--set"))
    return _validate(tree)


def _from_source(source: str, depth: int) -> dict[str, Any]:
    if depth > _MAX_EXTENDS:
        raise PolicyError(f"more than {_MAX_EXTENDS} policies extend each other, at $.extends")
    tree = _read(source)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise PolicyError(f"{source}: a preset's name or a file is wanted, not {base!r}, at $.extends")
    if base not in preset_names() and not Path(base).is_absolute():
        base = str(Path(source).parent / base)
    return _merge(_from_source(base, depth + 1), tree)


def _read(source: str) -> dict[str, Any]:
    path = _PRESETS / f"{source}.toml" if source in preset_names() else Path(source)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        near = difflib.get_close_matches(source, preset_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise PolicyError(
            f"no policy {source!r}: {hint}presets are {', '.join(preset_names())}; anything else must be a TOML file"
        ) from None
    except OSError as error:
        raise PolicyError(f"{source}: cannot be read ({os.strerror(error.errno or 0)})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{source}: not a TOML file ({error})") from None


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        if key in ("comparison", "size") and isinstance(lower, str) and isinstance(value, dict):
            lower = {"extends": lower}
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def _parse_setting(setting: str, origin: str) -> dict[str, Any]:
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


def _validate(tree: dict[str, Any]) -> Policy:
    try:
        return Policy.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        if first["type"] == "extra_forbidden":
            *parents, wrong = (str(part) for part in first["loc"])
            known = _known_keys(parents)
            near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise PolicyError(f"unknown key {wrong!r}, {hint} at {path}") from None
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        given = "" if isinstance(first["input"], dict) else f" (given: {first['input']!r})"
        raise PolicyError(f"{message}{given}, at {path}") from None


@functools.cache
def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.annotation for name, field in model.model_fields.items()}


def _known_keys(parents: list[str]) -> list[str]:
    model: type[BaseModel] = Policy
    for part in parents:
        annotation = _fields(model).get(part)
        options = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        for option in options:
            if isinstance(option, type) and issubclass(option, BaseModel):
                model = option
                break
    return sorted(_fields(model))
