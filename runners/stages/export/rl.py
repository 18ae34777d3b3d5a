"""Rows for reinforcement learning: a prompt, and all that a reward function needs to judge an answer to it.

TRL hands every column of a row to the reward function by its name; verl hands it `data_source`, `reward_model.ground_truth`
and `extra_info`. So what both need is there under the names of both. `ground_truth` is JSON text: the program, the recorded
call and its output. It stays with the trainer: of it only the program and a call ever enter a sandbox.
"""

from pathlib import Path
from typing import Any

from ...records.functions import FunctionStore
from ...rows.text import BadRowError, dump
from .rows import Example

Row = dict[str, Any]
SOURCES = {"o": "reexec/output-prediction", "i": "reexec/input-prediction"}
ABILITY = "code-reasoning"


class Tasks:
    """The functions that rows are about. Raises UsageError where the file cannot be read."""

    def __init__(self, functions: Path) -> None:
        self._functions = FunctionStore(functions)
        self.digest = self._functions.digest
        self._seen: set[tuple[str, str, str]] = set()
        self._count = {"train": 0, "validation": 0}

    def is_repeated(self, example: Example) -> bool:
        """Whether an earlier row asked the same: samples of one prompt are one task."""
        asked = (example.pair_id, example.io_pred, dump([example.prompt, example.history]))
        if asked in self._seen:
            return True
        self._seen.add(asked)
        return False

    def row(self, example: Example, split: str) -> Row:
        """Raises BadRowError where the row's function or pair is not in the file."""
        truth = dump(self._truth(example))
        known = {name: getattr(example, name) for name in ("id", "function_id", "pair_id", "io_pred")}
        index = self._count[split]
        self._count[split] += 1
        asked = [{"role": "system", "content": example.system}] if example.system else []
        for question, answer in example.history:
            asked += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return {
            "data_source": SOURCES[example.io_pred],
            "prompt": [*asked, {"role": "user", "content": example.prompt}],
            "ability": ABILITY,
            "reward_model": {"style": "rule", "ground_truth": truth},
            "ground_truth": truth,
            "extra_info": {"split": split, "index": index, **known},
            **known,
            "provenance": dump(example.provenance),
        }

    def _truth(self, example: Example) -> Row:
        if example.io_pred not in SOURCES:
            raise BadRowError('io_pred must be "i" or "o", at $.io_pred')
        for name in ("function_id", "pair_id"):
            if not getattr(example, name):
                raise BadRowError(f"a reward needs to know what the row is about, at $.{name}")
        position = self._functions.position_of(example.function_id)
        if position is None:
            raise BadRowError(f"no function has the id {example.function_id!r}, at $.function_id")
        try:
            function = self._functions.at(position)
        except BadRowError as error:
            raise BadRowError(f"its function cannot be used: {error}") from None
        for pair in function.pairs:
            if pair.id == example.pair_id:
                return {
                    "io_pred": example.io_pred,
                    "refcode": function.program.source,
                    "funcname": function.program.entry,
                    "input": pair.input,
                    "output": pair.output,
                }
        raise BadRowError(f"the function has no pair with the id {example.pair_id!r}, at $.pair_id")
