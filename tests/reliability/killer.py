"""A process that kills what runs below a host process, at random moments, until it is asked to stop.

    python -m tests.reliability.killer HOST_PID --every 0.2 --of jails,zygotes --seed 1

Ends at the end of its standard input and prints one JSON line: how often it has killed what. Whatever comes on its standard
input says that the host got on. Without that it kills so many and waits: on a busy machine, where starts are slow, no worker
would ever come up.
"""

import argparse
import functools
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.reliability.outside import Tree

ROOT = Path(__file__).parents[2]
KILLS_IN_A_ROW = 20
KINDS = ("jails", "zygotes", "checks")


def kill_one(host: int, kinds: list[str], source: random.Random, but_not: Collection[int] = ()) -> str | None:
    """Kills one process of a random kind; the kind, or None where there was nothing to kill."""
    tree = Tree.below(host, but_not)
    kind = source.choice(kinds)
    candidates: list[int] = getattr(tree, kind)
    if not candidates:
        return None
    return kind if kill_exactly(source.choice(candidates), kind) else None


def kill_exactly(pid: int, kind: str) -> bool:
    """Kills the process if it is what it was taken for. The descriptor holds on to the process, not to its number: a look
    at it after the descriptor was made is a look at what the signal goes to."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if kind_of(pid) != kind:
            return False
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def kind_of(pid: int) -> str | None:
    """By its numbers in the PID namespaces it is in: a jail is in one less than its zygote, which is the first of its own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    numbers = re.search(r"^NSpid:(.*)$", status, re.MULTILINE)
    inside = numbers[1].split()[len(_namespaces_of_this_process()) :] if numbers else []
    if not inside:
        return "jails"
    return "zygotes" if inside == ["1"] else "checks"


@functools.cache
def _namespaces_of_this_process() -> list[str]:
    numbers = re.search(r"^NSpid:(.*)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return numbers[1].split() if numbers else [""]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host", type=int)
    parser.add_argument("--every", type=float, default=0.2, help="mean seconds between two kills")
    parser.add_argument("--of", default="jails,zygotes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--but-not", type=int, nargs="*", default=[], help="children of the host that are no workers")
    arguments = parser.parse_args()
    kinds = arguments.of.split(",")
    assert set(kinds) <= set(KINDS)
    source = random.Random(arguments.seed)
    but_not = {os.getpid(), *arguments.but_not}
    kills = dict.fromkeys(kinds, 0)
    in_a_row = 0
    while True:
        pause = None if in_a_row >= KILLS_IN_A_ROW else source.expovariate(1 / arguments.every)
        if select.select([sys.stdin], [], [], pause)[0]:
            if not os.read(sys.stdin.fileno(), 1 << 16):
                break
            in_a_row = 0
            if pause is not None:
                time.sleep(pause)
        kind = kill_one(arguments.host, kinds, source, but_not)
        if kind is not None:
            kills[kind] += 1
            in_a_row += 1
    print(json.dumps(kills))


class Killer:
    """The process, as a context: kills from the beginning to the end of it, then `kills` says how often."""

    def __init__(self, host: int, kinds: str, every_s: float, seed: int, but_not: Collection[int]) -> None:
        self.kills: dict[str, int] = {}
        self._command = [
            sys.executable, "-m", "tests.reliability.killer", str(host),
            "--every", str(every_s), "--of", kinds, "--seed", str(seed), "--but-not", *map(str, but_not),
        ]  # fmt: skip

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
        )
        return self

    def goes_on(self) -> None:
        """The host got on."""
        if self._process.returncode is None and self._process.stdin is not None:
            self._process.stdin.write(".")
            self._process.stdin.flush()

    def stop(self) -> None:
        """No kill happens after it returns. A second call does nothing."""
        if self._process.returncode is None:
            out, _ = self._process.communicate()
            self.kills = json.loads(out) if self._process.returncode == 0 else {}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


if __name__ == "__main__":
    main()
