"""The effective policy: preset < `extends` < file < REEXEC_POLICY < `--set`. Every mistake is a `PolicyError` of one line."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from .model import Policy
from .reading import merge, parse_setting, preset_names, read_tree

__all__ = ["load_policy", "preset_names"]


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
    tree = read_tree(str(source))
    origins = [("" if source in preset_names() else f"{source}: ", tree)]
    from_environment = (environment or {}).get("REEXEC_POLICY", "").strip()
    if from_environment:
        if "=" in from_environment:
            for setting in from_environment.split():
                origins.append((f"REEXEC_POLICY {setting}: ", parse_setting(setting, "REEXEC_POLICY")))
        else:
            origins.append((f"REEXEC_POLICY {from_environment}: ", read_tree(from_environment)))
    origins += [(f"--set {setting}: ", parse_setting(setting, "--set")) for setting in settings]
    for _, layer in origins[1:]:
        tree = merge(tree, layer)
    return Policy.of_tree(tree, origins)
