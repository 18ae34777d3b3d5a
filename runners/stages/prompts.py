"""The prompts stage: functions with recorded pairs to messages that ask a model to predict outputs and inputs.

The first N distinct pairs of a function give N output- and N input-prediction rows. Values stand in a prompt as JSON, the
form in which the answer is wanted. Rows of CodeI/O's own files, which have no ids and no provenance, are taken as they are.
"""

from typing import Annotated, Any

from pydantic import Field

from reexec.engine.program import Program

from ..digests import digest_of
from ..records.functions import FIELDS, FunctionRecord, Pair, parse_function
from ..rows.row import Result, Row
from ..rows.text import BadRowError, dump_line, dump_readable, kind_of
from ..settings import Flag, Settings, Templates
from ..stage import Stage
from ..texts import Entry, Texts, TextsFile


class PromptsSettings(Settings):
    pairs: Annotated[int, Field(ge=1, description="Pairs of a function that are asked about."), Flag(metavar="N")] = 3
    code: Annotated[bool, Field(description="Show the function's code in the prompt.")] = True
    templates: Templates = None


class Prompts(Stage[PromptsSettings]):
    """Counts `functions`, `prompts`, and `pairs` that were asked about, each in both directions."""

    name = "prompts"
    reads = FIELDS
    settings_type = PromptsSettings
    texts_file = TextsFile(
        "prompts.toml",
        {
            "system.text": Entry(may=("funcname",), optional=True),
            "parts.problem": Entry(("problem",)),
            "parts.requirements": Entry(("requirements",)),
            "parts.code": Entry(("code",), ("funcname",)),
            "output.text": Entry(("about", "input"), ("funcname",)),
            "input.text": Entry(("about", "output"), ("funcname",)),
        },
    )
    numbers = ("functions", "prompts", "pairs")
    counts_rows_in = "functions"

    def note(self, row: Row) -> None:
        self.seen.note(parse_function(row.data, 0, row.number).id, row)

    def row(self, row: Row) -> Result:
        """Words: `function`."""
        record = parse_function(row.data, row.position, row.number)
        self.seen.refuse_repeated(record.id, row, "the same function as in", "refcode")
        if not record.pairs:
            raise BadRowError("there is no pair to ask about, at $.ios")
        about = self._about(record)
        if not about:
            raise BadRowError("without the code nothing says what the function does, at $.problem_description")
        provenance = provenance_of(record.row)
        lines = []
        for ioid, pair in _distinct(record, self.settings.pairs):
            for io_pred in ("o", "i"):
                prompt = {
                    "id": prompt_id(pair.id, io_pred),
                    "messages": messages(self.texts, io_pred, about, record.program, pair),
                    "itemid": record.position,
                    "ioid": ioid,
                    "io_pred": io_pred,
                    "function_id": record.id,
                    "pair_id": pair.id,
                    "provenance": provenance,
                }
                lines.append(dump_line(prompt))
        return Result(row, ("function",), lines, counts={"functions": 1, "prompts": len(lines), "pairs": len(lines) // 2})

    def _about(self, record: FunctionRecord) -> str:
        """What is told of a function; empty where its row has nothing to tell."""
        parts = []
        for part, field in (("problem", "problem_description"), ("requirements", "io_requirements")):
            text = record.row.get(field)
            if isinstance(text, str) and text.strip():
                parts.append(self.texts.fill(f"parts.{part}", **{part: text.strip()}))
        if self.settings.code:
            program = record.program
            parts.append(self.texts.fill("parts.code", code=_fenced(program.source), funcname=program.entry))
        return "".join(parts)


def messages(texts: Texts, io_pred: str, about: str, program: Program, pair: Pair) -> list[dict[str, str]]:
    """The expected answer is never part of them."""
    name = program.entry
    if io_pred == "o":
        text = texts.fill("output.text", about=about, input=dump_readable(pair.input), funcname=name)
    else:
        text = texts.fill("input.text", about=about, output=dump_readable(pair.output), funcname=name)
    system = texts.fill("system.text", funcname=name).strip()
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
    return digest_of(pair, io_pred)


def _distinct(record: FunctionRecord, count: int) -> list[tuple[int, Pair]]:
    """The first pairs that are not repeated, with their positions in the row."""
    chosen: dict[str, tuple[int, Pair]] = {}
    for ioid, pair in enumerate(record.pairs):
        if len(chosen) == count:
            break
        chosen.setdefault(pair.id, (ioid, pair))
    return list(chosen.values())


def provenance_of(row: dict[str, Any]) -> dict[str, Any]:
    """`provenance` where the row has it, else `meta`, the only word of CodeI/O's rows on where they come from."""
    found = row.get("provenance")
    if found is None:
        meta = row.get("meta")
        return meta if isinstance(meta, dict) else {}
    if not isinstance(found, dict):
        raise BadRowError(f"provenance: expected an object, got {kind_of(found)}, at $.provenance")
    return found


prompts = Prompts.run
