"""Generate: a pair is written only where it is proven, one bad call costs one pair, and every loss has its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec import load_policy
from reexec.engine.executor import Executor
from reexec.engine.judging.size_guard import check_output_size, check_size
from reexec.policies.model import Policy
from reexec.runners.execution import ExecutorOptions
from reexec.runners.records.functions import parse_function
from reexec.runners.stage import Summary
from reexec.runners.stages.generate import GenerateSettings, generate
from reexec.runners.stages.generate.reasons import REASONS, of_function
from tests.support.helpers import Row, read_rows, reexec, write_rows

COUNTING = "import random\n\ndef input_generator():\n    return {'n': random.randint(0, 10**6)}"
SETTINGS = ("limits.cpu_s=0.2", "limits.idle_s=0.2", "limits.memory_bytes=268435456")


def unified(main: str, makes: str = COUNTING, **more: Any) -> Row:
    text = (
        f"## Main Function\n```python\n{main}\n```\n\n## Input Output Description\nAs the code says.\n\n"
        f"## Input Generator\n```python\n{makes}\n```\n\n## Problem Statement\nFind the value.\n"
    )
    return {"id": "row", "index": 0, "model": "hand-written", "output": text, **more}


KEPT = {
    "plain": unified("def main_solution(n):\n    return n % 97", provenance={"license": "MIT", "path": "a.py"}),
    "seeds itself": unified(
        "import random\ndef main_solution(n):\n    return random.Random(n).randint(0, 9) + random.Random(7).randint(0, 9)"
    ),
    "one input in three fails": unified(
        "import os, sys\ndef main_solution(n):\n"
        "    if n % 3 == 0:\n        raise ValueError(n)\n"
        "    if n % 7 == 0:\n        os._exit(0)\n    if n % 11 == 0:\n        sys.exit(0)\n    return n"
    ),
    "one call in three fails": unified(
        "def main_solution(n):\n    return n",
        "import random, sys\ndef input_generator():\n    n = random.randint(0, 10**6)\n"
        "    if n % 3 == 0:\n        raise ValueError(n)\n    if n % 5 == 0:\n        sys.exit(3)\n"
        "    if n % 7 == 0:\n        return {'n': {n}}\n    if n % 11 == 0:\n        return [n]\n    return {'n': n}",
    ),
    "a call ends its process": unified(
        "def main_solution(n):\n    return n",
        "import os, random\ndef input_generator():\n    n = random.randint(0, 10**6)\n"
        "    if n % 20 == 0:\n        os._exit(0)\n    return {'n': n}",
    ),
    "only five inputs": unified(
        "def main_solution(n):\n    return -n", "import random\ndef input_generator():\n    return {'n': random.randint(1, 5)}"
    ),
    "constant": unified("def main_solution(n):\n    return 'same'"),
    "tuples and number keys": unified("def main_solution(n):\n    return {n: (n, {'x': (1,)})}"),
    "NaN": unified("def main_solution(n):\n    return [float('nan'), float('inf'), -0.0, n]"),
    "keys in hash order": unified("def main_solution(n):\n    return {word: n for word in {'a', 'b', 'c', 'd', 'e'}}"),
    "the prelude's names": unified(
        "def main_solution(n: Optional[int]) -> List[int]:\n    return sorted(Counter(str(n)).values()) + [gcd(n, 12)]",
        "def input_generator():\n    return {'n': random.randint(0, 10**6)}",
    ),
    "shares its output": unified(
        "SHARED = []\ndef main_solution(n):\n    SHARED.append(n)\n    return SHARED",
        "KEEP = {'n': 0}\ndef input_generator():\n    KEEP['n'] = random.randint(0, 10**6)\n    return KEEP",
    ),
    "sorts its argument": unified(
        "def main_solution(xs):\n    xs.sort()\n    return xs",
        "import random\ndef input_generator():\n    return {'xs': [random.randint(10, 99), random.randint(0, 9)]}",
    ),
}
DROPPED = {
    "nondeterministic": unified("import random\ndef main_solution(n):\n    return n + random.random()"),
    "nondeterministic: hash order": unified("def main_solution(n):\n    return list({'a', 'b', 'c', 'd', str(n)})"),
    "nondeterministic: entropy": unified("import os\ndef main_solution(n):\n    return [n, os.urandom(4).hex()]"),
    "nondeterministic: mostly lucky": unified(
        "import random\ndef main_solution(n):\n    return n if random.random() < 0.8 else -n - 1",
    ),
    "nondeterministic: addresses": unified("def main_solution(n):\n    return id(object()) + n"),
    "reads-clock": unified("import datetime\ndef main_solution(n):\n    return datetime.date.today().year + n"),
    "exception": unified("def main_solution(n):\n    return n / 0"),
    "exception: source": unified("def main_solution(n):\n    return n +"),
    "missing-module": unified("def main_solution(n):\n    import surely_not_there\n    return n"),
    "no-output": unified("def main_solution(n):\n    print(n)"),
    "output-too-large": unified("def main_solution(n):\n    return list(range(30))"),
    "bad-result": unified("def main_solution(n):\n    return {n, 2}"),
    "cpu-limit": unified("def main_solution(n):\n    while True:\n        n += 1"),
    "early-exit": unified("import os\ndef main_solution(n):\n    os._exit(0)"),
    "input-too-large": unified(
        "def main_solution(n):\n    return 1", "def input_generator():\n    return {'n': list(range(50))}"
    ),
    "too-few-inputs": unified("def main_solution(n):\n    return n", "def input_generator():\n    return {'n': 5}"),
    "generator-exception": unified("def main_solution(n):\n    return n", "def input_generator():\n    return {'n': 1 / 0}"),
    "generator-missing-module": unified("import surely_not_there\ndef main_solution(n):\n    return n"),
    "generator-bad-result": unified(
        "def main_solution(n):\n    return n", "def input_generator():\n    return {'n': object()}"
    ),
    "generator-varies": unified(
        "def main_solution(n):\n    return n",
        "def input_generator():\n    return {'n': open('/dev/urandom', 'rb').read(4).hex()}",
    ),
    "generator-reads-clock": unified(
        "def main_solution(n):\n    return n",
        "import time\ndef input_generator():\n    return {'n': int(time.time()) // 10**6}",
    ),
    "generator-cpu-limit": unified(
        "def main_solution(n):\n    return n", "def input_generator():\n    while True:\n        pass"
    ),
    "no-response": {"id": "x", "output": None},
    "no-input-generator": unified("def main_solution(n):\n    return n", "inputs = []"),
}
EXPECTED = {
    name: "generator-exception" if name == "exception: source" else name.partition(":")[0] for name in DROPPED
}  # source that does not compile fails beside the generator first
NAMES = [*KEPT, *DROPPED]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("codeio", settings=SETTINGS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    write_rows(folder / "unified.jsonl", (KEPT | DROPPED).values())
    return folder


@pytest.fixture(scope="module")
def summary(folder: Path, policy: Policy) -> Summary:
    """One run over all of them."""
    settings, executor = GenerateSettings(pairs=6, calls=300), ExecutorOptions(policy, workers=2)
    return generate(folder / "unified.jsonl", folder / "functions.jsonl", settings, executor)


@pytest.fixture(scope="module")
def kept(folder: Path, summary: Summary) -> dict[str, Row]:
    """Rows of the output by name: they come in the order of the input."""
    rows = read_rows(folder / "functions.jsonl")
    drops = read_rows(folder / "functions.drops.jsonl")
    dropped = {row["line"] for row in drops if row["reason"]}
    names = [name for line, name in enumerate(NAMES, 1) if line not in dropped]
    return dict(zip(names, rows, strict=True))


@pytest.fixture(scope="module")
def drops(folder: Path, summary: Summary) -> dict[str, Row]:
    return {NAMES[row["line"] - 1]: row for row in read_rows(folder / "functions.drops.jsonl")}


def test_what_is_kept_and_what_is_dropped(kept: dict[str, Row], drops: dict[str, Row]) -> None:
    reasons = {name: row["reason"] for name, row in drops.items() if row["reason"]}
    assert reasons == EXPECTED
    assert list(kept) == list(KEPT)


def test_the_summary_adds_up(summary: Summary, kept: dict[str, Row], folder: Path) -> None:
    assert summary.counts["functions_in"] == len(NAMES)
    assert summary.counts["functions_kept"] == len(KEPT)
    rejects = read_rows(folder / "functions.rejects.jsonl")
    assert summary.rejected == len(DROPPED) == sum(summary.counts["reasons"].values()) == len(rejects)
    assert summary.counts["pairs_kept"] == sum(len(row["ios"]) for row in kept.values())
    assert set(summary.counts["reasons"]) | set(summary.counts["pair_reasons"]) <= set(REASONS)
    assert summary.engine_errors == 0
    assert summary.counts["missing_modules"] == {"surely_not_there": 2}


def test_every_reject_says_why(folder: Path, summary: Summary) -> None:
    for row in read_rows(folder / "functions.rejects.jsonl"):
        reason, _, said = row["reason"].partition(": ")
        assert reason == EXPECTED[NAMES[row["line"] - 1]]
        assert said
        assert "\n" not in row["reason"]


def test_pairs_are_distinct_small_and_carry_the_contract(kept: dict[str, Row], policy: Policy) -> None:
    for name, row in kept.items():
        assert list(row) == [
            "problem_description", "io_requirements", "refcode", "funcname", "ios", "category", "meta", "inputgencode",
            "function_id", "provenance", "trivial",
        ]  # fmt: skip
        inputs = [json.dumps(pair["input"], sort_keys=True) for pair in row["ios"]]
        assert len(inputs) == len(set(inputs)) == (5 if name == "only five inputs" else 6), name
        for pair in row["ios"]:
            assert check_size(pair["input"], policy.size) is None
            assert check_output_size(pair["output"], policy.size) is None
    assert kept["plain"]["provenance"] == {"license": "MIT", "path": "a.py"}
    assert kept["seeds itself"]["provenance"] == {}
    assert kept["plain"]["meta"] == {key: KEPT["plain"][key] for key in ("id", "index", "model")}


def test_every_pair_is_what_a_fresh_run_gives(kept: dict[str, Row], policy: Policy) -> None:
    with Executor(policy, workers=2) as executor:
        for position, row in enumerate(kept.values()):
            record = parse_function(row, position, position + 1)
            for pair, outcome in zip(record.pairs, executor.map(record.program, [p.input for p in record.pairs]), strict=True):
                assert json.dumps(outcome.value, sort_keys=True) == json.dumps(pair.output, sort_keys=True)


def test_constant_functions_are_marked(kept: dict[str, Row]) -> None:
    assert [name for name, row in kept.items() if row["trivial"]] == ["constant", "keys in hash order"][:1]


def test_values_are_what_json_makes_of_them(kept: dict[str, Row]) -> None:
    for pair in kept["tuples and number keys"]["ios"]:
        n = pair["input"]["n"]
        assert pair["output"] == {str(n): [n, {"x": [1]}]}
    for pair in kept["NaN"]["ios"]:
        assert json.dumps(pair["output"]) == f"[NaN, Infinity, -0.0, {pair['input']['n']}]"
    for pair in kept["keys in hash order"]["ios"]:
        assert list(pair["output"]) == sorted(pair["output"])


def test_pairs_share_nothing(kept: dict[str, Row]) -> None:
    """Neither a generator's own dict nor a list that the function keeps leaks from one pair into the next."""
    for pair in kept["shares its output"]["ios"]:
        assert pair["output"] == [pair["input"]["n"]]


def test_one_bad_call_costs_one_pair(kept: dict[str, Row], drops: dict[str, Row]) -> None:
    assert all(pair["input"]["n"] % k for pair in kept["one input in three fails"]["ios"] for k in (3, 7, 11))
    assert {"exception", "early-exit"} <= drops["one input in three fails"]["dropped"].keys()
    lost = drops["one call in three fails"]["dropped"]
    assert set(lost) <= {"generator-exception", "generator-bad-result"}
    assert sum(lost.values()) + 6 <= drops["one call in three fails"]["calls"] < 100
    assert len(kept["a call ends its process"]["ios"]) == 6


def test_the_input_is_the_one_from_before_the_call(kept: dict[str, Row]) -> None:
    for pair in kept["sorts its argument"]["ios"]:
        assert pair["input"]["xs"] == sorted(pair["input"]["xs"], reverse=True)
        assert pair["output"] == sorted(pair["input"]["xs"])


def test_mutating_functions_can_be_dropped(tmp_path: Path, policy: Policy) -> None:
    source = write_rows(tmp_path / "unified.jsonl", [KEPT["sorts its argument"], KEPT["plain"]])
    settings, executor = GenerateSettings(drop_mutating=True), ExecutorOptions(policy, workers=2)
    result = generate(source, tmp_path / "functions.jsonl", settings, executor)
    assert result.counts["reasons"] == {"mutates-input": 1}
    assert result.counts["functions_kept"] == 1


def test_the_bytes_do_not_depend_on_the_workers(tmp_path: Path, policy: Policy) -> None:
    quick = [*KEPT.values(), *(DROPPED[name] for name in ("nondeterministic", "exception", "too-few-inputs", "no-response"))]
    source = write_rows(tmp_path / "unified.jsonl", quick)
    contents = []
    for workers in (1, 4):
        settings, executor = GenerateSettings(pairs=3, calls=60), ExecutorOptions(policy, workers=workers)
        generate(source, tmp_path / "functions.jsonl", settings, executor, overwrite=True)
        names = ("functions.jsonl", "functions.drops.jsonl", "functions.rejects.jsonl")
        contents.append([(tmp_path / name).read_bytes() for name in names])
    assert contents[0] == contents[1]
    assert all(contents[0])


def test_seeds_derive_from_the_policys_seed_and_the_program(tmp_path: Path, policy: Policy) -> None:
    source = write_rows(tmp_path / "unified.jsonl", [KEPT["plain"], unified("def main_solution(n):\n    return n % 96")])
    other = load_policy("codeio", settings=(*SETTINGS, "determinism.random_seed=1"))
    inputs = []
    for name, used in (("a", policy), ("b", other)):
        generate(source, tmp_path / f"{name}.jsonl", GenerateSettings(), ExecutorOptions(used, workers=2))
        inputs += [json.dumps([pair["input"] for pair in row["ios"]]) for row in read_rows(tmp_path / f"{name}.jsonl")]
    assert len(set(inputs)) == 4


def test_the_reader_for_generators_with_a_random_generator(tmp_path: Path, policy: Policy) -> None:
    row = {
        "task_description": "Add.", "input_output_spec": "`a` and `b` (int)", "difficulty": 3,
        "code_sample": "import math\ndef main_solution(a, b):\n    return a + b",
        "input_generator": "def generate_inputs(rng: Random) -> dict:\n"
        "    return {'a': rng.randint(0, 99), 'b': math.floor(rng.random() * 100)}",
    }  # fmt: skip
    source = write_rows(tmp_path / "rows.jsonl", [row, {**row, "code_sample": 5}, "{", "[]"])
    settings, executor = GenerateSettings(reader="reasoning-gym", pairs=3), ExecutorOptions(policy, workers=2)
    result = generate(source, tmp_path / "functions.jsonl", settings, executor)
    (made,) = read_rows(tmp_path / "functions.jsonl")
    assert (made["problem_description"], made["io_requirements"], made["meta"]) == (
        "Add.",
        "`a` and `b` (int)",
        {"difficulty": 3},
    )
    assert len(made["ios"]) == 3
    assert (result.counts["functions_in"], result.rejected, result.unreadable) == (2, 3, 2)
    assert result.counts["reasons"] == {"no-response": 1}


def test_mistakes_of_the_caller_are_said(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "unified.jsonl", [KEPT["plain"]])
    for option, value, said in (
        ("--reader", "codeoi", "reexec: --reader: unknown reader 'codeoi', did you mean 'codeio'?"),
        ("--pairs", "1", "reexec: --pairs 1: must be 2 or more"),
        ("--calls", "0", "reexec: --calls 0: must be 2 or more"),
    ):
        done = reexec("generate", source, "-o", tmp_path / "o.jsonl", option, value)
        assert (done.code, done.one_line()) == (2, said)
    assert not (tmp_path / "o.jsonl").exists()


def test_the_reason_of_a_function_is_the_most_common_one_of_its_pairs() -> None:
    assert of_function({"exception": 3, "cpu-limit": 4, "input-too-large": 900}) == "cpu-limit"
    assert of_function({"input-too-large": 9, "generator-exception": 1, "repeated-input": 90}) == "input-too-large"
    assert of_function({"repeated-input": 999}) == "too-few-inputs"


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    rows = [KEPT["plain"], KEPT["constant"], DROPPED["no-output"]]
    source = write_rows(tmp_path / "unified.jsonl", rows)
    done = reexec("generate", source, "-o", tmp_path / "f.jsonl", "--pairs", "4", "--calls", "50", "--json")
    assert done.code == 0
    assert done.one_line().startswith("reexec: 1 row was rejected")
    told = done.summary
    assert (told["command"], told["rows"], told["rejected"]) == ("generate", 2, 1)
    assert (told["functions_in"], told["functions_kept"], told["pairs_kept"], told["trivial"]) == (3, 2, 8, 1)
    assert told["reasons"] == {"no-output": 1}
    again = reexec("generate", source, "-o", tmp_path / "f.jsonl", "--pairs", "4", "--calls", "50", "--json")
    assert (again.code, again.summary["pairs_kept"]) == (0, 8)
    assert reexec("audit", tmp_path / "f.jsonl", "-o", tmp_path / "report.jsonl", "--json").summary["reasons"] == {}
