"""Runs every stage over the examples and the sample data and digests what it wrote.

    python -m tests.e2e.golden FOLDER [--write] [--part NAME ...]

A change that should not change behaviour must leave every digest in `golden.json` as it is. A change that means to change
one runs this with `--write`, and its commit says which rule changed which file. Manifests and usage files hold what differs
from machine to machine and are left out.
"""

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
DIGESTS = Path(__file__).with_name("golden.json")
_OMITTED = ("manifest.json", ".lock")

Row = dict[str, Any]

SMALL = "--set limits.cpu_s=1 --set limits.idle_s=1"

# part -> commands, run in one folder; {x} is the examples' folder, {d} that of the sample data.
PARTS: dict[str, list[str]] = {
    "examples": [
        "transform {x}/raw.jsonl -o messages.jsonl",
        "infer messages.jsonl -o unified.jsonl --replay {x}/unified.jsonl",
        "generate unified.jsonl -o functions.jsonl",
        "prompts functions.jsonl -o prompts.jsonl",
        "infer prompts.jsonl -o responses.jsonl --replay {x}/answers.jsonl",
        f"verify responses.jsonl --functions functions.jsonl -o verified.jsonl {SMALL}",
        "revise verified.jsonl -o prompts-2.jsonl",
        "infer prompts-2.jsonl -o responses-2.jsonl --replay {x}/answers.jsonl",
        f"verify responses-2.jsonl --functions functions.jsonl -o verified-2.jsonl {SMALL}",
        "assemble verified.jsonl verified-2.jsonl -o final.jsonl",
        "export final.jsonl -o llamafactory --to llamafactory-alpaca",
        "export final.jsonl -o openai --to openai-messages",
        "export final.jsonl -o turns --to openai-messages --separate-turns --validation-share 0.2",
    ],
    "responses": [
        f"verify {{x}}/responses.jsonl --functions {{x}}/functions.jsonl -o verified.jsonl {SMALL}",
        "audit {x}/functions.jsonl -o report.jsonl --keep proven.jsonl",
    ],
    "audit": ["audit {d}/codeio_parsed.jsonl -o report.jsonl --keep proven.jsonl --shard 3/8"],
    "transform": ["transform {d}/rawcode.jsonl.gz -o messages.jsonl"],
    "generate": [
        "generate {d}/generators.jsonl.gz -o functions.jsonl --reader reasoning-gym --pairs 4 --calls 60 --shard 7/40"
    ],
    "predictions": [
        "prompts {d}/codeio_parsed.jsonl -o prompts.jsonl --pairs 2",
        f"verify predictions.jsonl --functions {{d}}/codeio_parsed.jsonl -o verified.jsonl --shard 1/6 {SMALL}",
        "revise verified.jsonl -o prompts-2.jsonl",
    ],
}


def predictions() -> Iterator[Row]:
    """Right, wrong, spoiled and missing answers to both directions of the sample's first pairs."""
    for number, line in enumerate((DATA / "codeio_parsed.jsonl").read_text().splitlines()):
        pairs = json.loads(line)["ios"]
        for pair_number, pair in enumerate(pairs[:3]):
            other = pairs[(pair_number + 1) % len(pairs)]
            for turn, answer in enumerate((pair, other)):
                for direction, key in (("o", "output"), ("i", "input")):
                    text = f"It follows that\n```json\n{json.dumps({key: answer[key]})}\n```"
                    if (number + pair_number + turn) % 7 == 6:
                        text = text[:-8] if direction == "o" else "I cannot tell."
                    given = {"itemid": number, "ioid": pair_number, "io_pred": direction, "index": turn, "output": text}
                    yield {"messages": [{"role": "user", "content": f"question {number}"}], **given}


def run_part(part: str, folder: Path, command: str) -> dict[str, str]:
    """Digests of the files that the part's commands wrote into `folder`, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    if part == "predictions":
        with open(folder / "predictions.jsonl", "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in predictions())
    for line in PARTS[part]:
        arguments = shlex.split(line.format(x=ROOT / "examples", d=DATA))
        done = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"reexec {line}: exit {done.returncode}\n{done.stderr}")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _digest(path) for path in files if not path.name.endswith(_OMITTED)}


def _digest(path: Path) -> str:
    content = path.read_bytes().replace(str(ROOT).encode(), b"ROOT").replace(str(DATA).encode(), b"DATA")
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("reexec")))
    given = parser.parse_args()
    known = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    differing = []
    for part in given.part or PARTS:
        found = run_part(part, given.folder / part, given.command)
        before = known.get(part, {})
        differing += [f"{part}/{name}" for name in sorted({*found, *before}) if found.get(name) != before.get(name)]
        known[part] = found
    print("\n".join(f"differs: {name}" for name in differing) or "every digest is as recorded")
    if given.write:
        DIGESTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return 1 if differing and not given.write else 0


if __name__ == "__main__":
    raise SystemExit(main())
