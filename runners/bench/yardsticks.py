"""What our executor is measured against. Same interpreter, same prelude, BLAS and OMP threads 1, same answer check, as many
at once as there are workers.

    floor         `os.fork` + wait of a process with the zygote's imports and as much memory of its own, without the
                  zygote's huge pages (a fork copies their entries by the page; counting them would slow the floor)
    fresh         a new interpreter for every check with a 5 s wall limit, its byte code at hand: the usual method
    in-process    the same calls in one process without any isolation: the programs' own time
"""

import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reexec.engine.errors import EngineError
from reexec.engine.jail.config import environment
from reexec.engine.program import Check
from reexec.policies.model import Policy

from .methods import interpreter
from .methods.drive import plain
from .workloads import wrong_work

_FLOOR = """
import gc, os, sys, time
exec(sys.argv[1])
wanted = int(sys.argv[2])
def copied():
    sizes = dict(line.split()[:2] for line in open("/proc/self/smaps_rollup").read().splitlines()[1:])
    return 1024 * (int(sizes["Anonymous:"]) - int(sizes["AnonHugePages:"]))
ballast = []
while copied() < wanted:
    ballast.append(b"x" * 65536)
gc.collect(); gc.disable(); gc.freeze()
print(copied(), flush=True)
for line in sys.stdin:
    count = int(line)
    began = time.perf_counter()
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    print(time.perf_counter() - began, flush=True)
"""


def statements(policy: Policy, numpy: bool) -> str:
    return "\n".join(line for line in policy.prelude if numpy or "numpy" not in line)


def copied_bytes(pid: int) -> int | None:
    """Memory of a process whose page-table entries a fork copies one by one: anonymous, not on huge pages. None where this
    user may not look."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except PermissionError:
        return None
    sizes = dict(line.split()[:2] for line in lines)
    return 1024 * (int(sizes["Anonymous:"]) - int(sizes["AnonHugePages:"]))


class Floor:
    """`workers` processes that fork and wait in a loop, all at once."""

    def __init__(self, python: str, policy: Policy, workers: int, numpy: bool, copied_bytes: int) -> None:
        command = [python, "-s", "-c", _FLOOR, statements(policy, numpy), str(copied_bytes)]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(policy))
            for _ in range(workers)
        ]
        self.copied_bytes = [int(self._line(process)) for process in self._processes]

    @staticmethod
    def _line(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline()

    def forks_per_s(self, count: int) -> float:
        """All processes together, each forking `count` times."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{count}\n")
            process.stdin.flush()
        return sum(count / float(self._line(process)) for process in self._processes)

    def close(self) -> None:
        for process in self._processes:
            process.communicate()


class Fresh:
    """A new interpreter for every check. Its byte code is kept in `folder` and made before anything is measured: an environment
    that was installed without (uv does so), or that nobody may write to, would compile every module in every check."""

    def __init__(self, python: str, policy: Policy, workers: int, folder: Path) -> None:
        self._python, self._policy, self._workers = python, policy, workers
        self.environment = {**environment(policy), "PYTHONPYCACHEPREFIX": str(folder)}
        del self.environment["PYTHONDONTWRITEBYTECODE"]
        command = [python, "-s", "-c", statements(policy, True)]
        subprocess.run(command, env=self.environment, check=False, capture_output=True)

    def per_s(self, checks: Sequence[Check], *, numpy: bool, words: dict[str, int] | None = None) -> float:
        """Checks a second. Raises EngineError where the words are others than `words`, all accepted where None."""
        given = [plain(check) for check in checks]
        began = time.perf_counter()
        found = interpreter.words(given, statements(self._policy, numpy), self._workers, self._python, self.environment)
        elapsed = time.perf_counter() - began
        wrong_work(Counter(found), words or {"accepted": len(checks)})
        return len(checks) / elapsed


_SHORTEST_S = 0.1


def in_process_per_s(checks: Sequence[Check]) -> float:
    """Checks of one program a second without any isolation, in this process: all of them, again until 0.1 s are over."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(checks[0].program.source, "program.py", "exec"), names)
    function = names[checks[0].program.entry]
    pairs = [(plain(check)["call"], check.expected) for check in checks]
    began, elapsed, done, wrong = time.perf_counter(), 0.0, 0, 0
    while elapsed < _SHORTEST_S:
        wrong += sum(function(**given) != expected for given, expected in pairs)
        done += len(pairs)
        elapsed = time.perf_counter() - began
    if wrong:
        raise EngineError("a wrong answer in the run without isolation", stage="benchmark")
    return done / elapsed
