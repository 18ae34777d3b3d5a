"""How many were left after each stage, from the counts of the stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    key: str
    what: str
    count: int
    note: str
    """The count beside the one that it comes from."""


def funnel(counts: Mapping[str, Mapping[str, Any]], turns: int) -> list[Step]:
    """The steps of a finished run; `counts` by the name of the stage."""
    steps: list[Step] = []

    def add(key: str, what: str, count: int, note: str = "") -> None:
        steps.append(Step(key, what, count, note))

    read = 0
    if "transform" in counts:
        read = counts["transform"]["rows"] + counts["transform"]["rejected"]
        add("raw", "raw files", read)
        unified = counts["infer-transform"]["rows"]
        add("unified", "rewritten", unified, _share(unified, read))
    elif "generate" in counts:
        read = counts["generate"]["rejected"] + counts["generate"]["functions_kept"]
        add("unified", "responses", read)
    elif "audit" in counts:
        read = counts["audit"]["functions"] + counts["audit"]["rejected"]
        add("functions_in", "functions read", read)
    prompts = counts["prompts"]
    functions = counts["generate"]["functions_kept"] if "generate" in counts else prompts["functions"]
    add("functions", "functions", functions, _share(functions, read) if read else "")
    if "generate" in counts:
        pairs = counts["generate"]["pairs_kept"]
    else:
        pairs = counts["audit"]["reproducible"] if "audit" in counts else prompts["pairs"]
    add("pairs", "pairs", pairs, _each(pairs, functions, "function"))
    add("prompts", "prompts", prompts["prompts"], _each(prompts["prompts"], functions, "function"))
    answered = counts["infer-1"]["rows"]
    several = answered > prompts["prompts"]  # samples of each
    note = _each(answered, prompts["prompts"], "prompt") if several else _share(answered, prompts["prompts"])
    add("answered", "answered", answered, note)
    for turn in range(1, turns + 1):
        right = counts[f"verify-{turn}"]["verdicts"].get("accepted", 0)
        if turn == 1:
            add("correct_at_turn_1", "correct at turn 1", right, _share(right, answered))
        else:
            failed = counts[f"revise-{turn}"]["rows"]
            note = _share(right, failed, f" of {failed:,} failures")
            add(f"repaired_at_turn_{turn}", f"repaired at turn {turn}", right, note)
    rows = counts["assemble"]["rows"]
    add("rows", "rows", rows, _share(rows, answered, " of the answered"))
    return steps


def _share(part: int, whole: int, of: str = "") -> str:
    return f"{100 * part / whole:.1f} %{of}" if whole else ""


def _each(count: int, among: int, what: str) -> str:
    return f"{count / among:.1f} a {what}" if among else ""
