"""What travels between driver and node: frames of lines, each of them JSON, so that a node can be of any process and nothing
that comes back is unpickled.

The first line of a frame says what it is for; the others are tasks or answers, a line each, made and read one by one.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reexec.engine.outcome import Outcome
from reexec.engine.program import Call, Program, Stdin, call_from_json


def head(**members: Any) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def frame(first: bytes, lines: list[bytes]) -> bytes:
    return b"\n".join([first, *lines])


def opened(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The first line's members, and the other lines."""
    first, *lines = data.split(b"\n")
    return json.loads(first), lines


def run_head(programs: Iterable[Program]) -> bytes:
    return f'{{"do":"run","programs":[{",".join(map(_program_text, programs))}]}}'.encode("ascii")


@functools.lru_cache(256)
def _program_text(program: Program) -> str:
    return json.dumps(program.to_json(), separators=(",", ":"))


def call_text(call: Call | Stdin) -> str:
    data = {"stdin": {"!": "bytes", "v": call.data.hex()}} if isinstance(call, Stdin) else call.to_json()
    return json.dumps(data, separators=(",", ":"))


def task_line(number: int, executor: int, options: int, program: Program, call: str) -> bytes:
    return f'[{number},{executor},{options},"{program.id}",{call}]'.encode("ascii")


@dataclass(frozen=True, slots=True)
class Sent:
    """A task as a node reads it."""

    number: int
    executor: int
    options: int
    """Those of the engine's frames (engine/protocol/frames.py)."""
    program: str
    """Its id; the frame's first line has the program."""
    call: Call | Stdin = field(repr=False)


def read_task(line: bytes) -> Sent:
    number, executor, options, program, call = json.loads(line)
    return Sent(number, executor, options, program, call_from_json(call))


def answer_line(number: int, outcome: Outcome) -> bytes:
    text = json.dumps(outcome.to_json(), separators=(",", ":"))
    return f"{number} {text}".encode("ascii")


def number_of(line: bytes) -> tuple[int, bytes]:
    """Which task an answer is of, and the answer as it came."""
    number, _, body = line.partition(b" ")
    return int(number), body


def read_answer(body: bytes) -> Outcome:
    return Outcome.from_json(json.loads(body))
