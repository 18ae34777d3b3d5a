"""A run whose programs import what is not there."""

import json
from pathlib import Path

from tests.support.helpers import SMALL, reexec, write_rows

IMPORTS = ["import no_such_module_a", "import no_such_module_a.part", "__import__('<b>x</b>')", "pass"]
"""Of each function; one of the names is markup."""


def verify_without_modules(folder: Path) -> Path:
    """The output of `reexec verify` over a prediction of each function."""
    functions = [
        {"refcode": f"def f(n):\n    {line}\n    return n\n", "funcname": "f", "problem_description": "d",
         "io_requirements": "", "ios": [{"input": {"n": item}, "output": item}]} for item, line in enumerate(IMPORTS)
    ]  # fmt: skip
    rows = [
        {"itemid": item, "ioid": 0, "io_pred": "i", "messages": [], "output": json.dumps({"input": {"n": item + 10}})}
        for item in range(len(IMPORTS))
    ]
    write_rows(folder / "functions.jsonl", functions)
    write_rows(folder / "responses.jsonl", rows)
    output = folder / "verified.jsonl"
    done = reexec("verify", folder / "responses.jsonl", "-f", folder / "functions.jsonl", "-o", output, *SMALL)
    assert done.code == 0, done.err
    return output
