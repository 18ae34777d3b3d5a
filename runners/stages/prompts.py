"""The prompts stage: functions with recorded pairs to messages that ask a model to predict outputs and inputs.

The first N distinct pairs of a function give N output- and N input-prediction rows. Values stand in a prompt as JSON, the
form in which the answer is wanted. Rows of the original, which have no ids and no provenance, are taken as they are.
"""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reexec.engine.errors import UsageError
from reexec.engine.program import Program

from ..records.functions import BadFunctionError, FunctionRecord, Pair, parse_function
from ..rows.run import Row, Selection, StageRun
from ..rows.text import BadRowError, dump, dump_readable, kind_of, parse_row
from ..texts import Entry, Texts

PAIRS = 3
_ENTRIES = {
    "system.text": Entry(may=("funcname",), optional=True),
    "parts.problem": Entry(("problem",)),
    "parts.requirements": Entry(("requirements",)),
    "parts.code": Entry(("code",), ("funcname",)),
    "output.text": Entry(("about", "input"), ("funcname",)),
    "input.text": Entry(("about", "output"), ("funcname",)),
}


@dataclass(slots=True)
class PromptsSummary:
    functions: int = 0
    prompts: int = 0
    pairs: int = 0
    """Pairs that were asked about, each in both directions."""
    rejected: int = 0
    first_reject: str = ""
    unreadable: int = 0
    resumed_functions: int = 0


class PromptTemplate:
    """The texts of prompts.toml, ours or that of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.texts = Texts("prompts.toml", _ENTRIES, folder)

    def about(self, row: dict[str, Any], program: Program, *, code: bool) -> str:
        """What is told of a function; empty where its row has nothing to tell."""
        parts = []
        for part, field in (("problem", "problem_description"), ("requirements", "io_requirements")):
            text = row.get(field)
            if isinstance(text, str) and text.strip():
                parts.append(self.texts.fill(f"parts.{part}", **{part: text.strip()}))
        if code:
            parts.append(self.texts.fill("parts.code", code=_fenced(program.source), funcname=program.entry))
        return "".join(parts)

    def messages(self, io_pred: str, about: str, program: Program, pair: Pair) -> list[dict[str, str]]:
        """The expected answer is never part of them."""
        if io_pred == "o":
            text = self.texts.fill("output.text", about=about, input=dump_readable(pair.input), funcname=program.entry)
        else:
            text = self.texts.fill("input.text", about=about, output=dump_readable(pair.output), funcname=program.entry)
        system = self.texts.fill("system.text", funcname=program.entry).strip()
        first = [{"role": "system", "content": system}] if system else []
        return [*first, {"role": "user", "content": text.strip()}]


def _fenced(code: str) -> str:
    """A python fence that the code cannot close."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}python\n{code.strip()}\n{fence}"


def prompt_id(pair: str, io_pred: str) -> str:
    """32 hex digits over the pair's id and the direction."""
    return hashlib.blake2b(f"{pair}\0{io_pred}".encode(), digest_size=16).hexdigest()


def prompts(
    functions_path: Path,
    output_path: Path,
    *,
    pairs: int = PAIRS,
    with_code: bool = True,
    template: PromptTemplate | None = None,
    selection: Selection | None = None,
    overwrite: bool = False,
    on_row: Callable[[str], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
) -> PromptsSummary:
    """Writes the prediction prompts of a functions file; `on_row` is told `function` or `rejected`, once a function.

    Raises UsageError where nothing could be read or written.
    """
    if pairs < 1:
        raise UsageError(f"pairs {pairs}: must be 1 or more")
    template = template or PromptTemplate()
    seen = _Seen()
    run = StageRun(
        "prompts",
        functions_path,
        output_path,
        key={"templates": template.texts.digest, "pairs": pairs, "code": with_code},
        facts={"template": str(template.texts.path)},
        selection=selection,
        overwrite=overwrite,
        on_consumed=seen.note,
    )
    counts = run.progress.counts
    for name in ("rejected", "functions", "prompts", "pairs"):
        counts.setdefault(name, 0)
    if on_resume is not None and run.resumed_lines:
        on_resume(run.resumed_lines)
    run.open()
    state = "interrupted"
    try:
        for row in run.rows():
            try:
                lines = _lines(row, template, seen, pairs, with_code)
            except BadFunctionError as error:
                run.reject(row, str(error))
                word = "rejected"
            else:
                run.begin()
                counts["functions"] += 1
                counts["prompts"] += len(lines)
                counts["pairs"] += len(lines) // 2
                run.write(row, lines)
                word = "function"
            if on_row is not None:
                on_row(word)
        state = "done"
    finally:
        run.close(state)
    if run.fault is not None:
        raise run.fault
    return PromptsSummary(
        functions=counts["functions"],
        prompts=counts["prompts"],
        pairs=counts["pairs"],
        rejected=counts["rejected"],
        first_reject=counts.get("first_reject", ""),
        unreadable=counts.get("unreadable", 0),
        resumed_functions=run.resumed_lines,
    )


class _Seen:
    """Ids of the functions so far, with the line where each came first: 100 bytes a function."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}

    def first_line(self, function_id: str, number: int) -> int:
        return self._first.setdefault(bytes.fromhex(function_id), number)

    def note(self, number: int, line: bytes) -> None:
        """A line that an earlier run has done."""
        with contextlib.suppress(BadRowError, BadFunctionError):
            self.first_line(parse_function(parse_row(line), 0, number).id, number)


def _lines(row: Row, template: PromptTemplate, seen: _Seen, count: int, with_code: bool) -> list[bytes]:
    if row.fault is not None:
        raise BadFunctionError(row.fault)
    record = parse_function(row.data, row.position, row.number)
    first = seen.first_line(record.id, row.number)
    if first != row.number:
        raise BadFunctionError(f"the same function as in line {first}, at $.refcode")
    if not record.pairs:
        raise BadFunctionError("there is no pair to ask about, at $.ios")
    about = template.about(record.row, record.program, code=with_code)
    if not about:
        raise BadFunctionError("without the code nothing says what the function does, at $.problem_description")
    provenance = provenance_of(record.row)
    lines = []
    for ioid, pair in _distinct(record, count):
        for io_pred in ("o", "i"):
            prompt = {
                "id": prompt_id(pair.id, io_pred),
                "messages": template.messages(io_pred, about, record.program, pair),
                "itemid": record.position,
                "ioid": ioid,
                "io_pred": io_pred,
                "function_id": record.id,
                "pair_id": pair.id,
                "provenance": provenance,
            }
            lines.append(dump(prompt).encode("ascii"))
    return lines


def _distinct(record: FunctionRecord, count: int) -> list[tuple[int, Pair]]:
    """The first pairs that are not repeated, with their positions in the row."""
    chosen: dict[str, tuple[int, Pair]] = {}
    for ioid, pair in enumerate(record.pairs):
        if len(chosen) == count:
            break
        chosen.setdefault(pair.id, (ioid, pair))
    return list(chosen.values())


def provenance_of(row: dict[str, Any]) -> dict[str, Any]:
    """`provenance` where the row has it, else `meta`, the only word of the original's rows on where they come from."""
    found = row.get("provenance")
    if found is None:
        meta = row.get("meta")
        return meta if isinstance(meta, dict) else {}
    if not isinstance(found, dict):
        raise BadFunctionError(f"provenance must be an object, not {kind_of(found)}, at $.provenance")
    return found
