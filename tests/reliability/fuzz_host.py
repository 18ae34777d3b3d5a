# ruff: noqa: E501, RUF001 - pieces of text, some of odd characters
"""Spoiled responses, claims and rows through the whole of the host: nothing raises, and nothing takes longer than it may.

    python -m tests.reliability.fuzz_host --cases 1000000          (`make fuzz`)

Three targets, each with as many cases as asked for (rows: a tenth of it):

    responses  extract, fold, compare, size guard, feedback, the row's line, what explain shows of it
    claims     decode (plain or tagged), judge, size guard, feedback, the row's line, what explain shows of it
    rows       parse, bind to a function, and back to a line

A case is one text that goes that way once, under one preset; the way under all the others is gone beside it, without a clock.
It may take 50 us for each KB and FIXED_S beside it, in processor time of a machine on which `pace` takes PACE_S; both are
measured in this process, so that the bound holds on a slow or busy machine too. A case that takes longer is tried again twice,
for what the machine did meanwhile, and then counts as late: the run goes on, and ends with exit code 1. Whatever is raised ends it
with the case's seed in a note.
"""

import argparse
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reexec import ComparisonRule, SizeRule
from reexec.cli.terminal import visible
from reexec.engine.decoding import read_outcome
from reexec.engine.judging.compare import compare
from reexec.engine.judging.size_guard import check_output_size
from reexec.engine.judging.verdict import Verdict, VerdictWord, judge
from reexec.engine.outcome import KINDS
from reexec.engine.pool.answer import KILLED, Answer
from reexec.engine.protocol import frames
from reexec.policies.comparison import comparison_preset_names
from reexec.runners.answers import Answer as Found
from reexec.runners.answers import as_compared, extract_answer
from reexec.runners.records.functions import FunctionStore
from reexec.runners.records.predictions import read_prediction
from reexec.runners.rows.text import BadRowError, canonical, dump_line, parse_row, quoted, splice
from reexec.runners.stages.verify.feedback import FEEDBACK_FILE, feedback_text
from tests.reliability.fuzz import spoil

PER_KB_S = 50e-6
FIXED_S = 0.015
"""The steps that `answers/budget.py` allows whatever the length, and what a case costs that is next to nothing."""
PACE_S = 0.0025

RULES = [ComparisonRule.preset(name) for name in comparison_preset_names()]
TEXTS = FEEDBACK_FILE.load()
PIECES = [
    *"{}[]():,\"'\\ \n1x#/*<>&;",
    '{"output": ', "{'output': ", '"output"', "'output'", "“output”", "{“", "”}", "：", "，", "｛", "｝", "\u00a0", "\u200b",
    "\\{", "\\}", "\\left\\{", "\\right\\}", "\\boxed{", "\\text{", "&quot;", "&quot;output&quot;", '\\"output\\"', '\\"',
    "<think>", "</think>", "[THINK]", "<|channel|>final", "```json\n", "```\n", "> ", "/*", "*/", "# ", "//",
    "np.float64(", "Counter({", "OrderedDict([(", "defaultdict(<class 'int'>, {", "deque([", "], maxlen=3)", "set(",
    "frozenset({", "float('inf')", "np.array([", "dtype=float)", "True", "null", "NaN", "-Infinity", "1e999", "0x1f", "1_000", "1j", "b'a'",
    "007", "\\u0041", "\\ud800", "\ud800", "\x1b[31m", "\x00", "[bold]", "9" * 50, "0." + "3" * 40, "('a', 1)", "(1, 2): 3",
    '{"a": 1}', '{"output": 1}', "{'output': [1, 2]}", '{"answer": {"output": 3}}', "sum([1, 2])", "}}", "]]", "))",
]  # fmt: skip
LONG = [
    "[",
    "{",
    '{"a":',
    "(",
    '"',
    "'",
    "\\",
    "1",
    "9,",
    "{'",
    '{"',
    "“",
    "`",
    "<think>",
    "&quot;",
    '\\"',
    '{"output": 1} ',
    "\n",
]
JSON_PIECES = [
    *'{}[]:,"', "1", "-0.0", "NaN", "1e5", "null", "true", '"a"', '"!"', '"v"', '{"!":"tuple","v":[', '{"!":"set","v":[',
    '{"!":"frozenset","v":[', '{"!":"dict","v":[[', '{"!":"bytes","v":"', '{"!":"complex","v":[', "]}", "]]}", "2305843009213693951",
    "4611686018427387902", '"\\ud800"', "9" * 30,
]  # fmt: skip


@dataclass
class Count:
    cases: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    answers: int = 0
    slowest_s: float = 0.0
    slowest_per_kb_us: float = 0.0
    """Of cases of 64 KB and more."""
    over_per_kb: int = 0
    """Cases of 1 KB and more that took more than 50 us for each KB, the fixed part included."""
    late: list[str] = field(default_factory=list)
    """Cases that took longer than they may."""
    seconds: float = 0.0


def scraps(source: random.Random, pieces: list[str], long: list[str]) -> str:
    text = "".join(source.choices(pieces, k=source.choice((1, 4, 10, 30, 80))))
    if source.random() < 0.2:
        text += source.choice(
            ('{"output": [1, {"a": 2.5}]}', "{'output': (1, {'a': np.float64(2.5)})}", "{'input': [1, {'a': 2.5}]}")
        )
    if source.random() < 0.02:
        text += source.choice(long) * source.choice((100, 1000, 20_000)) + "".join(source.choices(pieces, k=6))
    return text


@dataclass(frozen=True, slots=True)
class Case:
    run: Callable[[], int]
    """Goes the way once, under a clock; gives the bytes of the text."""
    rest: Callable[[], None] = lambda: None
    """The same under every other preset, without one."""


def shown(verdict: Verdict, io_pred: str, predicted: Any, detail: str) -> None:
    """Feedback, the row's line, what explain prints."""
    message = feedback_text(TEXTS, verdict, io_pred, predicted=predicted, expected=[1], limit=5.0, detail=detail)
    line = splice(b'{"a": 1}', {"a": 1}, {"res": {"message": message}, "detail": detail})
    assert parse_row(line)["res"]["message"] == message or "\\ud" in line.decode("ascii")
    visible(message).encode("utf-8")
    visible(quoted(predicted)).encode("utf-8")
    if verdict.outcome is not None:
        visible(verdict.outcome.describe()).encode("utf-8")


def a_response(source: random.Random, count: Count) -> Case:
    text = scraps(source, PIECES, LONG)
    if source.random() < 0.3:
        text = spoil(text.encode("utf-8", "surrogatepass"), source).decode("utf-8", "replace")
    keys: tuple[Literal["output", "input"], ...] = ("output", "input")
    key = source.choice(keys)
    one = source.choice(RULES)

    def judged(found: Found, rule: ComparisonRule) -> Verdict:
        answer = as_compared(found, rule, key[0])
        comparison = compare(answer.value, [1, {"a": 2.5}], rule)
        word: VerdictWord = ("accepted" if comparison.equal else "wrong-answer") if answer.found else "no-answer"
        return Verdict(word, None, comparison)

    def run() -> int:
        found = extract_answer(text, key)
        verdict = judged(found, one)
        check_output_size(found.value, SizeRule())
        shown(verdict, "o" if key == "output" else "i", found.value, found.reason)
        return len(text)

    def rest() -> None:
        found = extract_answer(text, key)
        assert found.found == (found.reason == "") == (found.style != "none")
        assert 0 <= found.span[0] <= found.span[1] <= len(text)
        count.answers += found.found
        count.accepted += sum(judged(found, rule).accepted for rule in RULES)
        dump_line({"value": found.value})

    return Case(run, rest)


def a_claim(source: random.Random, count: Count) -> Case:
    match source.randrange(6):
        case 0:
            payload = source.choice(JSON_PIECES[:7]) * source.choice((1, 200, 210, 1490, 30_000))
            payload += "1" + "]" * source.choice((0, 200, 1490))
        case 1:
            step = source.choice((2**61 - 1, 1))
            items = [str(each * step) for each in range(source.choice((3, 100, 3000)))]
            payload = '{"!":"%s","v":[%s]}' % (source.choice(("set", "frozenset", "tuple")), ",".join(items))  # noqa: UP031
        case 2:
            payload = source.choice(("[1]", "[1.0]", '{"!":"tuple","v":[1]}', "[true]", "[1,2]", " [1]"))
        case _:
            payload = "".join(source.choices(JSON_PIECES, k=source.choice((1, 5, 20, 60))))
    data = payload.encode()
    data = spoil(data, source) if source.random() < 0.3 else data
    kind = source.choice(["value"] * 4 + [*sorted(KINDS), KILLED, "nonsense"])
    answer = Answer(kind, data, source.choice((b"", b'["x"]', b"[", data[:50])), flags=source.randrange(4))
    all_options = (0, frames.PYTHON_VALUES, frames.SCRIPT)
    one, options = source.choice(RULES), source.choice(all_options)

    def run() -> int:
        outcome = read_outcome(answer, options)
        verdict = judge(outcome, [1], one)
        check_output_size(outcome.value, SizeRule())
        shown(verdict, "i", outcome.value, outcome.detail)
        return len(data)

    def rest() -> None:
        for each in all_options:
            outcome = read_outcome(answer, each)
            assert outcome.kind in KINDS
            count.accepted += sum(judge(outcome, [1], rule).accepted for rule in RULES)
            dump_line({"outcome": {"value": outcome.value, "detail": outcome.detail}})
            canonical(outcome.value)

    return Case(run, rest)


def a_row(source: random.Random, functions: FunctionStore) -> Case:
    row: dict[str, Any] = {
        "itemid": source.choice((0, 0.0, -1, 7, "0", None, True)),
        "ioid": source.choice((0, 0.0, 99, [])),
        "io_pred": source.choice(("i", "o", "x", 1)),
        "output": source.choice(("", '{"output": 1}', None, 5, "\ud800", {})),
        "id": source.choice(("a", 1, None, [])),
        "index": source.choice((0, 1, "x")),
    }
    line = json.dumps({name: row[name] for name in source.sample(list(row), source.randrange(2, 7))}).encode()
    if source.random() < 0.1:
        line = b'{"a": ' + b"[" * source.choice((300, 399, 401, 1490, 50_000)) + b"1" + b"]" * 399 + b"}"
    if source.random() < 0.6:
        line = spoil(line, source)

    def run() -> int:
        try:
            parsed = parse_row(line)
            splice(line, parsed, {"b": parsed})
            read_prediction(parsed, functions)
        except BadRowError as error:
            visible(str(error)).encode("utf-8")
        return len(line)

    return Case(run)


def timed(run: Callable[[], int]) -> tuple[float, int]:
    began = time.process_time()
    size = run()
    return time.process_time() - began, size


def pace() -> float:
    """Seconds of processor time for what readers in Python do: objects made, put into a dict, and dropped."""
    best = math.inf
    for _ in range(5):
        began = time.process_time()
        kept = {}
        for number in range(20_000):
            kept[number & 255] = (number, str(number))
        best = min(best, time.process_time() - began)
    return best


def fuzz(cases: int, seed: int = 1) -> Count:
    """Raises AssertionError, or whatever was raised, with the case's seed in a note."""
    count = Count()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "functions.jsonl"
        path.write_text(
            '{"refcode": "def f(n):\\n    return n\\n", "funcname": "f", "ios": [{"input": {"n": 1}, "output": 1}]}\n'
        )
        functions = FunctionStore(path)
        targets: dict[str, tuple[Callable[[random.Random], Case], int]] = {
            "responses": (lambda source: a_response(source, count), cases),
            "claims": (lambda source: a_claim(source, count), cases),
            "rows": (lambda source: a_row(source, functions), cases // 10),
        }
        for name, (make, number) in targets.items():
            for at in range(number):
                source = random.Random(f"{name} {seed} {at}")
                case = make(source)
                try:
                    seconds, size = timed(case.run)
                    bound = FIXED_S + PER_KB_S * size / 1000
                    if seconds > bound:
                        slowness = max(1.0, pace() / PACE_S)
                        seconds = min(seconds, timed(case.run)[0], timed(case.run)[0])
                        if seconds > bound * slowness:
                            count.late.append(f"{name} {seed} {at}: {seconds:.3f} s for {size} bytes, {bound:.3f} s allowed")
                    case.rest()
                except Exception as error:
                    error.add_note(f"target {name}, seed {seed}, case {at}")
                    raise
                count.slowest_s = max(count.slowest_s, seconds)
                count.over_per_kb += seconds > PER_KB_S * size / 1000 and size >= 1000
                if size >= 64_000:
                    count.slowest_per_kb_us = max(count.slowest_per_kb_us, seconds / size * 1e9)
            count.cases[name] = number
    count.seconds = round(time.monotonic() - began, 1)
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    count = fuzz(arguments.cases, arguments.seed)
    print(count)
    sys.exit(bool(count.late))


if __name__ == "__main__":
    main()
