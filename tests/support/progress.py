"""Whoever is told how a run comes on, in tests."""


class StopAfter:
    """Interrupts the run, as Ctrl-C would, when so many words were told."""

    def __init__(self, words: int) -> None:
        self.left = words

    def resumed(self, rows: int) -> None:
        pass

    def remark(self, text: str) -> None:
        pass

    def tell(self, word: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
