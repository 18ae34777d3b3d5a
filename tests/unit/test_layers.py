"""The house's own rules: who may import whom, what runs inside the jail, and what the repository must not hold."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("policies", "engine", "runners", "cli")  # each may import those before it
LINKS = (*LAYERS, "examples")
ROOT_PACKAGE_LEVEL = LAYERS.index("engine")  # what reexec/__init__.py itself imports
NOT_IN_3_8 = {"graphlib", "tomllib", "zoneinfo"}
INSIDE = (ROOT / "engine" / "protocol", ROOT / "engine" / "zygote", ROOT / "runners" / "graders" / "inside")


def sources(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, f"no Python files under {folder}"
    return found


def imported(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Every import of a file as (line, absolute dotted name), relative ones resolved; `from a import b` gives a.b."""
    package = ("reexec", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong_way(path: Path, text: str) -> list[str]:
    own = LAYERS.index(path.relative_to(ROOT).parts[0])
    faults = []
    for line, name in imported(path, text):
        parts = name.split(".")
        if parts[0] in LINKS:
            faults.append(f"{path}:{line} imports {name}: say reexec.{name}")
        elif parts[0] == "reexec":
            below = parts[1] if len(parts) > 1 else ""
            if below == "examples":
                allowed = own >= LAYERS.index("runners")
            elif below in LAYERS:
                allowed = LAYERS.index(below) <= own
            else:
                allowed = own > ROOT_PACKAGE_LEVEL
            if not allowed:
                faults.append(f"{path}:{line} in {LAYERS[own]} imports {name}")
    return faults


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way(layer: str) -> None:
    faults = [fault for path in sources(ROOT / layer) for fault in wrong_way(path, path.read_text())]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("file", "text", "fine"),
    [
        ("engine/pool/job.py", "from ...runners import verify", False),
        ("engine/pool/job.py", "from ... import runners", False),
        ("engine/pool/job.py", "def late():\n    import reexec.cli.main", False),
        ("engine/pool/job.py", "from reexec import Executor", False),
        ("engine/pool/job.py", "import runners", False),
        ("engine/pool/job.py", "from ..outcome import Outcome\nfrom reexec.policies import Policy", True),
        ("runners/verify.py", "from reexec import Executor", True),
        ("policies/model.py", "from reexec.examples import functions", False),
    ],
)
def test_the_rule_sees_every_way_of_importing(file: str, text: str, fine: bool) -> None:
    assert (wrong_way(ROOT / file, text) == []) is fine


def module_of(path: Path) -> str:
    parts = ("reexec", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


Graph = dict[str, set[str]]


def graph_of(texts: dict[str, str]) -> Graph:
    """Which modules a module imports, however late and for whatever reason; `texts` by the file's path below the root."""
    modules = {module_of(ROOT / file): (ROOT / file, text) for file, text in texts.items()}
    graph: Graph = {module: set() for module in modules}
    for module, (path, text) in modules.items():
        for _, name in imported(path, text):
            # `from a import b` means the module a.b where there is one, else what a has under that name.
            meant = next((found for found in (name, name.rpartition(".")[0]) if found in modules), module)
            graph[module] |= {meant} - {module}
    return graph


def folded(graph: Graph) -> Graph:
    """The same between the folders of a layer, with a file beside them as a folder of its own."""
    result: Graph = {}
    for module, targets in graph.items():
        folder = ".".join(module.split(".")[:3])
        result.setdefault(folder, set()).update({".".join(target.split(".")[:3]) for target in targets} - {folder})
    return result


def circles(graph: Graph) -> list[list[str]]:
    """The parts of a graph in which each reaches all others."""
    found: list[list[str]] = []
    left = dict(graph)
    while left:
        start = next(iter(left))
        turned = {node: {other for other in left if node in left[other]} for node in left}
        part = reached(start, left) & reached(start, turned)
        if len(part) > 1:
            found.append(sorted(part))
        left = {node: targets - part for node, targets in left.items() if node not in part}
    return found


def reached(start: str, graph: Graph) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        new = graph[waiting.pop()] & graph.keys() - seen
        seen |= new
        waiting += new
    return seen


@pytest.mark.parametrize("layer", LAYERS)
def test_neither_modules_nor_folders_import_each_other(layer: str) -> None:
    graph = graph_of({str(path.relative_to(ROOT)): path.read_text() for path in sources(ROOT / layer)})
    assert any(graph.values())
    assert circles(graph) == []
    assert circles(folded(graph)) == []


def test_circles_are_seen_in_files_and_between_folders() -> None:
    late = "def late():\n    from . import a\n"
    graph = graph_of({"engine/a.py": "from .b import x", "engine/b.py": "import reexec.engine.c", "engine/c.py": late})
    assert circles(graph) == [["reexec.engine.a", "reexec.engine.b", "reexec.engine.c"]]
    crossing = {"runners/p/a.py": "from ..q.b import x", "runners/q/b.py": "", "runners/q/c.py": "from ..p import d",
                "runners/p/d.py": ""}  # fmt: skip
    graph = graph_of(crossing)
    assert circles(graph) == []
    assert circles(folded(graph)) == [["reexec.runners.p", "reexec.runners.q"]]


def test_inside_the_jail_only_the_standard_library() -> None:
    faults = []
    for path in (path for folder in INSIDE for path in sources(folder)):
        for line, name in imported(path, path.read_text()):
            top = name.split(".")[0]
            own = name.startswith(("reexec.engine.protocol.", "reexec.engine.zygote.", "reexec.runners.graders.inside."))
            if not own and (top not in sys.stdlib_module_names or top in NOT_IN_3_8):
                faults.append(f"{path}:{line} imports {name}")
    assert not faults, "\n".join(faults)


def test_inside_the_jail_is_written_in_the_grammar_of_3_8() -> None:
    for path in (path for folder in INSIDE for path in sources(folder)):
        ast.parse(path.read_text(), str(path), feature_version=(3, 8))


def test_the_import_package_is_relative_links_to_the_folders_beside_src() -> None:
    package = ROOT / "src" / "reexec"
    links = {entry.name: os.readlink(entry) for entry in package.iterdir() if entry.is_symlink()}
    assert links == {name: f"../../{name}" for name in LINKS}
    for name in LINKS:
        assert (package / name / "__init__.py").is_file()


# What would tie the repository to one machine or one network. The patterns do not match their own text.
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.])/(?:work|farm|root)/|/(?:home|Users)/[a-z]\w*/[.\w]", re.MULTILINE)
REGISTRY = re.compile(
    r"(?:registry|index-url|index_url|find-links|resolved)\"? *[:=] *\"?(?:https?|file)://"
    r"|files\.python[h]osted\.org|registry\.np[m]js\.org|https?://[^\s\"']+/simp[l]e\b"
)
LOCK_FILES = {"uv.lock", "poetry.lock", "package-lock.json"}


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"git does not list the tracked files: {done.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    faults = []
    for path in tracked():
        if path.name in LOCK_FILES:
            faults.append(f"{path}: lock files hold the hosts they were made with")
        text = path.read_text(errors="replace")
        for found in [*MACHINE_PATH.finditer(text), *REGISTRY.finditer(text)]:
            line = text.count("\n", 0, found.start()) + 1
            faults.append(f"{path}:{line}: {found.group().strip()}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("text", ["see /wor" + "k/main", 'index-url = "' + 'https://example.org"', "/ho" + "me/ann/x"])
def test_the_search_for_machines_and_registries_finds_them(text: str) -> None:
    assert MACHINE_PATH.search(text) or REGISTRY.search(text)


def test_constraints_are_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [\w '=.<>!]+)?", line), line
