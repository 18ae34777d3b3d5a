"""A proof judges clock and entropy by their effect: reading them costs nothing, depending on them costs the pair. A generator
may draw from any entropy; two runs write the same bytes."""

import ast
from pathlib import Path
from typing import Any

import pytest

from reexec.runners.execution import ExecutorOptions
from reexec.runners.stages.generate import GenerateSettings, generate
from tests.conftest import ROOT
from tests.support.helpers import Row, read_bytes, read_rows, write_rows

COUNTING = "import random\n\ndef input_generator():\n    return {'n': random.randint(0, 10**6)}"
SAME = "def main_solution(n):\n    return n"


def unified(main: str, makes: str = COUNTING) -> Row:
    text = (
        f"## Main Function\n```python\n{main}\n```\n\n## Input Output Description\nAs the code says.\n\n"
        f"## Input Generator\n```python\n{makes}\n```\n\n## Problem Statement\nFind the value.\n"
    )
    return {"id": "row", "output": text}


def main(imports: str, value: str) -> Row:
    return unified(f"{imports}\ndef main_solution(n):\n    return {value}")


def makes(imports: str, value: str) -> Row:
    return unified(SAME, f"{imports}\ndef input_generator():\n    return {{'n': {value}}}")


KEPT = {
    "imports logging": main("import logging\nlog = logging.getLogger('x')", "[log.debug('%s', n), n][1]"),
    "imports concurrent.futures": main("import concurrent.futures", "n + 1"),
    "imports uuid": main("import uuid", "str(uuid.UUID(int=n))"),
    "runs an event loop": unified(
        "import asyncio\nasync def wait(n):\n    await asyncio.sleep(0.01)\n"
        "    return await asyncio.wait_for(asyncio.sleep(0, n), 5)\n"
        "def main_solution(n):\n    return asyncio.run(wait(n))"
    ),
    "converts with gmtime": main("import time", "list(time.gmtime(n))"),
    "converts with strftime": main("import time", "time.strftime('%Y-%m-%d', time.gmtime(n))"),
    "converts with asctime, ctime": main("import time", "time.asctime(time.localtime(n)) + time.ctime(n)"),
    "converts with datetime": main("import datetime", "datetime.datetime.fromtimestamp(n).isoformat()"),
    "measures and does not tell": unified(
        "import time\ndef main_solution(n):\n    began = time.time()\n    value = sum(range(n % 99))\n"
        "    took = time.time() - began\n    return value if took >= 0 else None"
    ),
    "asks whether 2020 is over": main("import datetime", "n if datetime.date.today().year > 2020 else -n"),
    "draws and does not tell": main("import secrets", "[n, len(secrets.token_hex(4))]"),
    "generator: secrets": makes("import secrets", "secrets.randbelow(60)"),
    "generator: SystemRandom": makes("import random\nsource = random.SystemRandom()", "source.randint(0, 60)"),
    "generator: its own Random": makes("import random", "random.Random().randint(0, 60)"),
    "generator: its own Random, of the module": makes("import random\nsource = random.Random()", "source.randint(0, 60)"),
    "generator: reseeded": makes("import random", "[random.seed(), random.randint(0, 60)][1]"),
    "generator: urandom": makes("from os import urandom", "urandom(1)[0]"),
    "generator: getrandom": makes("import os", "int.from_bytes(os.getrandom(8), 'big')"),
    "generator: uuid4": makes("import uuid", "str(uuid.uuid4())"),
    "generator: numpy": makes("import numpy as np", "int(np.random.default_rng().integers(0, 60))"),
    "generator: numpy, of the module": makes(
        "import numpy as np\nsource = np.random.default_rng()", "int(source.integers(0, 60))"
    ),
    "generator: RandomState": makes("import numpy as np", "int(np.random.RandomState().randint(0, 60))"),
    "generator: sleeps": makes("import random, time", "[time.sleep(0.001), random.randint(0, 10**6)][1]"),
}
DROPPED = {
    "reads-clock: the year": main("import datetime", "datetime.date.today().year + n"),
    "reads-clock: the weekday": main("import datetime", "datetime.datetime.now().weekday()"),
    "reads-clock: morning or not": main("from datetime import datetime", "[n, datetime.now().hour < 12]"),
    "reads-clock: even minutes": main("from datetime import datetime", "[n, datetime.utcnow().minute % 2]"),
    "reads-clock: localtime": main("import time", "n + time.localtime().tm_year"),
    "reads-clock: strftime of now": main("import time", "time.strftime('%d %H') + str(n)"),
    "reads-clock: at import": main("import time\nbegan = int(time.time())", "n + began"),
    "reads-clock: elapsed time, rounded": unified(
        "import time\ndef main_solution(n):\n    began = time.perf_counter()\n"
        "    return [n, round(time.perf_counter() - began, 1)]"
    ),
    "reads-clock: processor time, rounded": main("import time", "[n, round(time.process_time(), 0)]"),
    "nondeterministic: secrets": main("import secrets", "[n, secrets.randbelow(2)]"),
    "nondeterministic: uuid4": main("import uuid", "str(uuid.uuid4()) + str(n)"),
    "nondeterministic: its own Random": main("import random", "n + random.Random().randint(0, 1)"),
    "generator-reads-clock: year": makes("import datetime", "datetime.date.today().year"),
    "generator-reads-clock: upper bound": makes("import datetime, random", "random.randint(1990, datetime.date.today().year)"),
    "generator-reads-clock: seed": makes("import random, time", "[random.seed(time.time()), random.random()][1]"),
    "generator-varies: the device": makes("", "open('/dev/urandom', 'rb').read(8)[0] % 3"),
    "generator-varies: the device, from the second round on": makes(
        "calls = []", "[calls.append(0), len(calls) % 3 if len(calls) < 33 else open('/dev/urandom', 'rb').read(8)[0]][1]"
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The outputs of the same run twice, with other numbers of workers."""
    folder = tmp_path_factory.mktemp("proof")
    source = write_rows(folder / "unified.jsonl", (KEPT | DROPPED).values())
    outputs = []
    for workers in (2, 3):
        made = folder / "made"
        made.mkdir()
        settings, executor = GenerateSettings(pairs=6, calls=120), ExecutorOptions("codeio", workers=workers)
        generate(source, made / "functions.jsonl", settings, executor)
        outputs.append(made.rename(folder / f"with {workers} workers"))
    return outputs


def test_what_only_reads_is_kept_and_what_depends_is_dropped(runs: list[Path]) -> None:
    names = [*KEPT, *DROPPED]
    drops = {names[row["line"] - 1]: row["reason"] for row in read_rows(runs[0] / "functions.drops.jsonl") if row["reason"]}
    assert drops == {name: name.partition(":")[0] for name in DROPPED}


@pytest.mark.parametrize("name", ["functions.jsonl", "functions.drops.jsonl", "functions.rejects.jsonl"])
def test_two_runs_write_the_same_bytes(name: str, runs: list[Path]) -> None:
    assert read_bytes(runs[0] / name) == read_bytes(runs[1] / name)


def test_a_generator_with_entropy_of_its_own_gives_different_inputs(runs: list[Path]) -> None:
    """Seeded for each call: the same in every run, not the same in every call."""
    kept: dict[str, Any] = dict(zip(KEPT, read_rows(runs[0] / "functions.jsonl"), strict=True))
    for name, row in kept.items():
        assert len({str(pair["input"]) for pair in row["ios"]}) == 6, name


@pytest.mark.parametrize("path", sorted((ROOT / "engine" / "zygote").rglob("*.py")), ids=lambda path: path.stem)
def test_the_harness_keeps_the_real_clock(path: Path) -> None:
    """It binds functions of `time` when it is imported; the module's own attributes are the programs', and may be shifted."""
    imported = [
        alias.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import) for alias in node.names
    ]
    assert "time" not in imported or path.stem == "determinism"
