"""Build raw.jsonl and unified.jsonl, where the pipeline's first stages begin, from the sources beside this file.

    python examples/build_pipeline.py            # write both files
    python examples/build_pipeline.py --check    # exit 1 if they are out of date

raw/NAME.py is a file of code as it might be found; unified/NAME.md is what a model might answer when it is asked for its
unified form. All of them are written by hand.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build() -> dict[str, bytes]:
    """Contents of both files by name. A response has the id of its prompt: the digest of the code."""
    raw, unified = [], []
    for path in sorted((HERE / "raw").glob("*.py")):
        content = path.read_text(encoding="utf-8")
        provenance = {"repo_name": "reexec", "path": f"examples/raw/{path.name}", "license": "Apache-2.0"}
        raw.append({"content": content, **provenance})
        response = (HERE / "unified" / f"{path.stem}.md").read_text(encoding="utf-8")
        row_id = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        unified.append(
            {
                "id": row_id,
                "index": 0,
                "output": response,
                "model": "hand-written",
                "finish_reason": "stop",
                "provenance": provenance,
            }
        )
    files = {"raw.jsonl": raw, "unified.jsonl": unified}
    return {name: "".join(json.dumps(row) + "\n" for row in rows).encode() for name, rows in files.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Build raw.jsonl and unified.jsonl.")
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
