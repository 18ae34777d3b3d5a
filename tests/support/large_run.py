"""A verified run of any size, written and not executed: rows as `reexec verify` writes them, functions, usage and rejects, all
from a seed. What a test knows of each row is given back by `rows`."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.program import Program
from reexec.engine.version import VERSION

VERDICTS = ("accepted",) * 9 + ("wrong-answer",) * 6 + ("no-answer", "runtime-error", "cpu-limit")
REASONS = ("not JSON: expecting value at character {}", "the response is missing, at $.output", "itemid is {}, out of range")
_LETTERS = "abcdefghiklmnoprstuvwxyz"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a row."""

    stage: str
    verdict: str
    direction: str
    function: str
    """Id and label of its function."""
    reason: str
    text: str
    """What it is searched by."""


class LargeRun:
    def __init__(self, rows: int, functions: int, rejects: int = 0, seed: int = 1, words: int = 60) -> None:
        self.rows, self.functions, self.rejects, self._seed, self._words = rows, functions, rejects, seed, words
        chance = random.Random(seed)
        self._vocabulary = ["".join(chance.choices(_LETTERS, k=chance.randint(2, 9))) for _ in range(4000)]
        self._programs = [Program(f"def {self._entry(i)}(n):\n    return [n, {i}]\n", self._entry(i)) for i in range(functions)]

    def _entry(self, index: int) -> str:
        return f"{self._vocabulary[index % 4000]}_{index}"

    def _row(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """A verified row, and its usage."""
        chance = random.Random(f"{self._seed} {number}")
        item, direction = number % self.functions, "oi"[number // self.functions % 2]
        verdict = chance.choice(VERDICTS)
        answer = f"{' '.join(chance.choices(self._vocabulary, k=self._words))} N{number}\n" + json.dumps(
            {"output" if direction == "o" else "input": [number, item] if direction == "o" else {"n": number}}
        )
        row = {
            "messages": [{"role": "user", "content": f"What does {self._entry(item)} return?"}],
            "itemid": item, "ioid": 0, "io_pred": direction, "index": 0, "output": answer,
            "function_id": self._programs[item].id, "id": f"{number:032x}", "verdict": verdict,
            "res": {"status": "success" if verdict == "accepted" else "failed", "message": f"The answer ended as {verdict}."},
        }  # fmt: skip
        usage = {
            "id": row["id"],
            "verdict": verdict,
            "cpu_s": round(chance.random(), 6),
            "peak_bytes": chance.randrange(1 << 26),
        }
        return row, usage

    def _reject(self, number: int) -> dict[str, Any]:
        text = json.dumps({"itemid": number, "output": f"left {number}", "provenance": {"path": f"raw/{number}.py"}})
        return {"file": "in.jsonl", "line": number + 1, "reason": REASONS[number % 3].format(number), "text": text}

    def known(self) -> Iterator[Known]:
        for number in range(self.rows):
            row, _ = self._row(number)
            function = f"{self._entry(row['itemid'])} {row['function_id']}"
            direction = "output" if row["io_pred"] == "o" else "input"
            text = f"{row['id']}\n{row['res']['message']}\n{row['output']}"
            yield Known("verify", row["verdict"], direction, function, "", text)
        for number in range(self.rejects):
            record = self._reject(number)
            text = f"{record['reason']}\nraw/{number}.py\nin.jsonl\n{record['text']}"
            yield Known("verify", "left out", "", "", record["reason"].replace(f" {number}", " ..."), text)

    def write(self, folder: Path) -> Path:
        """The verified file."""
        output = folder / "verified.jsonl"
        with open(folder / "functions.jsonl", "w") as file:
            for program in self._programs:
                ios = [{"input": {"n": 1}, "output": [1, 0]}]
                file.write(json.dumps({"refcode": program.source, "funcname": program.entry, "ios": ios}) + "\n")
        with open(output, "w") as file, open(folder / "verified.usage.jsonl", "w") as usages:
            for number in range(self.rows):
                row, usage = self._row(number)
                file.write(json.dumps(row) + "\n")
                if usage["verdict"] not in ("accepted", "no-answer"):
                    usages.write(json.dumps(usage) + "\n")
        if self.rejects:
            with open(folder / "verified.rejects.jsonl", "w") as file:
                file.writelines(json.dumps(self._reject(number)) + "\n" for number in range(self.rejects))
        manifest = {
            "stage": "verify", "state": "done", "started_in": str(folder), "key": {"engine": VERSION, "side files": []},
            "facts": {"functions": "functions.jsonl", "isolation": "nsjail", "workers": 1},
        }  # fmt: skip
        output.with_name("verified.manifest.json").write_text(json.dumps(manifest))
        return output
