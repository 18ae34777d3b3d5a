"""Pass rates where a prompt has several samples: a side file and their means.

A run counts as it goes; what an interrupted one left is counted from the finished output. Its rows are read (again) where
prompts have several samples, as far as new prompts come, so that memory stays small: one integer a prompt.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
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


@lru_cache(maxsize=4096)
def _usual(function_id: str, pair_id: str, io_pred: str) -> tuple[int, int]:
    """Of the pairs last met: samples come together."""
    return _prompt({"pair_id": pair_id, "io_pred": io_pred}), number_of(function_id)


def prompt_and_function(row: Mapping[str, Any], function_id: str, pair_id: str, row_id: str) -> tuple[int, int]:
    """The numbers of a row's prompt and function; `row` has the members that it came with, the ids are those that verify
    gives it, `row_id` is empty where the row came with one."""
    if "original_id" not in row:
        return _usual(function_id, pair_id, row["io_pred"])
    return _prompt({**row, "pair_id": pair_id, "id": row_id or row["id"]}), number_of(function_id)


class PassRates:
    """Tallies of prompts and functions, by the numbers that their texts have."""

    def __init__(self) -> None:
        self._pairs: dict[int, int] = {}
        self._functions: dict[int, int] = {}

    def add(self, row: Mapping[str, Any], function_id: str, pair_id: str, row_id: str, verdict: str) -> None:
        """A row of the output; see `prompt_and_function`."""
        if verdict == "engine-error":
            return
        prompt, function = prompt_and_function(row, function_id, pair_id, row_id)
        self.add_numbers((prompt,), (function,), (verdict == "accepted",))

    def add_numbers(self, prompts: Iterable[int], functions: Iterable[int], accepted: Iterable[bool]) -> None:
        """Rows of the output, by the numbers of their prompts and functions."""
        pairs, by_function = self._pairs, self._functions
        for prompt, function, is_accepted in zip(prompts, functions, accepted, strict=True):
            more = _SAMPLE + is_accepted
            pairs[prompt] = pairs.get(prompt, 0) + more
            by_function[function] = by_function.get(function, 0) + more

    def write(self, output: Path) -> dict[str, Any] | None:
        """As `write_pass_rates`; the tallies, of all rows of the output, are used up."""
        pairs, functions = self._pairs, self._functions
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
                if not pairs and not functions:
                    break
        return means


def write_pass_rates(output: Path) -> dict[str, Any] | None:
    """Where a prompt has several samples, writes NAME.passrates.jsonl, a row for each pair and each function, in the order in
    which they first come, and returns the means; None where every prompt has one. Rows that the engine failed on do not
    count."""
    rates = PassRates()
    for _, line in read_lines(output):
        row = parse_row(line)
        rates.add(row, row["function_id"], row["pair_id"], "", row["verdict"])
    return rates.write(output)


def _rate(tally: int) -> float:
    return (tally % _SAMPLE) / (tally // _SAMPLE)


def _counts(tally: int) -> dict[str, Any]:
    return {"samples": tally // _SAMPLE, "accepted": tally % _SAMPLE, "pass_rate": round(_rate(tally), 6)}
