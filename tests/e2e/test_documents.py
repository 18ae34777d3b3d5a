"""Documents say what is true: commands and Python blocks run as printed, names and links exist.

A fenced block marked `bash` is run line by line, one marked `python` as one script, all blocks of a page in one folder, in the
order of the page. A block that needs what this machine may lack has a comment in front: `<!-- needs: model -->`.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import limited_host

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"])
NEEDS = {
    "model": "a model's endpoint and its key",
    "network": "packages from PyPI",
    "minutes": "minutes",
    "cluster": "several machines",
    "trainer": "a training framework, which needs torch; tests/integration/rewards calls the same names",
    "service": "a service that runs; tests/integration/service has the same calls",
}
LIMITS = "limits.cpu_s=1 limits.idle_s=1"
"""The bundled responses hold programs that compute or sleep for ever; they need not do so for 5 s each in every block."""
_BLOCK = re.compile(
    r"(?:<!-- needs: (?P<needs>[a-z]+) -->\n)?^```(?P<language>bash|python)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_IMPORT = re.compile(r"^(?:>>> )?(?:from (reexec[\w.]*) import ([\w, ]+)|import (reexec[\w.]*))", re.MULTILINE)
_FILE = re.compile(r"`((?:policies|engine|runners|cli|tests|examples|scripts|benchmarks|clients|deploy|docs)/[\w./-]*\w/?)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    needs: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["language"], found["text"], found["needs"] or "")
        for found in _BLOCK.finditer(text)
    ]


def commands(text: str) -> list[str]:
    """The block's commands; a backslash at the end of a line continues it."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


RUN = [page for page in PAGES if any(not block.needs for block in blocks(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_pages_blocks_run_as_printed(page: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    client = {"PYTHONPATH": str(ROOT / "clients" / "python")}  # a distribution of its own
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", **client}
    environment["REEXEC_POLICY"] = LIMITS
    if limited_host.is_limited():
        environment["REEXEC_POLICY"] = f"{LIMITS} {limited_host.SETTING}"
        environment["MALLOC_ARENA_MAX"] = "1"  # each thread's arena takes 64 MiB of the addresses
    for block in blocks(page):
        if block.needs:
            continue
        if block.language == "python":
            name = "block.txt" if block.text.startswith(">>>") else "block.py"
            (tmp_path / name).write_text(block.text)
            lines = [f"{sys.executable} {'-m doctest ' * name.endswith('.txt')}{name}"]
        else:
            lines = commands(block.text)
        for line in lines:
            done = subprocess.run(
                line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, (
                f"{page}:{block.line}: {line}\nexit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Decisions by their folder."""
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = [(page.parent / link).resolve() for link in _LINK.findall(page.read_text())]
        waiting += [found for found in linked if found.suffix == ".md" and found not in reached]
        reached |= {entry for found in linked if found.is_dir() and found.name == "decisions" for entry in found.iterdir()}
    unreachable = {page for page in PAGES if (ROOT / "docs") in page.parents} - reached
    assert not unreachable


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    for block in blocks(page):
        assert not block.needs or block.needs in NEEDS, f"{page}:{block.line}: unknown need {block.needs!r}"
    for module, names, alone in _IMPORT.findall(text):
        found = importlib.import_module(module or alone)
        for name in filter(None, re.split(r"[,\s]+", names)):
            is_module = hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}") is not None
            assert is_module or hasattr(found, name), f"{page}: {module} has no {name}"
    for link in _LINK.findall(text):
        assert (page.parent / link).exists(), f"{page}: no such file {link}"
    for name in _FILE.findall(text):
        assert "NAME" in name or (ROOT / name).exists(), f"{page}: no such file {name}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"{page}: no make target {target}"
