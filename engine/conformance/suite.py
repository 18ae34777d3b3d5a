"""The whole suite on one isolation level, and its results as a table."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reexec.policies.model import IsolationLevel

from .bench import Benches, ExecutorFactory, Result, make_executor
from .case import Case, load_cases
from .secrets import run_secrets

CASES = Path(__file__).with_name("cases")


def suite_cases() -> list[Case]:
    return list(load_cases(CASES))


def run_conformance(
    factory: ExecutorFactory = make_executor,
    isolation: IsolationLevel | str = IsolationLevel.NSJAIL,
    *,
    short: bool = False,
    cases: Iterable[Case] | None = None,
    tell: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Every case on executors that `factory(policy, isolation level)` makes; a result is as expected where `result.ok`.

    `short` leaves out what takes long. `tell` is called with each result as it comes.
    """
    isolation = IsolationLevel(isolation)
    results: list[Result] = []

    def add(result: Result) -> None:
        results.append(result)
        if tell is not None:
            tell(result)

    with _own_temporary_folder():
        _run(factory, isolation, short, cases, add)
    return results


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """So that what is left over can be counted while others use the machine. A worker's uid must be able to pass through."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="reexec-suite-") as folder:
        Path(folder).chmod(0o755)
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _run(
    factory: ExecutorFactory,
    isolation: IsolationLevel,
    short: bool,
    cases: Iterable[Case] | None,
    add: Callable[[Result], None],
) -> None:
    benches = Benches(isolation, factory)
    try:
        for case in suite_cases() if cases is None else cases:
            if case.short or not short:
                add(benches.run(case))
    finally:
        benches.close()
    if cases is None:
        for result in run_secrets(factory, isolation, short=short):
            add(result)


def exceptions(cases: Iterable[Case]) -> list[tuple[str, str, str, str]]:
    """(case, isolation level, word, reason) of everything that an isolation level cannot hold, for the threat model."""
    return [(case.id, isolation, word, case.because) for case in cases for isolation, word in sorted(case.except_on.items())]
