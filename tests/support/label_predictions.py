"""Builds predictions whose verdict is known by construction, for `reexec verify` to be held against.

    python tests/support/label_predictions.py PROVEN.jsonl PREDICTIONS.jsonl [--pairs 10] [--inputs 1] [--processes 2]

PROVEN holds pairs that replay (`reexec audit --keep`). Labels come from how a row was made, or, for changed inputs, from a
plain replay in fresh interpreters under two hash seeds; nothing of the engine takes part. Rows carry `expected_verdict`,
and `made_by` says how they came about.

    recorded          the recorded output or input                                        accepted
    float-inside      one float times 1 + 5e-4, with the same integer part                accepted
    float-beyond      one float times 1 + 2e-3, or 0.5 beside zero                        wrong-answer
    int, text, bool, null, drop, swap, rename    one leaf, item or key changed             wrong-answer
    input             one leaf or item of the input changed                               as the plain replay says
    prose, cut        no JSON at all; JSON without its last brace                          no-answer
"""

import argparse
import copy
import json
import math
import random
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import itertools

from tests.support.plain_replay import prelude_for, run, same

Row = dict[str, Any]
Place = tuple[Any, Any]
"""A container and a key or index of it."""
LONGEST_S = 2.0  # inputs that take longer in a fresh interpreter are left out: they may touch a limit


def places(value: Any) -> Iterator[Place]:
    """Every item of every container in `value`, which itself is the item "value" of a dict."""
    waiting: list[Any] = [value]
    while waiting:
        container = waiting.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, item in items:
            yield container, key
            if isinstance(item, dict | list):
                waiting.append(item)


# Each takes an item and gives another one, or None where it does not apply.
def float_inside(item: Any) -> Any:
    if type(item) is not float or not math.isfinite(item) or item == 0:
        return None
    near = item * (1 + 5e-4)
    return near if int(near) == int(item) and near != item else None


def float_beyond(item: Any) -> Any:
    if type(item) is not float or not math.isfinite(item):
        return None
    return item * (1 + 2e-3) if item else 0.5


def other_integer(item: Any) -> Any:
    return item + 1 if type(item) is int else None


def other_text(item: Any) -> Any:
    return item + "x" if type(item) is str else None


def other_bool(item: Any) -> Any:
    return not item if type(item) is bool else None


def no_null(item: Any) -> Any:
    return "None" if item is None else None


def drop(item: Any) -> Any:
    return item[:-1] if isinstance(item, list) and item else None


def swap(item: Any) -> Any:
    """Two neighbours that differ beyond any tolerance, the other way round."""
    if not isinstance(item, list):
        return None
    for index, (one, two) in enumerate(itertools.pairwise(item)):
        if type(one) is type(two) and type(one) in (int, str) and one != two:
            return [*item[:index], two, one, *item[index + 2 :]]
    return None


def rename(item: Any) -> Any:
    if not isinstance(item, dict) or not item:
        return None
    first = next(iter(item))
    return {(f"{key}_" if key == first else key): value for key, value in item.items()}


OUTPUT_CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "float-inside": (float_inside, "accepted"),
    "float-beyond": (float_beyond, "wrong-answer"),
    "int": (other_integer, "wrong-answer"),
    "text": (other_text, "wrong-answer"),
    "bool": (other_bool, "wrong-answer"),
    "null": (no_null, "wrong-answer"),
    "drop": (drop, "wrong-answer"),
    "swap": (swap, "wrong-answer"),
    "rename": (rename, "wrong-answer"),
}
INPUT_CHANGES = (float_beyond, other_integer, other_text, other_bool, drop, swap, rename)


def changed(value: Any, change: Callable[[Any], Any], source: random.Random) -> tuple[bool, Any]:
    """(True, a copy of `value` with one change at a random place that it applies to), or (False, None)."""
    box = {"value": copy.deepcopy(value)}
    fitting = [(container, key) for container, key in places(box) if change(container[key]) is not None]
    if not fitting:
        return False, None
    container, key = source.choice(fitting)
    container[key] = change(container[key])
    return True, box["value"]


# -- how models write -----------------------------------------------------------------------------------------


def plain_data(value: Any) -> bool:
    """Whether Python's own spelling of the value is a literal."""
    text = json.dumps(value)
    return "NaN" not in text and "Infinity" not in text


def written(value: Any, name: str, source: random.Random) -> str:
    """A response with `value` under the key `name`, in one of many ways."""
    answer = json.dumps({name: value}, ensure_ascii=source.random() < 0.5, indent=source.choice((None, None, 2)))
    decoy = json.dumps({name: {"first try": source.randint(0, 9)}})
    ways = [
        f"```json\n{answer}\n```",
        f"Step by step {{as one does}}: 1 < 2.\n\n```json\n{answer}\n```\nThat is the {name}.",
        f"```\n{answer}\n```",
        f"```json\n{answer}",
        answer,
        f"The answer is {answer}, I think.",
        f"First I thought {decoy}, but then:\n```json\n{answer}\n```",
        f"```python\nx = [1, 2]\n```\nHence **{answer}**",
    ]
    if plain_data(value):
        ways += [f"Result: { ({name: value})!r}", f"```python\n{ ({name: value})!r}\n```"]
    return source.choice(ways)


def junk(value: Any, name: str, source: random.Random) -> Iterator[tuple[str, str]]:
    yield (
        "prose",
        source.choice(("I cannot tell.", "", "The loop runs {n} times [see above].", "```json\n```", f"{name}: unknown")),
    )
    text = json.dumps({name: value})
    if text.count(f'"{name}"') == 1:
        yield "cut", "Thus:\n```json\n" + text[:-1] + source.choice(("", "\n```"))


# -- labels for changed inputs --------------------------------------------------------------------------------


def without_bools(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return [without_bools(item) for item in value]
    if isinstance(value, dict):
        return {key: without_bools(item) for key, item in value.items()}
    return value


def label_of_input(program: Row, statements: list[str], given: Row, expected: Any) -> str | None:
    """What a fresh interpreter says of an input; None where it says nothing that can be relied on."""
    call = {
        "source": program["refcode"],
        "entry": program["funcname"],
        "input": given,
        "prelude": prelude_for(program["refcode"], statements),
    }
    labels = []
    for seed in ("0", "1"):
        began = time.monotonic()
        kind, value = run(sys.executable, call, seed)
        if time.monotonic() - began > LONGEST_S:
            return None
        if kind == "value":
            label = "accepted" if same(value, expected) else "wrong-answer"
            if label != ("accepted" if same(without_bools(value), without_bools(expected)) else "wrong-answer"):
                return None  # True where 1 is recorded: a matter of the rule, not of the program
        else:
            known = ("MemoryError", "SystemExit", "tolist", "JSON", "keys must be", "Out of range float", "Exceeds the limit")
            if not value.partition(":")[0].strip().isidentifier() or any(word in value for word in known):
                return None
            label = "runtime-error"
        labels.append(label)
    return labels[0] if labels[0] == labels[1] else None


# -- rows -----------------------------------------------------------------------------------------------------


def rows_of(function: Row, itemid: int, statements: list[str], pairs: int, inputs: int) -> list[Row]:
    source = random.Random(f"{function['funcname']} {itemid}")
    rows: list[Row] = []

    def add(ioid: int, io_pred: str, text: str, made_by: str, word: str) -> None:
        row = {"itemid": itemid, "ioid": ioid, "io_pred": io_pred, "index": len(rows), "output": text}
        rows.append({**row, "made_by": made_by, "expected_verdict": word})

    for ioid, pair in enumerate(function["ios"][:pairs]):
        for io_pred, name in (("o", "output"), ("i", "input")):
            add(ioid, io_pred, written(pair[name], name, source), "recorded", "accepted")
        for made_by, (change, word) in OUTPUT_CHANGES.items():
            applies, value = changed(pair["output"], change, source)
            if applies:
                add(ioid, "o", written(value, "output", source), made_by, word)
        for _ in range(inputs):
            applies, value = changed(pair["input"], source.choice(INPUT_CHANGES), source)
            if applies and isinstance(value, dict):
                label = label_of_input(function, statements, value, pair["output"])
                if label is not None:
                    add(ioid, "i", written(value, "input", source), "input", label)
        side = source.choice(("output", "input"))
        for made_by, text in junk(pair[side], side, source):
            add(ioid, side[0], text, made_by, "no-answer")
    return rows


def label(proven: Path, predictions: Path, pairs: int = 10, inputs: int = 1, processes: int = 2) -> int:
    """Writes the rows; how many there are."""
    preset = Path(__file__).parents[2] / "policies" / "presets" / "codeio.toml"
    statements = tomllib.loads(preset.read_text())["prelude"]
    functions = [json.loads(line) for line in proven.read_text().splitlines() if line.strip()]
    count = 0
    with ThreadPoolExecutor(processes) as pool, open(predictions, "w") as out:
        futures = [
            pool.submit(rows_of, function, itemid, statements, pairs, inputs) for itemid, function in enumerate(functions)
        ]
        for future in futures:
            for row in future.result():
                out.write(json.dumps(row) + "\n")
                count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("proven", type=Path)
    parser.add_argument("predictions", type=Path)
    for name, default in (("--pairs", 10), ("--inputs", 1), ("--processes", 2)):
        parser.add_argument(name, type=int, default=default)
    arguments = parser.parse_args()
    print(label(**vars(arguments)), "rows")


if __name__ == "__main__":
    main()
