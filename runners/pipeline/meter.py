"""What the pipeline tells whoever shows its progress."""

from typing import Protocol


class Meter(Protocol):
    """Of one stage."""

    def tell(self, word: str) -> None:
        """A row is done, and this came of it."""

    def resumed(self, rows: int) -> None:
        """The stage goes on after so many rows."""


class Silent:
    """Shows nothing."""

    def tell(self, word: str) -> None:
        pass

    def resumed(self, rows: int) -> None:
        pass
