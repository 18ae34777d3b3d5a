"""Values on their way through a real worker: what the caller gives, what the program returns, what a file holds."""

import collections
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reexec import Executor, Program, UsageError

ECHO = Program("def f(x):\n    return [type(x).__name__, x]", "f")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with Executor("codeio", workers=1) as executor:
        yield executor


@pytest.mark.parametrize(
    ("argument", "kind", "value"),
    [
        (np.int64(3), "int", 3),
        (np.array([300, 2]), "list", [300, 2]),
        (np.array([[0.5]]), "list", [[0.5]]),
        (np.str_("a"), "str", "a"),
        (collections.OrderedDict(a=np.float64(1.5)), "dict", {"a": 1.5}),
        ((1, 2), "tuple", [1, 2]),
        ({1: 2}, "dict", {"1": 2}),
    ],
)
def test_arguments_arrive_as_plain_values(executor: Executor, argument: Any, kind: str, value: Any) -> None:
    assert executor.submit(ECHO, {"x": argument}).result().value == [kind, value]


def test_an_argument_without_a_plain_form_is_refused_before_anything_runs(executor: Executor) -> None:
    with pytest.raises(UsageError, match=r"\$\.x\[1\] is an object of type bytearray"):
        executor.submit(ECHO, {"x": [1, bytearray(b"a")]})


@pytest.mark.parametrize("expected", [np.int64(42), np.array(42), 42])
def test_expected_values_are_folded(executor: Executor, expected: Any) -> None:
    assert executor.check(Program("def f():\n    return 42", "f"), [], expected).accepted


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        ("{np.int64(1): 2, np.float64(0.5): 3, np.bool_(False): 4}", {"1": 2, "0.5": 3, "false": 4}),
        ("np.longdouble(0.5)", 0.5),
        ("np.ma.masked_array([1, 2], mask=[True, False])", [None, 2]),
        ("np.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')])", [[1, 2.5]]),
        ("collections.Counter('aab')", {"a": 2, "b": 1}),
    ],
)
def test_results_are_plain_values(executor: Executor, returned: str, value: Any) -> None:
    program = Program(f"import collections\nimport numpy as np\ndef f():\n    return {returned}", "f")
    assert executor.submit(program, []).result().value == value


@pytest.mark.parametrize(
    "returned", ["np.datetime64('2020-01-01')", "[np.timedelta64(1, 's')]", "np.array(['2020'], 'M8[ns]')"]
)
def test_dates_are_no_results(executor: Executor, returned: str) -> None:
    outcome = executor.submit(Program(f"import numpy as np\ndef f():\n    return {returned}", "f"), []).result()
    assert outcome.kind == "bad-result"


def test_a_byte_order_mark_is_no_part_of_a_program(executor: Executor) -> None:
    assert executor.submit(Program("\ufeffdef f(n):\n    return n", "f"), [1]).result().value == 1


def reexec(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reexec.cli.main", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


INPUTS: dict[str, tuple[str, str, str]] = {
    "tuple": ("{'input': {'a': (1, 2)}}", "accepted", ""),
    "named keys": ("{'input': {'a': [1, 2]}, }", "accepted", ""),
    "bytes": ("{'input': {'a': b'ab'}}", "no-answer", "JSON cannot say it: $.a is an object of type bytes"),
    "set": ("{'input': {'a': {1, 2}}}", "no-answer", "JSON cannot say it: $.a is an object of type set"),
    "keys that fold to one": ("{'input': {'a': {1: 2, '1': 3}}}", "no-answer", "two keys are written '1' in JSON"),
    "key of a tuple": ('{"input": {"a": {(1, 2): 3}}}', "no-answer", "a key of type tuple"),
}


def test_the_function_gets_the_input_that_the_feedback_shows(tmp_path: Path) -> None:
    source = "def f(a):\n    return a + [3]\n"
    functions = {"refcode": source, "funcname": "f", "ios": [{"input": {"a": [1, 2]}, "output": [1, 2, 3]}]}
    (tmp_path / "f.jsonl").write_text(json.dumps(functions) + "\n")
    rows = [{"itemid": 0, "ioid": 0, "io_pred": "i", "output": text} for text, _, _ in INPUTS.values()]
    outputs = ['{"output": {(1, 2): 3}}', "{'output': {1, 2, 3}}", "{'output': (1, 2, 3)}"]
    rows += [{"itemid": 0, "ioid": 0, "io_pred": "o", "output": text} for text in outputs]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = reexec(tmp_path, "verify", "r.jsonl", "-f", "f.jsonl", "-o", "v.jsonl", "--workers", "1")
    assert done.returncode == 0, done.stderr
    verified = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    for row, (_, word, said) in zip(verified, INPUTS.values(), strict=False):
        assert row["verdict"] == word
        assert said in row["res"]["message"]
    assert [row["verdict"] for row in verified[len(INPUTS) :]] == ["wrong-answer", "wrong-answer", "accepted"]
    assert "{(1, 2): 3}" in verified[len(INPUTS)]["res"]["message"]
    assert "{1, 2, 3}" in verified[len(INPUTS) + 1]["res"]["message"]


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"# -*- coding: latin-1 -*-\ndef f():\n    return 'caf\xe9'\n", 0, "caf\\u00e9"),
        (b"\xef\xbb\xbfdef f():\n    return 'caf\xc3\xa9'\n", 0, "caf\\u00e9"),
        (b"def f():\n    return 'caf\xe9'\n", 2, "not UTF-8 at byte 24"),
        (b"# coding: nosuch\ndef f(): pass\n", 2, "unknown encoding: nosuch"),
    ],
)
def test_python_files_are_read_in_the_encoding_that_they_name(tmp_path: Path, data: bytes, code: int, said: str) -> None:
    (tmp_path / "p.py").write_bytes(data)
    done = reexec(tmp_path, "call", "p.py", "--entry", "f")
    assert done.returncode == code
    assert said in done.stdout + done.stderr
