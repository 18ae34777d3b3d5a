"""Verified rows as `reexec verify` writes them, made without it, for tests of the stages that come after."""

from typing import Any

from reexec.runners.records.turns import read_turn, revision_id
from tests.support.helpers import Row


def verified(name: str, verdict: str = "wrong-answer", index: int = 0, **more: Any) -> Row:
    """A row of a first turn."""
    return {
        "id": f"id of {name}",
        "messages": [{"role": "user", "content": f"question {name}"}],
        "itemid": 3,
        "ioid": 1,
        "io_pred": "o",
        "index": index,
        "output": f"answer {name}.{index}",
        "function_id": "f",
        "pair_id": f"pair {name}",
        "verdict": verdict,
        "res": {"status": "?", "message": f"said of {name}.{index}"},
        "provenance": {"license": "MIT"},
        **more,
    }


def after(row: Row, verdict: str = "wrong-answer", turn: int = 2, **more: Any) -> Row:
    """The verified row of the turn that follows a failed one."""
    asked = revision_id(read_turn(row), turn)
    text = f"turn {turn} of {row['output']}"
    return {
        **row,
        "id": asked,
        "original_id": row.get("original_id", row["id"]),
        "index": 0,
        "output": text,
        "verdict": verdict,
        "res": {"status": "?", "message": f"said of {text}"},
        **more,
    }
