"""Build verified.jsonl, verified-turn2.jsonl and final.jsonl, the later stages' first inputs, with the package's own commands.

    python examples/build_turns.py            # write the files
    python examples/build_turns.py --check    # exit 1 if they are out of date

Prompts of the first four functions are answered from their recorded pairs, without a model ("model": "template"): of four
answers to the first turn one is right, of the second turn every other one. Needs the package and its sandbox.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FUNCTIONS = HERE / "functions.jsonl"
NAMES = ("verified.jsonl", "verified-turn2.jsonl", "final.jsonl")


def reexec(*arguments: str | Path) -> None:
    command = shutil.which("reexec", path=str(Path(sys.executable).parent)) or "reexec"
    subprocess.run([command, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer(messages: Path, responses: Path, *, every: int) -> None:
    """Right for one prompt of `every`; the others get the answer to another pair, or none that can be read."""
    functions = rows_of(FUNCTIONS)
    with open(responses, "w") as file:
        for number, row in enumerate(rows_of(messages)):
            side = "output" if row["io_pred"] == "o" else "input"
            pairs = functions[row["itemid"]]["ios"]
            right = number % every == 0
            value = pairs[row["ioid"] if right else (row["ioid"] + 1) % len(pairs)][side]
            text = f"I follow the code step by step.\n\n```json\n{json.dumps({side: value})}\n```"
            if number % 7 == 5:
                text = "I follow the code step by step, but I do not get to an end."
            file.write(json.dumps({**row, "index": 0, "output": text, "model": "template", "finish_reason": "stop"}) + "\n")


def build() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, second = (folder / name for name in NAMES[:2])
        reexec("prompts", FUNCTIONS, "-o", folder / "p1.jsonl", "--pairs", "2", "--limit", "4")
        answer(folder / "p1.jsonl", folder / "r1.jsonl", every=4)
        reexec("verify", folder / "r1.jsonl", "--functions", FUNCTIONS, "-o", first)
        reexec("revise", first, "-o", folder / "p2.jsonl")
        answer(folder / "p2.jsonl", folder / "r2.jsonl", every=2)
        reexec("verify", folder / "r2.jsonl", "--functions", FUNCTIONS, "-o", second)
        reexec("assemble", first, second, "-o", folder / NAMES[2])
        return {name: (folder / name).read_bytes() for name in NAMES}


def main() -> int:
    parser = argparse.ArgumentParser(description="Build verified.jsonl, verified-turn2.jsonl and final.jsonl.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the files on disk differ")
    check = parser.parse_args().check
    stale = []
    for name, content in build().items():
        path = HERE / name
        if not path.exists() or path.read_bytes() != content:
            stale.append(name)
            if not check:
                path.write_bytes(content)
    print(f"{'differs' if check else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
