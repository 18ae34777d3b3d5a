"""A generator's calls in the jail: many to a fork, each under a seed of its own.

The program that runs is composed here: the function's code, the generator's code and a driver that calls the generator,
writes each input as JSON text and goes on after a call that fails. Every call is seeded by (policy's seed, function, number
of the call), so its input does not depend on how calls are spread over forks. A round runs twice, under different hash
seeds and addresses; an input counts where both gave it, in the same call.

Entropy is a stream that the driver seeds for each call, the same on both sides: what a generator draws from the system is as
reproducible as what it draws from `random`. What still differs between two runs of the same side has a source that nothing
here seeds; of such a generator no call counts, because those that agree do so by luck. A repeated input says of which call,
so that two runs that draw from few values in another order are seen to differ.

What comes back was written beside the generator's code: it is text, read as JSON and measured here.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from reexec.engine.decoding import UnreadableError, read_json
from reexec.engine.judging.size_guard import check_size
from reexec.engine.outcome import Outcome
from reexec.engine.program import Program
from reexec.policies.size import SizeRule

from ...proof.pairs import Input
from ...proof.patterns import CLOCK
from ...rows.text import canonical
from .readers import Source

_DRIVER = """

def __reexec_inputs(seed, first, count, want, longest):
    import json, os, random, sys

    reseed = getattr(os.urandom, "reseed", None)

    def plain(value):
        if hasattr(value, "tolist"):
            return value.tolist()
        raise TypeError("%s cannot be written as JSON" % type(value).__name__)

    answers, seen = [], {}
    for index in range(first, first + count):
        key = "%s:%d" % (seed, index)
        random.seed(key)
        if reseed is not None:
            reseed(key)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(random.Random(key).getrandbits(32))
        try:
            value = {call}
        except BaseException as error:
            module = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
            answers.append(["missing-module", str(module)] if module else ["exception", type(error).__name__])
            continue
        try:
            text = json.dumps(value, default=plain)
        except BaseException:
            answers.append(["bad-result", ""])
            continue
        if len(text) > longest:
            answers.append(["too-large", ""])
        elif text in seen:
            answers.append(["repeated", str(seen[text])])
        else:
            answers.append(["value", text])
            seen[text] = index
            if len(seen) >= want:
                break
    return answers
"""
LONGEST_PER_BYTE = 8
"""Characters of JSON that a byte of a value can make: six for one of Latin-1, and some white space."""


def driver(source: Source) -> Program:
    """The program of a function's generator calls."""
    parts = (source.program.source, "\n\n", source.between, source.inputgencode, _DRIVER.replace("{call}", source.call))
    return Program("".join(parts), "__reexec_inputs")


def seed_of(random_seed: int, program_id: str) -> str:
    """What the seeds of a function's generator calls begin with."""
    return hashlib.blake2b(f"{random_seed}\0{program_id}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a generator gave: an Input, or a reason of reasons.CALL_REASONS and a word on it."""

    given: Input | None
    reason: str = ""
    detail: str = ""


def read_round(one: Outcome, two: Outcome, rule: SizeRule) -> list[Call] | Call:
    """The calls of a round that ran twice, or why the round as a whole gave nothing."""
    for outcome in (one, two):
        if outcome.kind != "value":
            exception = outcome.exception
            if exception is not None and exception.missing_module:
                return Call(None, "generator-missing-module", exception.missing_module)
            same = one.describe() == two.describe()
            return Call(None, f"generator-{outcome.kind}", outcome.describe() if same else "")
    if not (isinstance(one.value, list) and isinstance(two.value, list) and one.value):
        return Call(None, "generator-bad-result", "the code around the generator took its place")
    # The second may have stopped elsewhere, where its inputs differ: what it lacks differs.
    others = two.value + [None] * (len(one.value) - len(two.value))
    if CLOCK in two.sources and one.value != two.value:
        return Call(None, "generator-reads-clock")  # where the clock shows in some calls, others agree by luck
    return [_read_call(mine, other, rule) for mine, other in zip(one.value, others, strict=False)]


def _read_call(mine: Any, other: Any, rule: SizeRule) -> Call:
    if mine != other:
        return Call(None, "generator-varies")
    match mine:
        case ["value", str(text)]:
            return _read_input(text, rule)
        case ["too-large", _]:
            return Call(None, "input-too-large")
        case ["repeated", _]:
            return Call(None, "repeated-input")
        case ["missing-module", str(name)]:
            return Call(None, "generator-missing-module", name[:200])
        case ["exception", str(name)]:
            return Call(None, "generator-exception", name[:200])
    return Call(None, "generator-bad-result")


def _read_input(text: str, rule: SizeRule) -> Call:
    try:
        value = read_json(text.encode("ascii"))
    except (UnreadableError, UnicodeEncodeError) as error:
        return Call(None, "generator-bad-result", type(error).__name__)
    if not isinstance(value, dict):
        return Call(None, "generator-bad-result", "not an object of arguments")
    finding = check_size(value, rule)
    if finding is not None:
        return Call(None, "input-too-large", str(finding))
    return Call(Input(value, canonical(value)))
