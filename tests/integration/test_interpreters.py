"""Every CPython of 3.8 or newer on this machine serves as the interpreter of checked programs, with the same results."""

import json
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from reexec import Executor, Program, UsageError, load_policy
from reexec.engine.conformance import offer, run_conformance
from reexec.engine.jail import interpreter
from reexec.policies.model import IsolationLevel, Policy
from tests.conftest import lacking

POLICY = load_policy("codeio", settings=["limits.cpu_s=0.5", "limits.idle_s=0.5", "limits.memory_bytes=268435456"])
PLACES = ("/usr/bin", "/usr/local/bin", "/opt/*/bin")
HOMES = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".local/bin")

# Programs whose result depends on no version: (source, call)
PROGRAMS: dict[str, tuple[str, Any]] = {
    "values": ("def f(a):\n    return {'a': a, 'b': [1, 2.5, None, True, 'ä\\ud800'], 'c': (1, (2,))}", [[1, {"x": "y"}]]),
    "big": ("def f():\n    return 3 ** 2000", []),
    "big text": ("def f():\n    return [10 ** 5000, -(7 ** 6000)]", []),
    "floats": ("def f():\n    return [0.1 + 0.2, 1e300 * 1e10, -0.0, 5e-324, float('nan')]", []),
    "sorted": ("def f(items):\n    return sorted(items, key=lambda t: (t[1], t[0]))", [[[3, "a"], [1, "b"], [2, "a"]]]),
    "prelude": ("def f():\n    return [math.gcd(12, 18), Counter('aab').most_common(1), list(accumulate([1, 2, 3]))]", []),
    "random": ("def f():\n    random.seed(5)\n    return [random.random(), random.randint(1, 10)]", []),
    "hash": ("def f():\n    return hash('abc') == hash('abc')", []),
    "arguments": ("def f(*a, **k):\n    return [len(a), sorted(k)]", {"x": (1, 2), "y": {3}}),
    "set": ("def f():\n    return {1}", []),
    "cycle": ("def f():\n    x = []\n    x.append(x)\n    return x", []),
    "deep": ("def f():\n    x = []\n    for _ in range(10000):\n        x = [x]\n    return x", []),
    "raise": ("def f():\n    raise ValueError('text', 3)", []),
    "own exception": ("class Odd(Exception):\n    pass\ndef f():\n    raise Odd('text')", []),
    "missing module": ("import no_such_module\ndef f():\n    pass", []),
    "missing entry": ("def g():\n    pass", []),
    "exit": ("import sys\ndef f():\n    sys.exit(3)", []),
    "kill": ("import os\ndef f():\n    os.kill(os.getpid(), 11)", []),
    "memory": ("def f():\n    return len(bytearray(1 << 40))", []),
    "cpu": ("def f():\n    while True:\n        pass", []),
    "sleep": ("import time\ndef f():\n    time.sleep(100)", []),
    "fork": ("import os\ndef f():\n    os.fork()", []),
    "thread": ("import threading\ndef f():\n    threading.Thread(target=print).start()", []),
    "init": ("import os\ndef f():\n    os.kill(1, 9)", []),
    "forge": (
        "import os, struct\ndef f():\n    for fd in range(3, 60):\n        try:\n            os.write(fd, b'x' * 40)\n"
        "        except OSError:\n            pass\n    os._exit(0)",
        [],
    ),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f():\n    return P(3).x",
        [],
    ),
    "future": ("from __future__ import annotations\ndef f(x: no_such_name = 1):\n    return x", []),
}

KINDS = {
    "memory": "memory-limit", "cpu": "cpu-limit", "sleep": "wall-limit", "fork": "process-limit", "thread": "process-limit",
    "exit": "early-exit", "kill": "exception", "cycle": "bad-result", "forge": "bad-result", "values": "value",
}  # fmt: skip


@cache
def version_of(path: str) -> tuple[int, ...] | None:
    try:
        return interpreter.ask(path).version
    except UsageError:
        return None


@cache
def found() -> dict[str, str]:
    """Path by version text, one for each minor version, oldest first."""
    paths = [path for place in PLACES for path in Path("/").glob(place.lstrip("/") + "/python3.*")]
    paths += [path for home in HOMES for path in Path.home().glob(home + "/python3.*")]
    by_minor: dict[tuple[int, ...], str] = {}
    for path in sorted(paths):
        name = path.name.removeprefix("python3.")
        if name.isdigit() and path.exists():
            version = version_of(str(path))
            if version is not None:
                by_minor.setdefault(version[:2], str(path))
    return {".".join(map(str, version)): by_minor[version] for version in sorted(by_minor)}


def result(executor: Executor, name: str) -> str:
    source, call = PROGRAMS[name]
    outcome = executor.submit(Program(source, "f"), call).result()
    exception = outcome.exception
    shown = [
        outcome.kind,
        repr(outcome.value) if not isinstance(outcome.value, (int, list)) else [hex(v) if type(v) is int else repr(v) for v in (
            outcome.value if isinstance(outcome.value, list) else [outcome.value])],
        [exception.type, exception.missing_module, exception.lines] if exception else None,
    ]  # fmt: skip
    return json.dumps(shown)


@pytest.fixture(scope="module")
def reference() -> Iterator[dict[str, str]]:
    with Executor(POLICY, workers=1) as executor:
        yield {name: result(executor, name) for name in PROGRAMS}


def test_more_than_one_interpreter_is_found() -> None:
    if len(found()) < 2:
        lacking(f"only these CPythons of 3.8 or newer are here: {', '.join(found())}")


@pytest.mark.parametrize("version", list(found()))
def test_an_interpreter_gives_the_same_results_as_this_one(version: str, reference: dict[str, str]) -> None:
    with Executor(POLICY, workers=1, python=found()[version]) as executor:
        assert executor.interpreter.version_text.startswith(version + ".")
        got = {name: result(executor, name) for name in PROGRAMS}
        statistics = executor.statistics()
    assert got == reference
    assert {name: json.loads(got[name])[0] for name in KINDS} == KINDS
    assert (statistics.worker_deaths, statistics.engine_errors) == (0, 0)


@pytest.mark.parametrize("version", list(found()))
def test_numpy_is_used_or_named_where_it_is_missing(version: str) -> None:
    path = found()[version]
    has_numpy = subprocess.run([path, "-c", "import numpy"], capture_output=True, check=False).returncode == 0
    policy = load_policy("codeio", settings=["limits.cpu_s=5"])
    with Executor(policy, workers=1, python=path) as executor:
        outcome = executor.submit(Program("def f():\n    return np.arange(3).sum()", "f"), []).result()
        assert ("numpy" in executor.missing_prelude_modules) == (not has_numpy)
        if has_numpy:
            assert outcome.value == 3
        else:
            assert outcome.kind == "exception"
            assert outcome.exception is not None
            assert (outcome.exception.type, outcome.exception.missing_module) == ("ModuleNotFoundError", "numpy")
        # a program that does not touch numpy does not care
        assert executor.submit(Program("def f():\n    return 1", "f"), []).result().value == 1


@pytest.mark.parametrize("isolation", [IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED])
@pytest.mark.parametrize("version", [*list(found())[:1], *list(found())[-1:]])
def test_an_interpreter_may_be_a_link_or_an_environment_made_of_one(
    version: str, isolation: IsolationLevel, tmp_path: Path
) -> None:
    """As uv and pipx leave them in ~/.local/bin: the link's folder has no library beside it."""
    link = tmp_path / "bin" / f"python{version}"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(os.path.realpath(found()[version]), link.parent))
    subprocess.run([link, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    policy = load_policy("codeio", settings=[f'isolation.lowest="{isolation.value}"'])
    pythons = [link, tmp_path / "env" / "bin" / "python"]
    if subprocess.run([pythons[1], "-c", ""], capture_output=True, check=False).returncode != 0:
        pythons.pop()  # an interpreter that was moved after it was built does not find its library from there, jail or not
    for python in pythons:
        with Executor(policy, workers=1, python=python, isolation=isolation) as executor:
            outcome = executor.submit(Program("import sys, decimal\ndef f():\n    return sys.prefix", "f"), []).result()
            assert outcome.ok, outcome
            assert outcome.value == executor.interpreter.prefixes[0]


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [IsolationLevel.NSJAIL_CGROUP, IsolationLevel.NSJAIL, IsolationLevel.RESTRICTED])
@pytest.mark.parametrize("version", [*list(found())[:1], *list(found())[-1:]])
def test_the_oldest_and_the_newest_interpreter_hold_the_contract(version: str, isolation: IsolationLevel) -> None:
    reason = offer(isolation).reason
    if reason:
        lacking(reason)

    def factory(policy: Policy, isolation: IsolationLevel) -> Executor:
        return Executor(policy, workers=1, isolation=isolation, python=found()[version])

    results = run_conformance(factory, isolation)
    assert len(results) > 30
    assert [(result.case.id, result.faults) for result in results if result.faults] == []


@pytest.mark.parametrize("minor", [6, 7])
def test_an_older_interpreter_is_refused_by_its_version(minor: int) -> None:
    paths = [path for home in HOMES for path in Path.home().glob(f"{home}/python3.{minor}")]
    paths += Path("/usr/bin").glob(f"python3.{minor}")
    if not paths:
        pytest.skip(f"no Python 3.{minor} here to refuse")
    with pytest.raises(UsageError, match=rf"3\.{minor}\.\d+; CPython 3\.8 or newer is needed"):
        Executor(POLICY, workers=1, python=paths[0])
