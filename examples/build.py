"""Build functions.jsonl and responses.jsonl from the sources beside this file.

    python examples/build.py            write both files
    python examples/build.py --check    write nothing; exit 1 if the files on disk differ

The recorded outputs come from running the functions here, in this process: they are our own code, and their
recorded inputs are harmless. The inputs in responses.toml that are not harmless are never run here.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import math
import re
import sys
import tomllib
import types
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MARKER = "# --- pairs: what follows is not part of the recorded code ---"
META = {"source": "reexec examples", "license": "Apache-2.0"}
VERDICTS = [
    "accepted",
    "wrong-answer",
    "no-answer",
    "runtime-error",
    "cpu-limit",
    "wall-limit",
    "memory-limit",
    "output-limit",
    "process-limit",
    "denied",
    "early-exit",
    "bad-result",
]
MAX_ENTRIES = 20  # a recorded container holds fewer entries than this
MAX_CHARS = 100  # a recorded string is shorter than this
MAX_BYTES = 1024  # a recorded value takes less memory than this


# --- functions ---


def unwrap(text: str) -> str:
    """Undo the line breaks inside paragraphs; a line that begins an item or a heading stays a line."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        starts = not line.strip() or line.lstrip().startswith("`") or line.endswith(":")
        if lines and lines[-1].strip() and not lines[-1].endswith(":") and not starts:
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines)


def jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def size_of(value: Any) -> int:
    """Bytes of a JSON value in memory, nothing shared."""
    children: list[Any] = []
    if isinstance(value, dict):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        children = value
    return -(-sys.getsizeof(value) // 8) * 8 + sum(map(size_of, children))


def check_small(name: str, value: Any) -> None:
    """Recorded values keep to the size rule of the pipeline."""
    if isinstance(value, (dict, list)):
        assert len(value) < MAX_ENTRIES, f"{name}: {len(value)} entries: {value}"
        for child in value.values() if isinstance(value, dict) else value:
            check_small(name, child)
    elif isinstance(value, str):
        assert len(value) < MAX_CHARS, f"{name}: {len(value)} characters: {value}"
    assert size_of(value) < MAX_BYTES, f"{name}: {size_of(value)} bytes: {value}"


class Function:
    """One file of functions/: its record, and what the response templates need."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        text = path.read_text(encoding="utf-8")
        head, marker, tail = text.partition(MARKER)
        assert marker, f"{path.name}: no line {MARKER!r}"
        document = ast.get_docstring(ast.parse(head), clean=True)
        assert document, f"{path.name}: begins without a docstring"
        assert head.startswith('"""'), f"{path.name}: the docstring is not in triple quotes"
        self.code = head.split('"""', 2)[2].strip()
        description, heading, requirements = document.partition("\nInput:\n")
        assert heading, f"{path.name}: the docstring has no section Input:"
        self.description = unwrap(description)
        self.requirements = unwrap("Input:\n" + requirements)
        settings: dict[str, Any] = {}
        exec(tail, settings)
        self.category = settings["CATEGORY"]
        self.forward = settings["FORWARD"]
        self.backward = settings["BACKWARD"]
        self.pairs = [{"input": jsonable(given), "output": self.record(given)} for given in settings["INPUTS"]]
        assert 4 <= len(self.pairs) <= 6, f"{self.name}: {len(self.pairs)} pairs"

    def run(self, given: dict[str, Any]) -> Any:
        """Call main_solution in a fresh module."""
        module = types.ModuleType("solution")
        exec(compile(self.code, f"{self.name}.py", "exec"), module.__dict__)
        return jsonable(module.main_solution(**given))

    def record(self, given: dict[str, Any]) -> Any:
        passed = copy.deepcopy(given)
        output = self.run(passed)
        assert passed == given, f"{self.name}: changes its input"
        assert output is not None, f"{self.name}: returns None"
        assert output == self.run(copy.deepcopy(given)), f"{self.name}: is not deterministic"
        check_small(self.name, jsonable(given))
        check_small(self.name, output)
        return output

    def row(self) -> dict[str, Any]:
        return {
            "problem_description": self.description,
            "io_requirements": self.requirements,
            "refcode": self.code,
            "funcname": "main_solution",
            "ios": self.pairs,
            "category": self.category,
            "meta": META,
        }


def load_functions() -> dict[str, Function]:
    return {path.stem: Function(path) for path in sorted((HERE / "functions").glob("*.py"))}


# --- responses ---


def equal(actual: Any, expected: Any) -> bool:
    """The rule `codeio`, on small values without NaN."""
    if isinstance(expected, dict):
        same_keys = isinstance(actual, dict) and actual.keys() == expected.keys()
        return same_keys and all(equal(actual[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        same_length = isinstance(actual, list) and len(actual) == len(expected)
        return same_length and all(map(equal, actual, expected))
    if isinstance(actual, (int, float)) and isinstance(expected, (int, float)):
        if isinstance(actual, int) and isinstance(expected, int):
            return actual == expected
        return abs(actual - expected) <= 1e-3 * abs(expected) and math.trunc(actual) == math.trunc(expected)
    return type(actual) is type(expected) and bool(actual == expected)


def faults(value: Any) -> list[Any]:
    """Values that differ from `value` as a model's mistake would, the likeliest first."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [round(value * 1.02 + 0.01, 4), round(value * 0.9 - 0.1, 4)]
    if isinstance(value, str):
        return [value[1::-1] + value[2:], value[:-1]] if value else ["?"]
    if isinstance(value, list):
        shorter = [value[:-1]] if value else [[0]]
        swapped = [[value[1], value[0], *value[2:]]] if len(value) > 1 else []
        inner = [[*value[:-1], fault] for fault in (faults(value[-1]) if value else [])]
        return [*swapped, *inner, *shorter]
    if isinstance(value, dict):
        inside = [{**value, key: fault} for key in value for fault in faults(value[key])[:1]]
        if not value:
            return [{"": None}]
        first = next(iter(value))
        name = first[:-1] if first.endswith("s") else f"{first}s"
        renamed = {(name if key == first else key): value[key] for key in value}
        return [*inside, renamed]
    return [0]


def wrong(value: Any, number: int) -> Any:
    """The fault with this number, counted round among those that the rule tells apart from `value`."""
    choices = [fault for fault in faults(value) if not equal(fault, value)]
    return choices[number % len(choices)]


FORMS = {
    "json fence": "{why}\n\n```json\n<<pretty>>\n```\n",
    "bare json": "{why}\n\n<<json>>\n",
    "python dict": "{why}\n\nSo I get <<py>>\n",
    "trailing prose": "{why}\n\n```json\n<<json>>\n```\n\nI went through the steps twice and am sure of this.\n",
    "unclosed fence": "{why}\n\n```json\n<<json>>\n",
    "two fences": (
        "{why}\n\nAt first I had\n\n```json\n<<wrong>>\n```\n\nbut on checking the steps again I noticed a slip. "
        "Corrected:\n\n```json\n<<json>>\n```\n"
    ),
    "inline code": "{why}\n\n**Final answer:** `<<json>>`\n",
    "plain fence": "{why}\n\n### Answer\n\n```\n<<json>>\n```\n",
    "braces in prose": (
        "{why} (In the description, sets like {{1, 2, 3}} or {{x : x > 0}} stand for collections of values; the answer "
        "itself is not a set.)\n\n<<json>>\n"
    ),
    "python fence": "{why}\n\n```python\nanswer = <<py>>\n```\n",
    "boxed": "{why}\n\nTherefore the answer is $\\boxed{{<<json>>}}$.\n",
    "middle of a sentence": "{why} All in all <<json>> is what I arrive at; nothing else fits the description.\n",
    "indented json": "{why}\n\nFinal answer:\n\n    <<pretty-indented>>\n",
}
OPENINGS = [
    "Let me work this out.",
    "Going through the code step by step:",
    "First I look at what the function does.",
    "This can be done by hand.",
    "I read the requirements and the code.",
    "The values are small, so I trace the code.",
    "",
]


def expand(text: str, key: str, answer: Any) -> str:
    """Fill the placeholders of a response."""
    literal = {key: answer}
    pretty = json.dumps(literal, indent=2)
    values = {
        "json": json.dumps(literal),
        "pretty": pretty,
        "pretty-indented": pretty.replace("\n", "\n    "),
        "py": repr(literal),
        "value": json.dumps(answer),
    }

    def fill(match: re.Match[str]) -> str:
        word, _, argument = match.group(1).partition(":")
        if word == "digits":
            return ("1234567890" * (int(argument) // 10 + 1))[: int(argument)]
        if word == "nest":
            return "[" * int(argument) + "]" * int(argument)
        if word == "wrong":
            return json.dumps({key: wrong(jsonable(answer), 1)})
        return values[word]

    return re.sub(r"<<([a-z-]+(?::\d+)?)>>", fill, text)


def prompt(function: Function, pair: dict[str, Any], ask: str) -> str:
    known, unknown = ("output", "input") if ask == "i" else ("input", "output")
    if ask == "i":
        task = (
            "The program below returned the output shown. Work out, without running anything, an input for which it "
            "returns exactly this output. Any fitting input will do."
        )
        form = 'an object with the single key "input", whose value is an object with one entry for each argument'
    else:
        task = "The program below is called with the input shown. Work out, without running anything, what it returns."
        form = 'an object with the single key "output"'
    return (
        f"{task}\n\n## Problem\n{function.description}\n\n## Input and output\n{function.requirements}\n\n"
        f"## Program\n```python\n{function.code}\n```\n\n## Given {known}\n{json.dumps(pair[known])}\n\n"
        f"Explain your reasoning in a few sentences. Then give the {unknown} as JSON: {form}."
    )


def check_expectation(function: Function, pair: dict[str, Any], ask: str, answer: Any, expect: str, at: str) -> None:
    """Compare or run the answer, where that is harmless, and insist on the word that was written down."""
    answer = jsonable(answer)
    if ask == "o":
        word = "accepted" if equal(answer, pair["output"]) else "wrong-answer"
    elif expect in ("accepted", "wrong-answer", "runtime-error"):
        try:
            word = "accepted" if equal(function.run(answer), pair["output"]) else "wrong-answer"
        except Exception:
            word = "runtime-error"
    else:
        return
    assert word == expect, f"{at}: expected {expect}, found {word}"


def response_row(function: Function, itemid: int, at: str, entry: dict[str, Any]) -> dict[str, Any]:
    _, ioid, ask, *index = at.split("/")
    pair = function.pairs[int(ioid)]
    key = "input" if ask == "i" else "output"
    answer = entry.get("answer", pair[key])
    assert entry["expect"] in VERDICTS, f"{at}: unknown word {entry['expect']}"
    if not entry.get("bare"):
        check_expectation(function, pair, ask, answer, entry["expect"], at)
        assert re.search(r"<<(json|pretty|pretty-indented|py)>>", entry["text"]), f"{at}: the text holds no answer"
    return {
        "messages": [{"role": "user", "content": prompt(function, pair, ask)}],
        "itemid": itemid,
        "ioid": int(ioid),
        "io_pred": ask,
        "index": int(index[0]) if index else 0,
        "model": "handwritten",
        "output": expand(entry["text"], key, answer),
        "case": entry["case"],
        "expected_verdict": entry["expect"],
    }


def template_entries(functions: dict[str, Function], taken: set[str]) -> dict[str, dict[str, Any]]:
    """Three entries for each function, on prompts that no handwritten response has: an output and an input as
    recorded, and an output that is wrong (for three functions in ten: right)."""
    entries = {}
    forms = list(FORMS)
    for number, (name, function) in enumerate(functions.items()):
        for turn, ask in enumerate(["o", "i", "o"]):
            positions = [(number + turn + offset) % len(function.pairs) for offset in range(len(function.pairs))]
            at = next(f"{name}/{ioid}/{ask}" for ioid in positions if f"{name}/{ioid}/{ask}" not in taken)
            taken.add(at)
            pair = function.pairs[int(at.split("/")[1])]
            is_wrong = turn == 2 and number % 10 > 2
            form = forms[(number + 5 * turn) % len(forms)]
            reason = function.backward if ask == "i" else function.forward
            opening = OPENINGS[(number + 3 * turn) % len(OPENINGS)]
            value = pair["input" if ask == "i" else "output"]
            entries[at] = {
                "case": f"{form}, wrong value" if is_wrong else form,
                "expect": "wrong-answer" if is_wrong else "accepted",
                "answer": wrong(value, number) if is_wrong else value,
                "text": FORMS[form].format(why=f"{opening} {reason}".strip()),
            }
    return entries


def load_responses(functions: dict[str, Function]) -> list[dict[str, Any]]:
    handwritten: dict[str, dict[str, Any]] = {}
    with open(HERE / "responses.toml", "rb") as file:
        for entry in tomllib.load(file)["response"]:
            at = entry.pop("at")
            assert at not in handwritten, f"{at}: twice"
            unknown = entry.keys() - {"case", "expect", "answer", "text", "bare"}
            assert not unknown, f"{at}: unknown {sorted(unknown)}"
            if "answer" in entry:
                entry["answer"] = ast.literal_eval(entry["answer"])
            handwritten[at] = entry
    taken = {"/".join(at.split("/")[:3]) for at in handwritten}
    entries = handwritten | template_entries(functions, taken)
    positions = {name: position for position, name in enumerate(functions)}
    rows = []
    for at, entry in entries.items():
        name = at.split("/")[0]
        rows.append(response_row(functions[name], positions[name], at, entry))
    rows.sort(key=lambda row: (row["itemid"], row["ioid"], row["io_pred"], row["index"]))
    keys = [(row["itemid"], row["ioid"], row["io_pred"], row["index"]) for row in rows]
    assert len(set(keys)) == len(keys), "two responses for one sample"
    return rows


# --- files ---


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def build() -> dict[str, bytes]:
    """Contents of both files by name."""
    functions = load_functions()
    responses = load_responses(functions)
    return {
        "functions.jsonl": lines([function.row() for function in functions.values()]),
        "responses.jsonl": lines(responses),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Build functions.jsonl and responses.jsonl.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the files on disk differ")
    check = parser.parse_args().check
    contents = build()
    assert contents == build(), "two builds in a row differ"
    stale = []
    for name, content in contents.items():
        path = HERE / name
        if not path.exists() or path.read_bytes() != content:
            stale.append(name)
            if not check:
                path.write_bytes(content)
    counts = Counter(json.loads(line)["expected_verdict"] for line in contents["responses.jsonl"].splitlines())
    missing = [word for word in VERDICTS if counts[word] < 2]
    assert not missing, f"fewer than two responses for {missing}"
    for word in VERDICTS:
        print(f"{word:15}{counts[word]:4}")
    print(f"{'differs' if check else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
