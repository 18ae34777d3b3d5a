"""The twelve faults of CodeI/O, one test each, through the commands that a user types: none of them is here.

What each test guards in depth is tested elsewhere (answers, comparator, attacks, load, resume); here stands the list.
"""

import contextlib
import functools
import json
import math
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.busy import busy
from tests.support.helpers import (
    Row,
    all_gone,
    descendants,
    function_row,
    kill_and_look,
    lines_done,
    read_rows,
    reexec,
    response,
    start,
    wait_until,
    write_rows,
)
from tests.support.turns import after, verified

SHORT = ("--set", "limits.cpu_s=1", "--set", "limits.idle_s=1")


def verify(tmp_path: Path, functions: Sequence[Row | str], responses: list[Row], *more: str) -> list[Row]:
    write_rows(tmp_path / "functions.jsonl", functions)
    write_rows(tmp_path / "responses.jsonl", responses)
    output = tmp_path / "verified.jsonl"
    done = reexec("verify", tmp_path / "responses.jsonl", "-f", tmp_path / "functions.jsonl", "-o", output, *SHORT, *more)
    assert done.code == 0, done.err
    return read_rows(output)


def words(rows: list[Row]) -> list[str]:
    return [row["verdict"] for row in rows]


def answered(text: str, io_pred: str = "o", itemid: int = 0, ioid: int = 0) -> Row:
    return {"itemid": itemid, "ioid": ioid, "io_pred": io_pred, "output": text}


def unified(main: str, makes: str) -> Row:
    """A response of the transform stage."""
    parts = {"Main Function": f"```python\n{main}\n```", "Input Output Description": "As the code says.",
             "Input Generator": f"```python\nimport random\n{makes}\n```", "Problem Statement": "What comes out?"}  # fmt: skip
    return {"id": main, "index": 0, "output": "\n\n".join(f"## {head}\n{body}" for head, body in parts.items())}


def generated(tmp_path: Path, *rows: Row) -> list[Row]:
    source = write_rows(tmp_path / "unified.jsonl", rows)
    reexec("generate", source, "-o", tmp_path / "made.jsonl", *SHORT)
    return read_rows(tmp_path / "made.jsonl")


def test_1_output_predictions_that_hold_a_float_can_be_right(tmp_path: Path) -> None:
    pairs = [({"n": 0}, 0.3), ({"n": 1}, {"mean": [1.5, 2.25], "n": 3}), ({"n": 2}, 1e-7)]
    answers = [0.1 + 0.2, {"mean": [1.5, 2.25], "n": 3.0}, 2e-7]
    rows = verify(tmp_path, [function_row("def f(n):\n    return n", *pairs)],
                  [response(0, ioid, answer) for ioid, answer in enumerate(answers)])  # fmt: skip
    assert words(rows) == ["accepted", "accepted", "wrong-answer"]


def test_2_an_input_is_recorded_as_it_was_before_the_call(tmp_path: Path) -> None:
    main = "def main_solution(xs):\n    total = 0\n    while xs:\n        total += xs.pop() * 10 ** len(xs)\n    return total"
    makes = "def input_generator():\n    return {'xs': [random.randint(1, 9) for _ in range(5)]}"
    for row in generated(tmp_path, unified(main, makes)):
        inputs = [pair["input"]["xs"] for pair in row["ios"]]
        assert all(len(xs) == 5 for xs in inputs)
        assert len({tuple(xs) for xs in inputs}) == len(inputs) > 1
        for pair in row["ios"]:
            assert pair["output"] == sum(x * 10**place for place, x in enumerate(pair["input"]["xs"]))
    # And what others recorded after the call is told apart, CodeI/O's own example included.
    corrupt = function_row(
        "def f(lists):\n    n = len(lists)\n    lists.clear()\n    return n", *[({"lists": []}, n) for n in (3, 4)]
    )
    write_rows(tmp_path / "recorded.jsonl", [corrupt])
    assert reexec("audit", tmp_path / "recorded.jsonl", "-o", tmp_path / "report.jsonl").code == 0
    assert not any(row["reproducible"] for row in read_rows(tmp_path / "report.jsonl"))


VARYING = {
    "chance": "import random\ndef main_solution(n):\n    return n + random.randint(0, 10**9)",
    "clock": "import time\ndef main_solution(n):\n    return n + time.time_ns()",
    "hash order": "def main_solution(n):\n    return [w for w in {str(k) for k in range(9)}] + [n]",
    "state": "COUNT = [0]\ndef main_solution(n):\n    COUNT[0] += 1\n    return [n, COUNT[0], id(COUNT)]",
}


def test_3_pairs_that_no_other_run_reproduces_are_not_made_and_not_kept(tmp_path: Path) -> None:
    makes = "def input_generator():\n    return {'n': random.randint(0, 10**6)}"
    steady = unified("def main_solution(n):\n    return n % 7", makes)
    made = generated(tmp_path, *(unified(main, makes) for main in VARYING.values()), steady)
    assert [row["refcode"] for row in made] == ["def main_solution(n):\n    return n % 7"]
    recorded = [function_row(main, ({"n": 1}, [1, 1, 5]), entry="main_solution") for main in VARYING.values()]
    source = write_rows(tmp_path / "recorded.jsonl", [*recorded, function_row("def f(n):\n    return n", ({"n": 1}, 1))])
    reexec("audit", source, "-o", tmp_path / "report.jsonl", "--keep", tmp_path / "kept.jsonl")
    assert [row["reproducible"] for row in read_rows(tmp_path / "report.jsonl")] == [False] * 4 + [True]
    assert [row["funcname"] for row in read_rows(tmp_path / "kept.jsonl")] == ["f"]


PEEK = """
import gc, sys
def f(how):
    found, frame = [], sys._getframe()
    while frame:
        found.append(str(frame.f_locals))
        frame = frame.f_back
    found.extend([repr(one) for one in gc.get_objects()])
    wanted = "-".join([how, "marker"])  # made only now, or it would find itself
    return wanted if any(wanted in text for text in found) else "nothing found"
"""
LEAVE = "import os, sys\ndef f(how):\n    sys.exit(0) if how == 'sys' else os._exit(0)"


def test_4_leaving_with_status_0_is_no_success_and_the_expected_output_is_out_of_reach(tmp_path: Path) -> None:
    functions = [function_row(LEAVE, ({"how": "x"}, 1)), function_row(PEEK, ({"how": "x"}, "expected-marker"))]
    rows = verify(tmp_path, functions, [
        response(0, 0, {"how": "sys"}, "i"), response(0, 0, {"how": "os"}, "i"), response(1, 0, {"how": "expected"}, "i"),
    ])  # fmt: skip
    assert words(rows) == ["early-exit", "early-exit", "wrong-answer"]
    assert "nothing found" in rows[2]["res"]["message"]


def test_5_a_busy_machine_makes_no_timeouts(tmp_path: Path) -> None:
    burn = "import time\ndef f(s):\n    while time.process_time() < s:\n        pass\n    return s"
    processor = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    with busy(3, processor=processor), contextlib.ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, before)
        os.sched_setaffinity(0, [processor])  # what we start inherits it
        functions = write_rows(tmp_path / "functions.jsonl", [function_row(burn, ({"s": 0.6}, 0.6))])
        responses = write_rows(tmp_path / "responses.jsonl", [response(0, 0, {"s": 0.6}, "i")])
        command = ["verify", responses, "-f", functions, "-o", tmp_path / "v.jsonl", "--usage", tmp_path / "usage.jsonl"]
        process = start(*map(str, command), "--workers", "1", *SHORT)
        os.sched_setaffinity(0, before)
        process.communicate(timeout=100)
    assert read_rows(tmp_path / "usage.jsonl")[0]["wall_s"] > 1, "elapsed time alone would have ended it"
    assert words(read_rows(tmp_path / "v.jsonl")) == ["accepted"]


def test_6_rows_are_bound_by_ids_and_a_kill_neither_loses_nor_repeats_any(tmp_path: Path) -> None:
    source = "def f(n):\n    for _ in range(30_000):\n        pass\n    return n"
    functions = write_rows(tmp_path / "functions.jsonl", [function_row(source, *[({"n": n}, n) for n in range(300)])])
    asked = tmp_path / "asked.jsonl"
    assert reexec("prompts", functions, "-o", asked, "--pairs", "300").code == 0
    rows = [{**row, "output": json.dumps({"output": row["ioid"]} if row["io_pred"] == "o" else {"input": {"n": row["ioid"]}})}
            for row in read_rows(asked)]  # fmt: skip
    random.Random(6).shuffle(rows)  # as replies come in
    write_rows(tmp_path / "responses.jsonl", rows[:-100])
    output = tmp_path / "v.jsonl"
    command = ("verify", str(tmp_path / "responses.jsonl"), "-f", str(functions), "-o", str(output))
    process = start(*command)
    wait_until(functools.partial(lambda: process.poll() is not None or lines_done(output) > 0), what="some rows are done")
    kill_and_look(process)
    assert reexec(*command).code == 0
    judged = read_rows(output)
    assert [row["id"] for row in judged] == [row["id"] for row in rows[:-100]]
    assert {(row["verdict"], row["io_pred"] == "o") for row in judged} == {("accepted", True), ("accepted", False)}
    # The second turn in another order, with a row missing: each goes to the first turn it belongs to.
    first = [verified(str(number)) for number in range(20)]
    second = [after(row, "accepted") for row in reversed(first[1:])]
    paths = [write_rows(tmp_path / f"v{turn}.jsonl", turns) for turn, turns in ((1, first), (2, second))]
    assert reexec("assemble", *paths, "-o", tmp_path / "final.jsonl").code == 0
    expected = [None, *(f"turn 2 of answer {number}.0" for number in range(1, 20))]
    assert [row["turn_2"] for row in read_rows(tmp_path / "final.jsonl")] == expected


TRICKY = {"text": 'a } and ``` and \n {"output": 0}', "words": ["True", "None"], "n": 10**4200}


def test_7_answers_are_found_whatever_they_hold_and_none_ends_the_run(tmp_path: Path) -> None:
    function = function_row(
        "def f(n):\n    return n", ({"n": 0}, {"text": "a } b", "w": ["True None"], "t": True}), ({"n": 1}, 7)
    )
    good = '{"output": {"text": "a } b", "w": ["True None"], "t": true}}'
    deep = '{"output": ' + "[" * 100_000
    rows = verify(tmp_path, [function], [
        answered(good),
        answered(f"```json\n{good}"),  # a fence that is never closed
        answered(f"```python\nprint({{1: 2}})\n```\nand so\n```json\n{good}\n```\n"),  # a second fence
        answered("It is {'output': {'text': 'a } b', 'w': ['True None'], 't': True}}"),
        answered('{"output": {"text": "a } b", "w": ["True\nNone"], "t": true}}'),  # another value, but read
        answered('{"output": ' + "1" * 5000 + "}"),
        answered(deep),
        answered('{"output": 7}', ioid=1),
    ])  # fmt: skip
    assert words(rows)[:5] == ["accepted", "accepted", "accepted", "accepted", "wrong-answer"]
    assert set(words(rows)[5:7]) <= {"no-answer", "wrong-answer"}
    assert words(rows)[7] == "accepted", "the rows after are judged as ever"


def test_8_nan_infinity_and_huge_integers_compare_alike_on_both_sides(tmp_path: Path) -> None:
    source = "def f(x):\n    return {'nan': float('nan'), 'inf': float('inf'), 'huge': 10**400, 'half': 0.5}[x]"
    cases = {"nan": "NaN", "inf": "Infinity", "huge": str(10**400), "half": "0.5"}
    pairs = ", ".join(f'{{"input": {{"x": "{name}"}}, "output": {text}}}' for name, text in cases.items())
    function = f'{{"refcode": {json.dumps(source)}, "funcname": "f", "ios": [{pairs}]}}'
    outputs = [answered(f'{{"output": {text}}}', "o", 0, ioid) for ioid, text in enumerate(cases.values())]
    inputs = [answered(f'{{"input": {{"x": "{name}"}}}}', "i", 0, ioid) for ioid, name in enumerate(cases)]
    crossed = [answered('{"output": 1.5}', "o", 0, 2), answered(f'{{"output": {10**400}}}', "o", 0, 3),
               answered('{"input": {"x": "half"}}', "i", 0, 2), answered('{"output": -Infinity}', "o", 0, 1)]  # fmt: skip
    rows = verify(tmp_path, [function], [*outputs, *inputs, *crossed])
    assert words(rows) == ["accepted"] * 8 + ["wrong-answer"] * 4


HOSTILE = """
import os, signal
def f(how):
    if how == "stay":
        for number in range(1, 32):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            pass
    if how == "children":
        for _ in range(20):
            os.fork()
    if how == "memory":
        return len(bytearray(1 << 40))
    if how == "environment":
        return sorted(os.environ.values())
    if how == "files":
        return open("/etc/hostname").read() + "".join(os.listdir("/root"))
    import socket
    return socket.create_connection(("127.0.0.1", 9), 1).getsockname()
"""


def test_9_no_program_outstays_its_limit_or_reaches_what_is_not_its_own(tmp_path: Path) -> None:
    how = ["stay", "children", "memory", "environment", "files", "network"]
    write_rows(tmp_path / "functions.jsonl", [function_row(HOSTILE, ({"how": "x"}, "never"))])
    write_rows(tmp_path / "responses.jsonl", [response(0, 0, {"how": name}, "i") for name in how])
    before = {process.pid for process in psutil.process_iter()}
    began = time.monotonic()
    process = start("verify", str(tmp_path / "responses.jsonl"), "-f", str(tmp_path / "functions.jsonl"), "-o",
                    str(tmp_path / "v.jsonl"), *SHORT)  # fmt: skip
    children: set[psutil.Process] = set()
    while process.poll() is None:
        children.update(descendants(process))
        time.sleep(0.02)
    process.communicate()
    assert time.monotonic() - began < 200
    all_gone(child for child in children if child.pid not in before)
    rows = read_rows(tmp_path / "v.jsonl")
    told = dict(zip(how, words(rows), strict=True))
    assert told["stay"] == "cpu-limit"
    assert told["memory"] == "memory-limit"
    assert "accepted" not in told.values()
    assert {told["files"], told["network"], told["children"]} <= {"runtime-error", "denied", "process-limit"}


def test_9_a_key_in_the_callers_environment_reaches_no_program(tmp_path: Path) -> None:
    write_rows(tmp_path / "functions.jsonl", [function_row(HOSTILE, ({"how": "x"}, "never"))])
    write_rows(tmp_path / "responses.jsonl", [response(0, 0, {"how": "environment"}, "i")])
    reexec("verify", tmp_path / "responses.jsonl", "-f", tmp_path / "functions.jsonl", "-o", tmp_path / "v.jsonl",
           env={"OPENAI_API_KEY": "sk-marker-of-the-caller"})  # fmt: skip
    assert words(read_rows(tmp_path / "v.jsonl")) == ["wrong-answer"]
    assert not any("sk-marker" in path.read_text() for path in tmp_path.iterdir())


def test_10_a_bad_pair_costs_itself_and_says_why_and_nothing_of_the_users_is_deleted(tmp_path: Path) -> None:
    main = "def main_solution(n):\n    if n % 2:\n        raise ValueError(n)\n    return n // 2"
    (row,) = generated(tmp_path, unified(main, "def input_generator():\n    return {'n': random.randint(0, 10**6)}"))
    assert len(row["ios"]) == 10
    (drops,) = read_rows(tmp_path / "made.drops.jsonl")
    assert drops["dropped"].keys() == {"exception"}
    assert "ValueError" in drops["details"]["exception"]
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    final = write_rows(tmp_path / "final.jsonl", [{"prompt": "q", "turn_1": "a"}])
    assert reexec("export", final, "-o", folder, "--to", "parquet", "--overwrite").code == 2
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_10_the_key_comes_from_the_environment_and_the_base_url_is_an_option() -> None:
    options = reexec("infer", "--help", env={"COLUMNS": "200"}).out
    assert "--base-url" in options
    assert "--key-env" in options
    assert "--api-key" not in options
    assert "--key " not in options


@pytest.mark.parametrize("name", ["KeyError", "ZeroDivisionError", "OwnError"])
def test_11_the_feedback_names_the_exception(name: str, tmp_path: Path) -> None:
    source = f"class OwnError(Exception):\n    pass\ndef f(n):\n    raise {name}('that was it')"
    (row,) = verify(tmp_path, [function_row(source, ({"n": 1}, 1))], [response(0, 0, {"n": 1}, "i")])
    assert f"{name}: " in row["res"]["message"]
    assert "that was it" in row["res"]["message"]
    write_rows(tmp_path / "asked.jsonl", [{**row, "messages": [{"role": "user", "content": "q"}]}])
    assert reexec("revise", tmp_path / "asked.jsonl", "-o", tmp_path / "asked-again.jsonl").code == 0
    assert name in read_rows(tmp_path / "asked-again.jsonl")[0]["messages"][-1]["content"]


def test_12_prompts_show_json_where_they_ask_for_json(tmp_path: Path) -> None:
    value = {"on": True, "off": None, "quote": "it's", "items": [1, 2.5, math.inf]}
    write_rows(tmp_path / "functions.jsonl", [function_row("def f(x):\n    return x", ({"x": value}, value))])
    assert reexec("prompts", tmp_path / "functions.jsonl", "-o", tmp_path / "m.jsonl").code == 0
    for row in read_rows(tmp_path / "m.jsonl"):
        text = row["messages"][-1]["content"]
        shown = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert shown == [{"x": value} if row["io_pred"] == "o" else value]
        assert "True" not in text
        assert "None" not in text
