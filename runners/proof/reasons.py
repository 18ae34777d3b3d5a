"""Why a recorded pair is not reproducible: a closed list of reasons, each with its evidence.

    reason             evidence
    missing-module     both runs end in ModuleNotFoundError
    a limit word       a run ends in that limit (or early-exit, bad-result, denied, ...)
    exception          both runs raise
    nondeterministic   the runs differ; or they agree with each other and not with the record, and the call reads the
                       clock, entropy or a random generator, or runs under further seeds differ, or an earlier call of
                       the same program changes the result, or another pair of the function differs from run to run
    mutates-input      the value differs, and the function was seen to change its arguments (on a recorded input or on a
                       variation of one), or the function's recorded input equals the recorded output in every pair:
                       the record was made after the call
    mismatch           the value differs and none of the above explains it

A pair that reproduces, of a function in which another pair varies, is proven again under further seeds: two lucky runs are
no proof.
"""

from typing import Any

from reexec.engine.judging.compare import compare
from reexec.engine.judging.verdict import judge
from reexec.engine.outcome import KINDS, Outcome
from reexec.engine.pool import retry
from reexec.engine.program import Program

from ..records.functions import FunctionRecord
from ..rows.text import quoted
from .seeds import SeededExecutors
from .variations import variations

LIMITS = KINDS - {"value", "exception"}
"""Ways in which a run ends without the program's own word."""

# Appended to a program's source: the recorded calls up to one of them, in one process.
_IN_A_ROW = """

def __reexec_in_a_row(calls):
    value = None
    for arguments in calls:
        value = {entry}(**arguments)
    return value
"""


Judged = tuple[str | None, str]
"""None or a reason, and a line for a person."""
VARIES = ("nondeterministic", "its results differ from run to run")
"""One text for all of them: which runs of which pairs happen to differ is chance, and reports are the same to the byte."""


class Reasons:
    """Judges the pairs of a function from their two runs, and runs more where these do not settle it."""

    def __init__(self, executors: SeededExecutors) -> None:
        self._executors, self._one, self._two = executors, executors.one, executors.two
        self._rule = executors.policy.comparison

    def of_all(self, record: FunctionRecord, results: list[tuple[Outcome, Outcome]]) -> list[Judged]:
        """The judgement on each pair of `record`. What one pair shows may explain another one."""
        judged = [self._reason(pair.output, first, second) for pair, (first, second) in zip(record.pairs, results, strict=True)]
        if any(reason == "nondeterministic" for reason, _ in judged):
            judged = [self._prove_again(record, index, results, found) for index, found in enumerate(judged)]
        open_ones = [index for index, (reason, _) in enumerate(judged) if reason == "mismatch"]
        if not open_ones:
            return judged
        if self._works_in_place(record, results):
            detail = "the function changes its arguments; the input was recorded after the call"
            for index in open_ones:
                judged[index] = ("mutates-input", detail)
            return judged
        varies = any(reason == "nondeterministic" for reason, _ in judged)
        for index in open_ones:
            if varies:
                judged[index] = VARIES
            else:
                judged[index] = self._explain(record, index, results[index][0])
        return judged

    def _reason(self, expected: Any, first: Outcome, second: Outcome) -> Judged:
        """What the two runs of a pair say by themselves."""
        if all(judge(outcome, expected, self._rule).accepted for outcome in (first, second)):
            return None, ""
        for outcome in (first, second):
            if outcome.kind in LIMITS:
                return outcome.kind, outcome.describe()
        if first.kind != second.kind:
            return VARIES
        if first.exception is not None and second.exception is not None:
            if first.exception.missing_module and second.exception.missing_module:
                return "missing-module", first.describe()
            return "exception", first.describe()
        if not compare(first.value, second.value, self._rule).equal:
            return VARIES
        comparison = compare(first.value, expected, self._rule)
        return "mismatch", f"returned {quoted(first.value)}; the first difference is at {comparison.path}"

    def _prove_again(self, record: FunctionRecord, index: int, results: list[tuple[Outcome, Outcome]], found: Judged) -> Judged:
        if found[0] is not None:
            return found
        return self._under_other_seeds(record, index, results[index][0]) or found

    def _under_other_seeds(self, record: FunctionRecord, index: int, outcome: Outcome) -> Judged | None:
        futures = [executor.submit(record.program, record.pairs[index].input) for executor in self._executors.more()]
        outcomes = [future.result() for future in futures]
        same = retry.first_that_differs(outcomes, lambda again: compare(again.value, outcome.value, self._rule).equal) is None
        return None if same else VARIES

    def _works_in_place(self, record: FunctionRecord, results: list[tuple[Outcome, Outcome]]) -> bool:
        """Whether the function changes its arguments. A recorded input may be one that it leaves as it is, because it was
        recorded after the change; so it is tried on variations too."""
        if any(outcome.arguments_changed for pair in results for outcome in pair):
            return True
        if all(self._equals_its_output(pair.input, pair.output) for pair in record.pairs):
            return True
        tried = ((record.program, given, None) for given in variations(record))
        return any(
            outcome is not None and outcome.arguments_changed for outcome, _ in self._one.run_many(tried, watch_arguments=True)
        )

    def _explain(self, record: FunctionRecord, index: int, outcome: Outcome) -> Judged:
        """Two runs agree with each other and not with the record: looks closer, at the price of a few more runs."""
        pair = record.pairs[index]
        watched = self._one.submit(record.program, pair.input, watch_sources=True).result()
        if watched.sources:
            return "nondeterministic", f"the call reads: {', '.join(watched.sources)}"
        varied = self._under_other_seeds(record, index, outcome)
        if varied:
            return varied
        sequence = Program(record.program.source + _IN_A_ROW.format(entry=record.program.entry), "__reexec_in_a_row")
        calls = [earlier.input for earlier in record.pairs[: index + 1]]
        for attempt in (calls, [pair.input, pair.input]):
            again = self._two.submit(sequence, {"calls": attempt}).result()
            if again.ok and not compare(again.value, outcome.value, self._rule).equal:
                return "nondeterministic", "earlier calls of the same program change the result"
        comparison = compare(outcome.value, pair.output, self._rule)
        return "mismatch", f"returned {quoted(outcome.value)}; the first difference is at {comparison.path}"

    def _equals_its_output(self, given: Any, output: Any) -> bool:
        """Whether the output is the input, or the one argument of it, or one of its arguments."""
        if compare(given, output, self._rule).equal:
            return True
        return isinstance(given, dict) and any(
            isinstance(argument, list | dict) and compare(argument, output, self._rule).equal for argument in given.values()
        )
