"""Why a function, a generator's call or a pair is dropped: one closed list, in the words of the audit where it has them.

A function is kept with two pairs. One that is dropped has the reason that most of its calls and pairs had, or
`too-few-inputs` where its generator gave too few distinct ones and nothing was wrong with them.
"""

from collections.abc import Mapping

from ...proof.reasons import LIMITS

ROW_REASONS = {
    "no-response": "the row holds no text of a model, or fields of the wrong kind",
    "no-main-function": "no python code with `def main_solution` under `## Main Function`",
    "no-description": "nothing under `## Input Output Description`",
    "no-input-generator": "no python code with the generator's function under `## Input Generator`",
    "no-problem-statement": "nothing under `## Problem Statement`",
}
CALL_REASONS = {
    "repeated-input": "a generator's call gave an input that was there already",
    "input-too-large": "the input does not pass the size rule",
    "generator-exception": "a generator's call raised",
    "generator-missing-module": "the code or a generator's call needs a module that the interpreter lacks",
    "generator-bad-result": "a generator's call gave something else than an object of arguments that JSON can say",
    "generator-varies": "a generator's call with the same seed gave another input in another run",
    "generator-reads-clock": "the generator's inputs depend on the clock",
} | {f"generator-{word}": f"a generator's call, or the code around it, ended in {word}" for word in sorted(LIMITS)}
PAIR_REASONS = {
    "exception": "the function raised",
    "missing-module": "the function needs a module that the interpreter lacks",
    "nondeterministic": "under other seeds the function returned something else",
    "reads-clock": "under another clock the function returned something else",
    "mutates-input": "the call changed its arguments, and such pairs were not wanted",
    "no-output": "the function returned None",
    "output-too-large": "the output does not pass the size rule",
} | {word: f"the call ended in {word}" for word in sorted(LIMITS)}
FUNCTION_REASONS = {"too-few-inputs": "the generator gave fewer than two distinct inputs"}

REASONS = ROW_REASONS | CALL_REASONS | PAIR_REASONS | FUNCTION_REASONS


def of_function(dropped: Mapping[str, int]) -> str:
    """The reason of a function that has fewer than two proven pairs: what most of its pairs died of, else of its calls."""
    for words in (PAIR_REASONS, CALL_REASONS.keys() - {"repeated-input"}):
        found = [word for word in dropped if word in words]
        if found:
            return min(found, key=lambda word: (-dropped[word], word))
    return "too-few-inputs"
