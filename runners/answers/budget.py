"""How much may be read of a text: what makes the time of `extract_answer` linear, whatever stands in the text.

Owns the numbers. Reading costs one step for a token, an escape or a mark of thinking and four for a brace that is tried
(about a microsecond each in Python), and next to nothing for the characters in between, which the regular expression engine
and JSON's own reader pass over. A recorded value has fewer than a hundred tokens; objects that do not hold the key are passed
over in most texts (`passing.py`).
"""

from typing import Final

_STEPS: Final = 3_000
_CHARACTERS_PER_STEP: Final = 100
_TIMES: Final = 24
"""How often the characters of a text may be passed over, on the average."""

EXHAUSTED: Final = "too many brackets and quotes to be read"


class Budget:
    """What is left; `is_spent` once there was not enough."""

    __slots__ = ("characters", "steps")

    def __init__(self, length: int) -> None:
        self.steps = _STEPS + length // _CHARACTERS_PER_STEP
        self.characters = _TIMES * length + 1000

    def take(self, steps: int, characters: int = 0) -> None:
        self.steps -= steps
        self.characters -= characters

    @property
    def is_spent(self) -> bool:
        return self.steps < 0 or self.characters < 0
