"""Starts that are slow, stopped or killed, however fast this machine is: none of it is a failed start. What is really broken is
told at once and with its reason."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reexec import Executor
from reexec.engine.errors import EngineError
from reexec.engine.jail.interpreter import Interpreter, ask
from reexec.engine.jail.launch import Launched
from reexec.engine.jail.levels import backend_of
from reexec.engine.pool import fleet, loop
from reexec.engine.pool.loop import Loop
from reexec.engine.pool.starts import KILLED_STARTS_ALLOWED
from reexec.policies.model import IsolationLevel
from tests.reliability.outside import children, wait_until
from tests.reliability.test_lying_workers import DOUBLE, POLICY, outcomes

WAIT_S = 120


@contextmanager
def pool_of(start: str, folder: Path) -> Iterator[Loop]:
    """A pool of one worker, in whose interpreter's place a shell runs `start` first."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\n{start}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    made = Loop(POLICY, Interpreter(str(script), sys.version_info[:3], ()), IsolationLevel.NONE, 1)
    try:
        yield made
    finally:
        made.stop()


def test_a_start_that_is_stopped_for_longer_than_it_may_take_comes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "START_S", 6.0)
    note = tmp_path / "pid"
    with pool_of(f"echo $$ > {note}.new; mv {note}.new {note}; kill -STOP $$", tmp_path) as made:

        def go_on() -> None:
            wait_until(note.exists, WAIT_S, "it stops")
            time.sleep(8)
            os.kill(int(note.read_text()), signal.SIGCONT)

        thread = threading.Thread(target=go_on)
        thread.start()
        made.start()
        thread.join()
        assert made.statistics().workers_started == 1
        assert [outcome.value for outcome in outcomes(made, 3)] == [0, 2, 4]


def test_a_start_that_does_nothing_is_given_up_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "START_S", 0.5)
    with pool_of("exec sleep 600", tmp_path) as made, pytest.raises(EngineError, match="no hello within"):
        made.start()


def test_a_broken_interpreter_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pool_of("echo 'no such library' >&2; exit 1", tmp_path) as made, pytest.raises(EngineError, match="no such library"):
        made.start()


def killing(times: int, monkeypatch: pytest.MonkeyPatch, victim: Callable[[Launched], int]) -> list[int]:
    """The next so many workers of nsjail's are killed as soon as they are there; their numbers."""
    backend = backend_of(IsolationLevel.NSJAIL)
    launch, killed = type(backend).launch, list[int]()

    def launch_and_kill(self: object, *arguments: object) -> Launched:
        launched = launch(backend, *arguments)  # type: ignore[arg-type]
        if len(killed) < times:
            killed.append(victim(launched))
            os.kill(killed[-1], signal.SIGKILL)
        return launched

    monkeypatch.setattr(type(backend), "launch", launch_and_kill)
    return killed


def jail(launched: Launched) -> int:
    return launched.process.pid


def zygote(launched: Launched) -> int:
    wait_until(lambda: children(launched.process.pid), WAIT_S, "nsjail makes its child")
    return children(launched.process.pid)[0]


def executor_of_one() -> Executor:
    return Executor(POLICY, workers=1, isolation="nsjail")


@pytest.mark.parametrize("victim", [jail, zygote])
def test_a_first_start_that_is_killed_is_made_again(victim: Callable[[Launched], int], monkeypatch: pytest.MonkeyPatch) -> None:
    killed = killing(3, monkeypatch, victim)
    with executor_of_one() as executor:
        assert len(killed) == 3
        assert executor.submit(DOUBLE, [21]).result(WAIT_S).value == 42
        assert executor.statistics().workers_started == 4


def test_a_host_that_kills_every_first_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = killing(1000, monkeypatch, jail)
    with pytest.raises(EngineError, match="killed from outside"):
        executor_of_one()
    assert len(killed) == KILLED_STARTS_ALLOWED + 1


def test_any_number_of_kills_while_workers_start_costs_no_check_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    with executor_of_one() as executor:
        assert executor.submit(DOUBLE, [1]).result(WAIT_S).value == 2
        killed = killing(KILLED_STARTS_ALLOWED + 10, monkeypatch, jail)
        os.kill(executor.worker_pids()[0], signal.SIGKILL)
        futures = [executor.submit(DOUBLE, [n]) for n in range(20)]
        assert [future.result(300).value for future in futures] == [2 * n for n in range(20)]
        assert len(killed) == KILLED_STARTS_ALLOWED + 10
        assert executor.statistics().engine_errors == 0


def test_a_zygote_killed_before_nsjail_has_told_it_to_begin_is_no_broken_host() -> None:
    log = (
        f"[E][2026-11-27T06:56:26+0000][16073] initParent():461 {fleet.ENDED_AMID_START}\n[E] Couldn't launch the child process"
    )
    for level, error in ((IsolationLevel.NSJAIL, False), (IsolationLevel.NONE, True)):
        workers = fleet.Fleet(POLICY, ask(), level, 1, lambda worker: None, lambda worker: None)
        assert bool(workers.start_failed(frozenset(), False, log, "the worker hung up")) is error


def test_a_killed_zygote_whose_nsjail_is_stopped_was_killed_from_outside() -> None:
    with executor_of_one() as executor:
        assert executor.submit(DOUBLE, [1]).result(WAIT_S).value == 2
        worker = executor._loop._workers[0]
        ask_fleet = executor._loop._fleet._exit_status_if_gone
        assert ask_fleet(worker, hung_up=False) is None
        os.kill(worker.launched.process.pid, signal.SIGSTOP)
        os.kill(executor.worker_pids()[0], signal.SIGKILL)
        status = ask_fleet(worker, hung_up=False)
        os.kill(worker.launched.process.pid, signal.SIGCONT)
        assert status == 128 + signal.SIGKILL
        assert executor.submit(DOUBLE, [2]).result(WAIT_S).value == 4
