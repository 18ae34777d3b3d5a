"""The index that is shown, and what becomes of it where the run's files change: pages say so, and a reader may have them read
again, in the background."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..reports import Figures, RunFiles, find_run
from ..reports.sources import manifest_of
from .book import Book
from .build import StoppedError, build
from .detail import Details
from .folders import Folder, state_of
from .overview import figures_of

DONE = "done"


@dataclass(frozen=True, slots=True)
class State:
    """What a page says about how fresh it is."""

    changed: bool
    """The files are others than those that were read."""
    reading: bool
    read: int
    """Rows of the reading that goes on."""
    fault: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as it was when it was read, replaced as a whole."""

    run: RunFiles
    book: Book
    details: Details
    figures: Figures
    state: str


class Session:
    def __init__(self, path: Path, tell: Callable[[], None]) -> None:
        """Opens the index of a run, or makes it first; `tell` hears of each row. Raises UsageError where there is no run."""
        self._path, self._folder = path, Folder(path)
        self._reading: threading.Thread | None = None
        self._read, self._fault = 0, ""
        self._stop = threading.Event()
        self._books: list[Book] = []
        try:
            self._open(tell)
        except BaseException:
            self._folder.close()
            raise

    def _open(self, tell: Callable[[], None]) -> None:
        run = find_run(self._path, any_stage=True)
        state = state_of(run)
        place = self._folder.find(state)
        if place is None:
            place = self._folder.make(state, lambda folder: build(run, folder, tell))
        book = Book(place)
        self._books.append(book)
        self.shown = Shown(run, book, Details(run, book), figures_of(run, book), state)

    def state(self) -> State:
        shown = self.shown
        states = [(file.path.name, (manifest_of(file.path) or {}).get("state", DONE)) for file in shown.run.turns]
        notes = [f"{name} is not finished: its run goes on, or was interrupted." for name, state in states if state != DONE]
        reading = self._reading is not None and self._reading.is_alive()
        changed = state_of(shown.run) != shown.state
        return State(changed, reading, self._read, self._fault, notes + shown.book.notes)

    def read_again(self) -> None:
        """In the background, one reading at a time; the old index is shown until the new one is there."""
        if self._reading is not None and self._reading.is_alive():
            return
        self._read, self._fault = 0, ""
        self._reading = threading.Thread(target=self._read_again, daemon=True)
        self._reading.start()

    def _read_again(self) -> None:
        try:
            self._open(self._row)
        except StoppedError:
            pass
        except Exception as error:
            self._fault = f"The run could not be read again: {error}"

    def _row(self) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._read += 1

    def close(self) -> None:
        self._stop.set()
        if self._reading is not None:
            self._reading.join(10)
        for book in self._books:
            with contextlib.suppress(Exception):
                book.close()
        self._folder.close()
