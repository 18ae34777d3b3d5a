"""Kills workers, jails and the host process at random, and counts what it cost: nothing may be lost, repeated or wrong.

    python -m tests.reliability.faults --seconds 600          (`make faults`)

Three parts, one after the other:

    pool     a stream of checks with known verdicts through check_many, while a process kills jails and zygotes
    checks   the same while it kills running checks: to the engine such a kill looks like a program's own, so it runs the
             check again; what is killed three times in a row is `runtime-error` with SIGKILL
    host     `reexec verify` killed at random moments while its workers are killed too, started again until it is done, and
             compared byte for byte with a run that was left in peace
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from reexec import Check, Executor, Verdict
from reexec.engine.jail import cgroup
from tests.reliability import programs
from tests.reliability.killer import Killer, kill_one
from tests.reliability.outside import Tree, assert_nothing_runs, children, groups_of, is_zombie
from tests.support.helpers import (
    example_functions,
    example_responses,
    lines_done,
    manifest_of,
    reexec_cold,
    start,
    temporary_folder,
    wait_until,
    write_rows,
)

KILLED_CHECK = "SIGKILL"
GAVE_UP = "killed from outside"
"""What an `engine-error` says whose worker was killed thirty-one times under one check: the documented end of patience."""
LATEST_S = 300.0
"""So much longer than asked for a part goes on where this machine is too busy for anything to have been hit before."""


@dataclass
class Tally:
    """What one part did and saw."""

    part: str
    seconds: float = 0.0
    kills: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    words: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)
    killed_checks: int = 0
    """Checks whose own process was killed each time; they show as runtime-error, SIGKILL."""
    kills_repeated: int = 0
    gave_up: int = 0
    retried: int = 0
    worker_deaths: int = 0
    workers_started: int = 0
    runs: int = 0
    host_kills: int = 0
    groups_left: int = 0
    """Control groups of killed hosts that waited for the next run to sweep them."""
    folders_left: int = 0
    """Temporary folders of workers that were starting when their host was killed."""

    def line(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value not in (0, {})})


class _Stream:
    """Checks for so many seconds, and until `enough` says so, all of them under kills; and the word that each must have."""

    def __init__(self, seconds: float, seed: int, killer: Killer, enough: Callable[[int], bool]) -> None:
        self._until = time.monotonic() + seconds
        self._source = programs.mixed(seed)
        self._killer, self._enough = killer, enough
        self._told = 0.0
        self.words: dict[int, str] = {}

    def checks(self) -> Iterator[Check]:
        for check, word in self._source:
            late_s = time.monotonic() - self._until
            if late_s > 0 and (late_s > LATEST_S or self._enough(len(self.words))):
                self._killer.stop()
                return
            self.words[check.id] = word
            if time.monotonic() > self._told + 0.1:
                self._told = time.monotonic()
                self._killer.goes_on()
            yield check


def pool(
    seconds: float, kinds: str = "jails,zygotes", every_s: float = 0.25, workers: int = 4, seed: int = 1, least: int = 0
) -> Tally:
    """The parts `pool` and `checks`: for so long, and until `least` checks were given and one kill was seen. Kills come no
    faster than a start takes on this machine, divided among the workers: else nothing but starts would be hit."""
    tally = Tally("checks" if kinds == "checks" else "pool")
    began = time.monotonic()
    others = children(os.getpid())
    with Executor(programs.QUICK, workers=workers) as executor:
        start_s = time.monotonic() - began

        def enough(given: int) -> bool:
            seen = executor.statistics()
            return given >= least and (seen.kills_repeated if kinds == "checks" else seen.worker_deaths) > 0

        with Killer(os.getpid(), kinds, max(every_s, start_s / 2), seed, others) as killer:
            stream = _Stream(seconds, seed, killer, enough)
            seen: list[int] = []
            for verdict in executor.check_many(stream.checks()):
                seen.append(verdict.id)
                _judge(tally, verdict, stream.words[verdict.id])
        tally.kills = killer.kills
        tally.checks = len(seen)
        tally.repeated = len(seen) - len(set(seen))
        tally.lost = len(stream.words.keys() - set(seen))
        if seen != sorted(seen):
            tally.wrong.append("verdicts came in another order than their checks")
        statistics = executor.statistics()
        tally.retried, tally.worker_deaths = statistics.retried, statistics.worker_deaths
        tally.workers_started, tally.kills_repeated = statistics.workers_started, statistics.kills_repeated
        assert statistics.submitted == len(stream.words)
        assert statistics.submitted == statistics.completed + statistics.cancelled
        assert (statistics.cancelled, statistics.worker_kills) == (0, 0)
        assert statistics.engine_errors == tally.gave_up, tally.wrong[:20]
        assert statistics.retried <= statistics.worker_deaths < statistics.workers_started
        tree = Tree.below(os.getpid(), others)
        assert len(tree.jails) <= 3 * workers
    assert_nothing_runs(os.getpid(), [*tree.jails, *tree.zygotes, *tree.checks])
    assert not groups_of(os.getpid()), "a control group was left over"
    assert not [pid for pid in children(os.getpid()) if pid not in others and is_zombie(pid)], "a zombie"
    tally.seconds = round(time.monotonic() - began, 1)
    return tally


def _judge(tally: Tally, verdict: Verdict, word: str) -> None:
    tally.words[verdict.word] = tally.words.get(verdict.word, 0) + 1
    if verdict.word == word:
        return
    outcome = verdict.outcome
    assert outcome is not None
    if tally.part == "checks" and outcome.exception is not None and outcome.exception.type == KILLED_CHECK:
        tally.killed_checks += 1
    elif verdict.word == "engine-error" and GAVE_UP in outcome.detail:
        tally.gave_up += 1
    else:
        tally.wrong.append(f"{verdict.id}: {verdict.word} ({outcome.describe()}), expected {word}")


def check_pool(tally: Tally) -> None:
    """What must hold of a tally of `pool`."""
    kills = sum(tally.kills.values())
    assert not tally.wrong, tally.wrong[:20]
    assert (tally.lost, tally.repeated) == (0, 0)
    assert kills, "nothing was killed"
    if tally.part == "pool":
        assert 0 < tally.worker_deaths <= kills
        assert tally.gave_up <= kills // 1000
    else:
        assert 0 < tally.kills_repeated <= kills
        assert tally.killed_checks <= kills // 3  # each took three; how many there are is a matter of how long checks take
        assert (tally.worker_deaths, tally.gave_up) == (0, 0)


# -- the host ---------------------------------------------------------------------------------------------------------


def host(seconds: float, folder: Path, copies: int, *, most_kills: int, sweep: bool, seed: int = 2) -> Tally:
    """The part `host`: whole runs of verify under kills, as many as fit into `seconds`, at least one, each of
    them killed `most_kills` times. With `sweep` it waits at the end until what killed hosts left is old enough to be swept."""
    tally = Tally("host")
    began = time.monotonic()
    source = random.Random(seed)
    responses = write_rows(folder / "responses.jsonl", example_responses(copies))
    functions = write_rows(folder / "functions.jsonl", example_functions(copies))
    peaceful = folder / "peaceful.jsonl"
    done = reexec_cold("verify", responses, "-f", functions, "-o", peaceful, timeout=600)
    assert done.code == 0, done.err
    hosts: list[int] = []
    folders_before = len(list(Path(temporary_folder()).glob("reexec-*")))
    while not tally.runs or time.monotonic() - began < seconds:
        output = folder / f"killed{tally.runs}.jsonl"
        command = ["verify", str(responses), "-f", str(functions), "-o", str(output), "-w", "2"]
        _until_done(command, output, most_kills, source, tally, hosts)
        assert output.read_bytes() == peaceful.read_bytes(), f"run {tally.runs} ended with other bytes"
        tally.runs += 1
        tally.checks += output.read_bytes().count(b"\n")
        for path in folder.glob(f"{output.stem}.*"):
            path.unlink()
    tally.folders_left = len(list(Path(temporary_folder()).glob("reexec-*"))) - folders_before
    tally.seconds = round(time.monotonic() - began, 1)
    if sweep:
        tally.groups_left = wait_for_sweep(
            hosts, ["verify", str(responses), "-f", str(functions), "-o", str(folder / "last.jsonl")]
        )
    return tally


def _until_done(
    command: list[str], output: Path, most_kills: int, source: random.Random, tally: Tally, hosts: list[int]
) -> None:
    """Starts the run and kills it, and its workers before, until it comes to its end."""
    done = 0
    for kill in range(most_kills + 1):
        process = start(*command)
        hosts.append(process.pid)
        saved = manifest_of(output).get("saved")
        if source.random() < 0.7:
            wait_until(partial(_came_further, process, output, done), 60, "the run comes further")
        else:  # also while it starts, and while it passes what is done
            wait_until(partial(_began, process, output, saved), 60, "the run begins")
        _kill_workers(process, source.uniform(0, 0.8), source, tally)
        if kill == most_kills:
            process.wait(300)
        if process.poll() is not None:
            _, err = process.communicate()
            assert process.returncode == 0, err
            assert_nothing_runs(process.pid, [])
            return
        process.send_signal(signal.SIGSTOP)  # so that what is below it is complete
        tree = Tree.below(process.pid)
        process.kill()
        process.communicate()
        tally.host_kills += 1
        assert_nothing_runs(process.pid, [*tree.jails, *tree.zygotes, *tree.checks])
        assert lines_done(output) >= done, "a killed run lost what it had"
        done = lines_done(output)
    raise AssertionError("the run never came to its end")


def _began(process: "subprocess.Popen[str]", output: Path, saved: float | None) -> bool:
    return process.poll() is not None or manifest_of(output).get("saved") != saved


def _came_further(process: "subprocess.Popen[str]", output: Path, lines: int) -> bool:
    return process.poll() is not None or lines_done(output) > lines


def _kill_workers(process: "subprocess.Popen[str]", seconds: float, source: random.Random, tally: Tally) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, source.expovariate(1 / 0.3)))
        kind = kill_one(process.pid, ["jails", "zygotes"], source)
        if kind is not None:
            tally.kills[kind] = tally.kills.get(kind, 0) + 1


def wait_for_sweep(hosts: list[int], command: list[str]) -> int:
    """Control groups that killed hosts left behind, before the next run of anybody swept them; of them, and of their temporary
    folders, nothing is left after one more run of `command`."""
    left = [folder for host in hosts for folder in groups_of(host)]
    waiting = [*left, *Path(temporary_folder()).glob("reexec-*")]
    until = max((folder.stat().st_mtime for folder in waiting), default=0.0) + cgroup._SETTLED_S + 0.5
    while time.time() < until:
        time.sleep(0.2)
    process = start(*command)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert not [folder for host in hosts for folder in groups_of(host)], "a dead host's group was not swept"
    assert not list(Path(temporary_folder()).glob("reexec-*")), "a dead host's temporary folder was not swept"
    return len(left)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    share = arguments.seconds / 10
    for part, seconds in (("jails,zygotes", 6 * share), ("checks", share)):
        tally = pool(seconds, part, seed=arguments.seed)
        print(tally.line(), flush=True)
        check_pool(tally)
    with tempfile.TemporaryDirectory() as folder:
        print(host(3 * share, Path(folder), copies=12, most_kills=10, sweep=True, seed=arguments.seed).line(), flush=True)


if __name__ == "__main__":
    main()
