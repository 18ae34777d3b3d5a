"""The one skeleton of a stage. A stage says what becomes of a row; all around it is here: what a run opens, counts, writes and
tells, duplicates, interruption, and an exception that nobody expected.

    class Upper(Stage[Settings]):
        name, settings_type = "upper", Settings

        def row(self, row: Row) -> Result:
            return Result(row, ("upper",), [row.line.upper()], counts={"rows": 1})

    Upper.run(Path("in.jsonl"), Path("out.jsonl"), Settings())

Every stage is called with the same arguments. Input rows that cannot be used, and those on which the stage itself fails, are
rejects with a reason; the run goes on.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from .digests import key_of
from .execution import ExecutorOptions, one_result
from .rows.names import check_ours, check_theirs
from .rows.row import Result, Row, Selection
from .rows.run import StageRun, refuse_early
from .rows.text import BadRowError, parse_row
from .settings import Settings
from .texts import Texts, TextsFile

if TYPE_CHECKING:
    from reexec.engine.executor import Executor
    from reexec.policies.model import Policy


class Progress(Protocol):
    """Who is told how a run comes on."""

    def resumed(self, rows: int) -> None:
        """The run goes on after so many rows, which an earlier one has done."""

    def tell(self, word: str) -> None:
        """One more is done, and this came of it."""

    def remark(self, text: str) -> None:
        """Something to be known before the end."""


class Silent:
    """Shows nothing."""

    def resumed(self, rows: int) -> None:
        pass

    def tell(self, word: str) -> None:
        pass

    def remark(self, text: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run, those before it that it went on from included."""

    stage: str
    rows: int = 0
    """Rows of the output, or of the input that gave some; the stage says which."""
    read: int = 0
    """Lines of the input, blank ones aside."""
    used: int = 0
    """Those of them that something could be done with."""
    rejected: int = 0
    first_reject: str = ""
    """Where and why the first row was rejected."""
    unreadable: int = 0
    """Rejected lines that hold no row at all."""
    resumed_rows: int = 0
    engine_errors: int = 0
    """Rows on which the engine or the stage itself failed: nothing is said about them."""
    isolation: str | None = None
    workers: int | None = None
    left_alone: bool = False
    """Whether all was done already."""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """What this stage counts beside; tallies by word with the most frequent first."""
    passing: Mapping[str, Any] = field(default_factory=dict)
    """What only this run has done, such as requests sent."""

    @property
    def unchecked(self) -> int:
        """Rows on which an engine failed, here or in the stage before."""
        dropped = self.counts.get("dropped", {})
        return int(self.engine_errors + self.counts.get("unchecked", 0) + dropped.get("unchecked", 0))

    def lasting(self) -> dict[str, Any]:
        """What is the same however often the run was interrupted."""
        own = {"rows": self.rows, "rejected": self.rejected, "first_reject": self.first_reject}
        return {**own, "engine_errors": self.engine_errors, **self.counts}


class FirstLines:
    """Where a key came first: 100 bytes a key."""

    def __init__(self) -> None:
        self._lines: dict[bytes, int] = {}

    def note(self, key: str, row: Row) -> int:
        """The line where the key came first, this one included."""
        return self._lines.setdefault(key_of(key), row.number)

    def any_repeated(self, keys: Iterable[bytes | None], numbers: Iterable[int]) -> bool:
        """Whether an earlier line has one of the keys, given as `key_of` makes them, in the order of their lines; those up to
        the first such are noted. None stands for a line without a key."""
        lines = self._lines
        return any(
            key is not None and lines.setdefault(key, number) != number for key, number in zip(keys, numbers, strict=True)
        )

    def refuse_repeated(self, key: str, row: Row, what: str, where: str) -> None:
        """Raises BadRowError where an earlier line had the key."""
        first = self.note(key, row)
        if first != row.number:
            raise BadRowError(f"{what} line {first}, at $.{where}")


class Stage[S: Settings]:
    """Made for one run. A subclass has `row`, or `results` where rows wait for something."""

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    texts_file: ClassVar[TextsFile | None] = None
    """The template file that `settings.templates` may replace."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Fields that it reads, or passes on to stages that do; any where empty."""
    executes: ClassVar[bool] = False
    """Whether programs run: such a stage takes an executor."""
    recalls: ClassVar[bool] = False
    """Whether what an earlier call came to may stand for the execution of the same call; not where execution is the proof."""
    numbers: ClassVar[tuple[str, ...]] = ()
    tallies: ClassVar[tuple[str, ...]] = ()
    """What it counts beside rows and engine errors: numbers, and numbers by word."""
    passing: ClassVar[tuple[str, ...]] = ()
    """Numbers of one run alone."""
    counts_rows_in: ClassVar[str] = "rows"
    """The counter that is the summary's `rows`."""
    counts_used_in: ClassVar[str] = ""
    """The counter of rows that could be used; where empty, those that are no rejects."""

    def __init__(self, source: Path, output: Path, settings: S) -> None:
        self.source, self.output, self.settings = source, output, settings
        self.seen = FirstLines()
        if self.texts_file is not None:
            self.texts: Texts = self.texts_file.load(getattr(settings, "templates", None))
        self.executors: Sequence[Executor] = ()
        self.policy: Policy | None = None
        """Of the run; those of its executors may differ in their seeds."""

    # -- what a subclass says ---------------------------------------------------------------------------------

    @classmethod
    def words_a_row(cls, settings: Any) -> int:
        """How many words are told of a row, for the time that is left."""
        return 1

    def open(self, stack: ExitStack, executor: "Executor | ExecutorOptions | None") -> None:
        """Opens what the run needs; `stack` closes it."""

    def key(self) -> dict[str, Any]:
        """What decides the output beside the settings, such as the digests of files."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What is recorded and decides nothing."""
        return {}

    @property
    def side_file(self) -> Path | None:
        """A second file that the rows' `side` lines go to."""
        return None

    @property
    def also_read(self) -> tuple[Path, ...]:
        """Files that no output may replace."""
        return ()

    def note(self, row: Row) -> None:
        """A row that an earlier run has done, or that belongs to another shard: for stages that remember rows. BadRowError is
        nobody's concern here."""

    def row(self, row: Row) -> Result:
        """What comes of one row. BadRowError makes it a reject."""
        raise NotImplementedError

    def results(self, rows: Iterator[Row]) -> Iterator[Result]:
        """What comes of the rows, in their order."""
        return (one_result(row, self.row, row) for row in rows)

    def results_of(self, run: StageRun) -> Iterator[Result]:
        """What comes of a run's rows: for stages that take them in another way than one by one."""
        return self.results(run.rows())

    def conclude(self, partial: bool) -> dict[str, Any]:
        """After the last row: more for the summary's counts. `partial`: only some rows of the input were selected."""
        return {}

    def passed(self) -> dict[str, int]:
        """What this run alone has done, by the names in `passing`."""
        return {}

    # -- the run ----------------------------------------------------------------------------------------------

    @classmethod
    def run(
        cls,
        source: Path,
        output: Path,
        settings: S | None = None,
        executor: "Executor | ExecutorOptions | None" = None,
        *,
        selection: Selection | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Summary:
        """Does the stage over a file, or goes on with it. KeyboardInterrupt leaves whole files, from which the same call goes
        on.

        executor: an open one, or what it is opened with; for stages that execute programs.
        selection: which rows; all of them where None.
        overwrite: whether an output that another run made is replaced.

        Raises UsageError where nothing could be read or written.
        """
        progress = progress or Silent()
        cls.check_names(source, selection, progress)
        with ExitStack() as stack:
            stage = cls(source, output, settings if settings is not None else cls.settings_type())  # type: ignore[arg-type]
            if stage.executes:  # workers take their time to start
                stage.refuse_early(selection, overwrite)
            stage.open(stack, executor)
            run = stage.stage_run(selection, overwrite)
            if run.resumed_lines:
                progress.resumed(run.resumed_lines)
            stage.write(run, progress)
        more = stage.conclude(run.selection.partial)
        return stage.summary(run.progress.counts, run.progress.lines, run.resumed_lines, more, passing=stage.passed())

    def refuse_early(self, selection: Selection | None, overwrite: bool) -> None:
        """Raises UsageError for a mistake that shows without opening anything."""
        side = (self.side_file,) if self.side_file else ()
        refuse_early(
            self.name, self.source, self.output, selection=selection, overwrite=overwrite, side_files=side,
            also_read=self.also_read,
        )  # fmt: skip

    @classmethod
    def check_names(cls, source: Path, selection: Selection | None, progress: Progress) -> None:
        """Raises UsageError where fields are to be read that the stage, or the source, does not know."""
        if selection is not None and selection.names:
            if cls.reads:
                check_ours(selection.names, cls.reads)
            said = check_theirs(selection.names, source)
            if said:
                progress.remark(said)

    def write(self, run: StageRun, progress: Progress) -> None:
        """From the rows that are left to the end of the run, whatever ends it."""
        run.open()
        state = "interrupted"
        try:
            for result in self.results_of(run):
                run.take(result)
                for word in result.words:
                    progress.tell(word)
            state = "done"
        finally:
            run.close(state)
        if run.fault is not None:
            raise run.fault

    def stage_run(self, selection: Selection | None, overwrite: bool) -> StageRun:
        key, facts = {**self.settings.decides(), **self.key()}, self.facts()
        if self.texts_file is not None:
            key["templates"], facts["template"] = self.texts.digest, str(self.texts.path)
        if self.policy is not None:
            key |= {"policy": self.policy.digest, "python": self.executors[0].interpreter.version_text}
            facts |= {"isolation": self._isolation, "workers": self._workers, "policy": self.policy.model_dump(mode="json")}
        run = StageRun(
            self.name,
            self.source,
            self.output,
            key=key,
            facts=facts,
            selection=selection,
            overwrite=overwrite,
            side_files=(self.side_file,) if self.side_file else (),
            also_read=self.also_read,
            on_consumed=None if type(self).note is Stage.note else self._note,
        )
        run.progress.counts = self.empty_counts() | run.progress.counts
        return run

    def empty_counts(self) -> dict[str, Any]:
        return {**dict.fromkeys(("rows", "engine_errors", *self.numbers), 0), **{name: {} for name in self.tallies}}

    def _note(self, number: int, position: int, line: bytes) -> None:
        with contextlib.suppress(BadRowError):
            self.note(Row(number, line, parse_row(line), None, position))

    def summary(
        self,
        counts: Mapping[str, Any],
        read: int,
        resumed: int = 0,
        more: Mapping[str, Any] | None = None,
        *,
        passing: Mapping[str, Any] | None = None,
        left_alone: bool | None = None,
    ) -> Summary:
        """Of the counters of a run that has read so many lines, `resumed` of them before. `more` joins the stage's counts."""
        rejected = counts.get("rejected", 0)
        return Summary(
            stage=self.name,
            rows=counts[self.counts_rows_in],
            read=read,
            used=counts[self.counts_used_in] if self.counts_used_in else read - rejected,
            rejected=rejected,
            first_reject=counts.get("first_reject", ""),
            unreadable=counts.get("unreadable", 0),
            resumed_rows=resumed,
            engine_errors=counts.get("engine_errors", 0),
            isolation=self._isolation,
            workers=self._workers,
            left_alone=0 < resumed == read if left_alone is None else left_alone,
            counts={
                **{name: counts[name] for name in self.numbers},
                **{name: by_count(counts[name]) for name in self.tallies},
                **(more or {}),
            },
            passing={**dict.fromkeys(self.passing, 0), **(passing or {})},
        )

    @property
    def _isolation(self) -> str | None:
        return self.executors[0].isolation.value if self.executors else None

    @property
    def _workers(self) -> int | None:
        return sum(executor.workers for executor in self.executors) or None


def by_count(tally: Mapping[str, int]) -> dict[str, int]:
    """The most frequent words first."""
    return dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
