"""What is executed, each with its right answers: a figure for wrong work is an error, never a figure."""

import contextlib
import io
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from reexec.engine.errors import EngineError
from reexec.engine.executor import Executor
from reexec.engine.program import Check, Program

from ..records.functions import parse_function
from ..rows.text import parse_row
from ..stages.verify import Verify, VerifySettings

# The same function twice: the second names numpy, which makes its worker and every fork of it heavier.
PLAIN = Program("def main_solution(n):\n    return n + 1\n", "main_solution")
WITH_NUMPY = Program("def main_solution(n):\n    return n + 1  # np\n", "main_solution")
_MIXED = Program(
    "def main_solution(n):\n"
    "    if n % 20 == 17:\n"
    "        return [n][1]\n"
    "    if n % 20 == 18:\n"
    "        raise SystemExit(n)\n"
    "    if n % 20 == 19:\n"
    "        return object()\n"
    "    return n + 1\n",
    "main_solution",
)
_MIXED_WORDS = {"accepted": 12, "wrong-answer": 5, "runtime-error": 1, "early-exit": 1, "bad-result": 1}
"""Of twenty in a row."""


def right(program: Program, count: int) -> list[Check]:
    return [Check(program, {"n": n}, n + 1) for n in range(count)]


def mixed(count: int) -> list[Check]:
    """Of twenty: twelve right, five wrong, an exception, an exit, a result that is no plain data."""
    return [Check(_MIXED, {"n": n}, n + 1 if n % 20 < 12 else -1) for n in range(count - count % 20)]


def mixed_words(count: int) -> dict[str, int]:
    return {word: share * (count // 20) for word, share in _MIXED_WORDS.items()}


def per_s(executor: Executor, checks: Sequence[Check], words: dict[str, int] | None = None) -> float:
    """Checks a second out of check_many, judged, in order. Raises EngineError where a verdict is not what it must be;
    `words` says how many there are of each, all accepted where None."""
    began = time.perf_counter()
    found = Counter(verdict.word for verdict in executor.check_many(checks))
    elapsed = time.perf_counter() - began
    wrong_work(found, words or {"accepted": len(checks)})
    return len(checks) / elapsed


def wrong_work(found: Mapping[Any, int], wanted: Mapping[str, int]) -> None:
    """Raises EngineError where they differ."""
    if dict(found) != dict(wanted):
        raise EngineError(f"verdicts of the benchmark are {dict(found)}, and not {dict(wanted)}", stage="benchmark")


@dataclass(frozen=True, slots=True)
class Sample:
    """The recorded pairs of the bundled functions that are right."""

    checks: Sequence[Check]
    own_s: float
    """Of the programs, one after the other, without isolation."""


def sample(executor: Executor) -> Sample:
    """The bundled functions are ours: they may run in this process once, to see how long they take by themselves."""
    lines = (files("reexec.examples") / "functions.jsonl").read_bytes().splitlines()
    records = [parse_function(parse_row(line), at, at + 1) for at, line in enumerate(lines)]
    checks = [Check(record.program, pair.input, pair.output) for record in records for pair in record.pairs]
    verdicts = executor.check_many(checks)
    checks = [check for check, verdict in zip(checks, verdicts, strict=True) if verdict.accepted]
    own_s, names, kept = 0.0, dict[str, Any](), list[Check]()
    for check in checks:
        program = check.program
        if program.id not in names:
            names[program.id] = _loaded(program, executor.policy.prelude)
        given = json.loads(json.dumps(check.call))
        with contextlib.redirect_stdout(io.StringIO()):
            began = time.perf_counter()
            value = names[program.id](**given)
            elapsed_s = time.perf_counter() - began
        if value == check.expected:  # and not only by our comparator: other methods run them too
            kept.append(check)
            own_s += elapsed_s
    return Sample(kept, own_s)


def _loaded(program: Program, prelude: Sequence[str]) -> Any:
    names: dict[str, Any] = {"__name__": "program"}
    for line in prelude:
        with contextlib.suppress(ImportError):
            exec(line, names)
    exec(compile(program.source, "program.py", "exec"), names)
    return names[program.entry]


class OutputRows:
    """A file of output predictions about the bundled functions, a quarter of them wrong."""

    def __init__(self, folder: Path, count: int) -> None:
        self.source, self._folder, self.count = folder / "outputs.jsonl", folder, count
        with as_file(files("reexec.examples") / "functions.jsonl") as functions:
            self._functions = folder / "functions.jsonl"
            self._functions.write_bytes(functions.read_bytes())
        rows = [parse_row(line) for line in self._functions.read_bytes().splitlines()]
        pairs = [(item, at, pair["output"]) for item, row in enumerate(rows) for at, pair in enumerate(row["ios"])]
        self._wrong = 0
        with open(self.source, "w", encoding="utf-8") as file:
            for number in range(count):
                item, at, output = pairs[number % len(pairs)]
                self._wrong += number % 4 == 3
                file.write(_response(item, at, {"not": output} if number % 4 == 3 else output, number))

    def per_s(self, executor: Executor) -> float:
        """Rows a second from file to file: read, extracted, compared, written."""
        settings = VerifySettings(functions=self._functions)
        began = time.perf_counter()
        summary = Verify.run(self.source, self._folder / "verified.jsonl", settings, executor, overwrite=True)
        elapsed = time.perf_counter() - began
        for path in self._folder.glob("verified.*"):
            path.unlink()
        wrong_work(summary.counts["verdicts"], {"accepted": self.count - self._wrong, "wrong-answer": self._wrong})
        return self.count / elapsed


def _response(item: int, at: int, answer: Any, number: int) -> str:
    said = "The loop is followed step by step; every step changes the state once. " * (3 + number % 5)
    text = f"{said}\n```json\n{json.dumps({'output': answer})}\n```\n"
    return json.dumps({"itemid": item, "ioid": at, "io_pred": "o", "index": number + 1, "output": text}) + "\n"
