"""What a report shows, counted in one pass over each file. Memory is bounded by the number of functions, not of rows: of
failures and losses a few are kept, chosen by the digest of their row, so that the same files give the same page."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reexec.engine.judging.compare import compare
from reexec.policies.comparison import ComparisonRule

from ..answers import extract_answer
from ..records.functions import FunctionStore
from ..records.predictions import read_prediction
from ..rows.source import read_lines
from ..rows.text import BadRowError, parse_row
from .dropped import dropped_by
from .sources import Losses, RunFiles, VerifiedFile

Direction = Literal["output", "input"]
DIRECTIONS: dict[str, Direction] = {"o": "output", "i": "input"}
FAILURES_KEPT = 4  # of each verdict and direction of a turn
LOSSES_KEPT = 20  # of each stage and reason
TEXT_CHARACTERS = 6000
EDGES_S = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0)
EDGES_BYTES = (1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20, 1 << 30)


@dataclass(frozen=True, slots=True)
class Failure:
    turn: int
    verdict: str
    direction: str
    line: int
    id: str
    function: str
    prompt: str
    answer: str
    predicted: Any
    found: bool
    """Whether the answer held a prediction."""
    expected: Any
    known: bool
    """Whether the expected value could be looked up."""
    path: str
    """Where the predicted output differs from the expected one; empty for input predictions."""
    feedback: str


@dataclass(frozen=True, slots=True)
class Loss:
    line: int
    reason: str
    origin: str
    """The raw file that the row comes from, where the row says so."""
    text: str
    place: str
    """The raw file and the line that the stage read."""


@dataclass(slots=True)
class FunctionFigures:
    label: str
    id: str = ""
    rows: int = 0
    accepted: int = 0
    cpu_s: float = 0.0
    worst_s: float = 0.0


@dataclass(slots=True)
class Turn:
    number: int
    file: str
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    """Direction to verdict to count."""

    @property
    def rows(self) -> int:
        return sum(sum(counter.values()) for counter in self.verdicts.values())

    @property
    def accepted(self) -> int:
        return sum(counter["accepted"] for counter in self.verdicts.values())

    def totals(self) -> list[tuple[str, int]]:
        """(verdict, count), most frequent first."""
        total: Counter[str] = Counter()
        for counter in self.verdicts.values():
            total.update(counter)
        return sorted(total.items(), key=lambda item: (-item[1], item[0]))


@dataclass(slots=True)
class Figures:
    run: RunFiles
    turns: list[Turn] = field(default_factory=list)
    functions: dict[str, FunctionFigures] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    losses: dict[tuple[str, str], tuple[int, list[Loss]]] = field(default_factory=dict)
    """(stage, reason) to the count and a few of the rows."""
    cpu_s: Counter[int] = field(default_factory=Counter)
    """Rows by the index of the first of EDGES_S that is not below their CPU time."""
    peak_bytes: Counter[int] = field(default_factory=Counter)
    measured: int = 0

    def pass_rates(self) -> list[int]:
        """How many functions have a pass rate at turn 1 in each tenth, 0-10 % first; 100 % counts to the last."""
        tenths = [0] * 10
        for function in self.functions.values():
            if function.rows:
                tenths[min(9, 10 * function.accepted // function.rows)] += 1
        return tenths

    def slowest(self, count: int = 10) -> list[FunctionFigures]:
        return heapq.nlargest(count, (f for f in self.functions.values() if f.worst_s), key=lambda f: (f.worst_s, f.label))


def collect(run: RunFiles) -> Figures:
    """Reads every file of the run once. Rows that cannot be read are passed over: the stage has rejected them already."""
    figures = Figures(run)
    for file in run.turns:
        _turn(figures, file)
    for losses in run.losses:
        _losses(figures, losses)
    return figures


def _rows(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    for number, line in read_lines(path):
        try:
            yield number, line, parse_row(line)
        except BadRowError:
            continue


def _order(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).digest()


class _Chosen:
    """The `most` rows of each group whose digests are smallest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._groups: dict[Any, list[tuple[bytes, int, Any]]] = {}

    def wants(self, group: Any, order: bytes) -> bool:
        chosen = self._groups.setdefault(group, [])
        return len(chosen) < self._most or order < chosen[-1][0]

    def add(self, group: Any, order: bytes, line: int, item: Any) -> None:
        chosen = self._groups[group]
        chosen.append((order, line, item))
        chosen.sort(key=lambda entry: entry[:2])
        del chosen[self._most :]

    def __iter__(self) -> Iterator[tuple[Any, list[Any]]]:
        for group in sorted(self._groups):
            yield group, [item for _, _, item in sorted(self._groups[group], key=lambda entry: entry[1])]


def _turn(figures: Figures, file: VerifiedFile) -> None:
    turn = Turn(file.turn, file.path.name)
    figures.turns.append(turn)
    store = FunctionStore(file.functions) if file.functions is not None else None
    rule = rule_of(file)
    chosen = _Chosen(FAILURES_KEPT)
    by_id: dict[str, str] = {}
    for number, line, row in _rows(file.path):
        word, direction = str(row.get("verdict", "")), DIRECTIONS.get(str(row.get("io_pred")), "output")
        if not word:
            continue
        turn.verdicts.setdefault(direction, Counter())[word] += 1
        function_id = str(row.get("function_id", ""))
        function = figures.functions.setdefault(function_id, FunctionFigures(label_of(function_id, store), function_id))
        if file.turn == 1:
            function.rows += 1
            function.accepted += word == "accepted"
        if file.usage is not None:
            by_id[str(row.get("id", ""))] = function_id
        order = _order(line)
        if word != "accepted" and chosen.wants((word, direction), order):
            chosen.add(
                (word, direction),
                order,
                number,
                failure_of(file.turn, word, direction, number, row, function.label, store, rule),
            )
    for _, failures in chosen:
        figures.failures += failures
    if file.usage is not None:
        _usage(figures, file.usage, by_id)


def rule_of(file: VerifiedFile) -> ComparisonRule:
    """By which rule the run compared."""
    comparison = file.policy.get("comparison")
    return ComparisonRule.model_validate(comparison) if isinstance(comparison, dict) else ComparisonRule.preset("codeio")


def label_of(function_id: str, store: FunctionStore | None) -> str:
    """What a function is called where people read: its entry, and what it is about."""
    position = store.position_of(function_id) if store is not None else None
    if store is None or position is None:
        return function_id[:12] or "unknown"
    try:
        record = store.at(position)
    except BadRowError:
        return function_id[:12]
    words = " ".join(str(record.row.get("problem_description") or "").split())
    return f"{record.program.entry} ({words[:80]}{'...' if len(words) > 80 else ''})" if words else record.program.entry


def failure_of(
    turn: int, word: str, direction: Direction, line: int, row: dict[str, Any], label: str,
    store: FunctionStore | None, rule: ComparisonRule, most: int = TEXT_CHARACTERS,
) -> Failure:  # fmt: skip
    """Everything about one verified row that is shown side by side; texts are cut after `most` characters."""
    text = row.get("output")
    answer = extract_answer(text if isinstance(text, str) else "", direction)
    expected, known, path = None, False, ""
    if store is not None:
        try:
            prediction = read_prediction(row, store)
        except BadRowError:
            pass
        else:
            expected, known = prediction.pair.output, True
            if direction == "output" and answer.found:
                path = compare(answer.value, expected, rule).path or ""
    messages = row.get("messages")
    asked = [str(m.get("content", "")) for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    result = row.get("res")
    return Failure(
        turn=turn,
        verdict=word,
        direction=direction,
        line=line,
        id=str(row.get("id", "")),
        function=label,
        prompt=cut(asked[-1] if asked else "", most),
        answer=cut(text if isinstance(text, str) else "", most),
        predicted=answer.value if answer.found else None,
        found=answer.found,
        expected=expected,
        known=known,
        path=path,
        feedback=cut(str(result.get("message", "")) if isinstance(result, dict) else "", most),
    )


def cut(text: str, most: int = TEXT_CHARACTERS) -> str:
    return text if len(text) <= most else text[:most] + f"\n... ({len(text):,} characters)"


def _usage(figures: Figures, path: Path, functions: dict[str, str]) -> None:
    for _, _, row in _rows(path):
        cpu_s, peak = row.get("cpu_s"), row.get("peak_bytes")
        if not isinstance(cpu_s, int | float) or not isinstance(peak, int):
            continue
        figures.measured += 1
        figures.cpu_s[_bucket(cpu_s, EDGES_S)] += 1
        figures.peak_bytes[_bucket(peak, EDGES_BYTES)] += 1
        function = figures.functions.get(functions.get(str(row.get("id", "")), ""))
        if function is not None:
            function.cpu_s += cpu_s
            function.worst_s = max(function.worst_s, float(cpu_s))


def _bucket(value: float, edges: tuple[float, ...]) -> int:
    return next((index for index, edge in enumerate(edges) if value <= edge), len(edges))


def _losses(figures: Figures, losses: Losses) -> None:
    counts: Counter[str] = Counter()
    chosen = _Chosen(LOSSES_KEPT)
    for row in dropped_by(losses):
        counts[row.reason] += 1
        order = _order(row.record)
        if chosen.wants(row.reason, order):
            text = row.text if isinstance(row.text, str) else row.record.decode("utf-8", "replace")
            chosen.add(row.reason, order, row.number, Loss(row.line, row.sentence, row.origin, cut(text), row.place))
    for reason, kept in chosen:
        figures.losses[losses.stage, reason] = (counts[reason], kept)
