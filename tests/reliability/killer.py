"""A process that kills what runs below a host process, at random moments, until it is asked to stop.

    python -m tests.reliability.killer HOST_PID --every 0.2 --of jails,zygotes --seed 1

Ends at the end of its standard input and prints one JSON line: how often it has killed what.
"""

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.reliability.outside import Tree

ROOT = Path(__file__).parents[2]
KINDS = ("jails", "zygotes", "checks")


def kill_one(host: int, kinds: list[str], source: random.Random, but_not: Collection[int] = ()) -> str | None:
    """Kills one process of a random kind; the kind, or None where there was nothing to kill."""
    tree = Tree.below(host, but_not)
    kind = source.choice(kinds)
    candidates: list[int] = getattr(tree, kind)
    if not candidates:
        return None
    try:
        os.kill(source.choice(candidates), signal.SIGKILL)
    except ProcessLookupError:
        return None
    return kind


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
    while not select.select([sys.stdin], [], [], source.expovariate(1 / arguments.every))[0]:
        kind = kill_one(arguments.host, kinds, source, but_not)
        if kind is not None:
            kills[kind] += 1
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

    def stop(self) -> None:
        """No kill happens after it returns. A second call does nothing."""
        if self._process.returncode is None:
            out, _ = self._process.communicate()
            self.kills = json.loads(out) if self._process.returncode == 0 else {}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


if __name__ == "__main__":
    main()
