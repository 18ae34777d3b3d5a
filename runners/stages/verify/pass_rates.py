"""Pass rates where a prompt has several samples: a side file and their means.

Reads the finished output twice, so that a resumed run counts all of it and memory stays small: one integer a prompt.
"""

from pathlib import Path
from typing import Any

from ...digests import number_of
from ...rows.run import beside
from ...rows.source import read_lines
from ...rows.text import dump, parse_row

_SAMPLE = 1 << 32  # a tally is samples x 2**32 + accepted


def _revised(row: dict[str, Any]) -> tuple[str, ...]:
    """Prompts of a later turn differ from each other also where they are about the same pair: their id tells them apart."""
    return ("id",) if "original_id" in row else ()


def _prompt(row: dict[str, Any]) -> int:
    return number_of(*(str(row[name]) for name in ("pair_id", "io_pred", *_revised(row))))


def write_pass_rates(output: Path) -> dict[str, Any] | None:
    """Where a prompt has several samples, writes NAME.passrates.jsonl, a row for each pair and each function, in the order in
    which they first come, and returns the means; None where every prompt has one. Rows that the engine failed on do not
    count."""
    pairs: dict[int, int] = {}
    functions: dict[int, int] = {}
    for _, line in read_lines(output):
        row = parse_row(line)
        if row["verdict"] != "engine-error":
            more = _SAMPLE + (row["verdict"] == "accepted")
            prompt, function = _prompt(row), number_of(row["function_id"])
            pairs[prompt] = pairs.get(prompt, 0) + more
            functions[function] = functions.get(function, 0) + more
    path = beside(output, "passrates.jsonl")
    if all(tally < 2 * _SAMPLE for tally in pairs.values()):
        path.unlink(missing_ok=True)
        return None
    means = {
        "file": path.name,
        "prompts": len(pairs),
        "mean_over_pairs": round(sum(map(_rate, pairs.values())) / len(pairs), 6),
        "mean_over_functions": round(sum(map(_rate, functions.values())) / len(functions), 6),
    }
    with open(path, "w", encoding="ascii") as file:
        for _, line in read_lines(output):
            row = parse_row(line)
            record = {name: row[name] for name in ("function_id", "pair_id", "io_pred", *_revised(row))}
            tally = pairs.pop(_prompt(row), None)
            if tally is not None:
                file.write(dump({**record, **_counts(tally)}) + "\n")
            tally = functions.pop(number_of(row["function_id"]), None)
            if tally is not None:
                file.write(dump({"function_id": row["function_id"], **_counts(tally)}) + "\n")
    return means


def _rate(tally: int) -> float:
    return (tally % _SAMPLE) / (tally // _SAMPLE)


def _counts(tally: int) -> dict[str, Any]:
    return {"samples": tally // _SAMPLE, "accepted": tally % _SAMPLE, "pass_rate": round(_rate(tally), 6)}
