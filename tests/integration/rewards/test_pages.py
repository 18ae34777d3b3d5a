"""The configs in docs/rewards name what exists, as each framework resolves it."""

import importlib
import re
import tomllib

import pytest
import yaml

from tests.conftest import ROOT
from tests.integration.rewards.callers import Slime, Verifiers, Verl

PAGES = sorted((ROOT / "docs" / "rewards").glob("*.md"))
_NAME = re.compile(r"\breexec\.rewards((?:[.:]\w+)*)")


def block(page: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / "rewards" / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_a_page_exists(page: object) -> None:
    for dotted in _NAME.findall(page.read_text()):  # type: ignore[attr-defined]
        found: object = importlib.import_module("reexec.rewards")
        for name in filter(None, re.split(r"[.:]", dotted)):
            if name == "NAME":
                continue
            try:
                found = importlib.import_module(f"{found.__name__}.{name}")  # type: ignore[attr-defined]
            except (ModuleNotFoundError, AttributeError):
                found = getattr(found, name)


def test_trls_config_names_a_function_by_its_path() -> None:
    (path,) = yaml.safe_load(block("trl.md", "yaml"))["reward_funcs"]
    module, _, name = path.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_verifiers_config_names_a_function() -> None:
    plugged = tomllib.loads(block("verifiers.md", "toml"))["env"]["taskset"]["task"]["rewards"]["reexec"]
    assert callable(Verifiers(plugged["fn"]).function)
    assert plugged["weight"] == 1.0


def test_verls_and_slimes_arguments_name_functions() -> None:
    text = (ROOT / "docs" / "rewards" / "verl.md").read_text()
    given = dict(re.findall(r"reward\.custom_reward_function\.(path|name)=(\S+)", text))
    assert Verl(given["path"], given["name"]).is_async
    path = re.search(r"--custom-rm-path (\S+)", (ROOT / "docs" / "rewards" / "slime.md").read_text())
    assert path is not None
    assert callable(Slime(path[1]).function)
