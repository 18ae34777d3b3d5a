"""A wrong call ends in code 2 and in one line that says what is wrong, where, and what to do."""

from pathlib import Path

import pytest

from tests.support.helpers import reexec, write_rows

FUNCTIONS, RESPONSES = "examples/functions.jsonl", "examples/responses.jsonl"
VERIFY = ("verify", RESPONSES, "-f", FUNCTIONS, "-o", "{t}/o.jsonl")
HUMANEVAL = ("grade", "humaneval", "--problems", "examples/graders/humaneval.jsonl")
WRONG: list[tuple[tuple[str, ...], str]] = [
    (("verfy",), "No such command 'verfy'. Did you mean 'verify'?"),
    ((*VERIFY, "--workers", "two"), "reexec: --workers two: expected a whole number (`reexec verify --help`"),
    ((*VERIFY, "--workers", "0"), "--workers 0: must be 1 or more"),
    ((*VERIFY, "--policy", "{t}/none.toml"), "reexec: {t}/none.toml: no such file"),
    ((*VERIFY, "--policy", "{t}"), "reexec: {t}: is a folder; expected a TOML file"),
    ((*VERIFY, "--policy", "{t}/slow.toml"), "reexec: {t}/slow.toml: must be more than 0 (given: -1), at $.limits.cpu_s"),
    ((*VERIFY, "--policy", "stict"), "no policy 'stict': did you mean 'strict'?"),
    ((*VERIFY, "--set", "limits.cpu_s=long"), "--set limits.cpu_s=long: expected a number (given: 'long'), at $.limits.cpu_s"),
    ((*VERIFY, "--set", "isolation.lowest=hard"), "expected 'nsjail+cgroup', 'nsjail', 'restricted' or 'none' (given: 'hard')"),
    ((*VERIFY, "--templates", "{t}"), "{t}: holds no template; the files that can be replaced are export.toml, "),
    (("verify", "{t}/plain.jsonl.gz", "-f", FUNCTIONS, "-o", "{t}/o.jsonl"), "plain.jsonl.gz: is not compressed by gzip"),
    (("verify", RESPONSES, "-f", FUNCTIONS, "-o", "{t}"), "reexec: {t}: is a folder; an output is a file"),
    (("verify", RESPONSES, "-f", FUNCTIONS, "-o", "{t}/no/o.jsonl"), "its folder does not exist; make it first"),
    (("call", FUNCTIONS), f"say which function, as {FUNCTIONS}#0"),
    (("call", "{t}/f.py", "--input", "3"), "--input 3: expected an object of arguments by name, or an array"),
    (("rows", "{t}/names.jsonl", "--top", "x"), "reexec: --top x: expected a whole number"),
    (("grade", "tests", "--samples", "x", "-o", "y", "--score", "best"), "--score: 'best' is not one of 'all', 'fraction'"),
    ((*HUMANEVAL, "--samples", "{t}/names.jsonl", "-o", "{t}/o.jsonl"), "no row could be used, 1 was rejected"),
    ((*HUMANEVAL, "--samples", "{t}/names.jsonl", "-o", "{t}/o.jsonl"), "; rows have completion, and no `task_id`\n"),
    (("grade", "package", "{t}/none", "-o", "{t}/o.jsonl"), "{t}/none: no such folder"),
    (("explain", "{t}/names.jsonl", ":1"), "expected a file that `reexec verify` or `reexec grade` wrote (names.manifest.json"),
    (("cache", "stats", "--cache", "{t}/f.py"), "{t}/f.py: is a file; a cache is a folder"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_a_wrong_call_says_what_where_and_what_to_do(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text("[limits]\ncpu_s = -1\n")
    (tmp_path / "plain.jsonl.gz").write_text("{}\n")
    (tmp_path / "f.py").write_text("def main_solution(n):\n    return n\n")
    write_rows(tmp_path / "names.jsonl", [{"completion": "42"}])
    done = reexec(*(part.format(t=tmp_path) for part in arguments))
    assert done.code == 2
    assert said.format(t=tmp_path) in done.err
    assert done.err.count("\n") == 1
    assert not done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("transform", "{t}/empty.jsonl"),
        ("verify", "{t}/empty.jsonl", "-f", FUNCTIONS),
        (*HUMANEVAL, "--samples", "{t}/empty.jsonl"),
    ],
)
def test_an_input_without_rows_is_said_and_no_fault(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """The shard of a short file, or a turn that nothing needs."""
    (tmp_path / "empty.jsonl").write_text("\n")
    done = reexec(*(part.format(t=tmp_path) for part in arguments), "-o", tmp_path / "o.jsonl")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"reexec: {tmp_path}/empty.jsonl: no rows in it to work on\n"
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_a_stage_that_a_run_has_not_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "raw.jsonl", [{"content": "print(1)"}, {"content": ""}])
    assert reexec("transform", tmp_path / "raw.jsonl", "-o", tmp_path / "o.jsonl").code == 1
    done = reexec("rows", tmp_path / "o.jsonl", "--stage", "transfrom")
    assert done.code == 2
    assert done.err == "reexec: --stage: unknown stage 'transfrom', did you mean 'transform'?\n"
