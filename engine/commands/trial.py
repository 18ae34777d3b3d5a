"""Whether a language that is here works here: a program of its toolchain file, compiled and run as any other."""

from dataclasses import dataclass
from typing import Final

from ..outcome import Outcome

GIVEN: Final = "40 2\n"
_WANTED: Final = "42\n"
_MOST_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """`fault` says what the program came to, "" where it did what it should."""

    fault: str = ""
    wall_s: float = 0.0


def trial_of(outcome: Outcome) -> Trial:
    if outcome.ok and outcome.stdout == _WANTED:
        return Trial(wall_s=outcome.usage.wall_s)
    wrote = f", and wrote {outcome.stdout[:100]!r}" if outcome.ok else ""
    said = f"{outcome.describe()[:_MOST_CHARACTERS]}{wrote} {outcome.stderr[:_MOST_CHARACTERS]}"
    return Trial(f"a program that adds 40 and 2 came to: {said}".rstrip())
