"""A clock that jumps: the wall clock of the whole machine is set a day forth and back while files are verified and audited.

    .venv/bin/python scripts/vm.py "root .venv/bin/python -m tests.reliability.clock"

Only on a machine of its own: scripts/vm.py says that it is one. The files must be those of runs that were left in peace.
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.support.helpers import FUNCTIONS, example_responses, reexec_cold, write_rows

STEP_S, PAUSE_S = 86_400, 0.3


class Jumps:
    """Steps the wall clock forth and back by a day, until the context ends; then it is right again."""

    def __init__(self) -> None:
        self.count = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._jump)

    def _jump(self) -> None:
        ahead = 0
        while not self._ended.wait(PAUSE_S) or ahead:
            step = -STEP_S if ahead else STEP_S
            time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
            ahead += step
            self.count += 1

    def __enter__(self) -> "Jumps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def run(folder: Path, responses: Path) -> tuple[bytes, bytes]:
    folder.mkdir()
    verified, audited = folder / "verified.jsonl", folder / "report.jsonl"
    commands: list[list[str | Path]] = [
        ["verify", responses, "-f", FUNCTIONS, "-o", verified],
        ["audit", FUNCTIONS, "-o", audited],
    ]
    for command in commands:
        done = reexec_cold(*command, "--set", "limits.cpu_s=60", "--set", "limits.idle_s=60", timeout=1800)
        assert done.code == 0, done.err
    return verified.read_bytes(), audited.read_bytes()


def main() -> None:
    if os.environ.get("REEXEC_VM") != "1":
        sys.exit("clock.py: it sets the clock of the whole machine; scripts/vm.py gives it one of its own")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        responses = write_rows(folder / "responses.jsonl", example_responses())
        peace = run(folder / "peace", responses)
        with Jumps() as jumps:
            jumped = run(folder / "jumped", responses)
        same = jumped == peace
        print(json.dumps({"part": "clock", "steps": jumps.count, "step_s": STEP_S, "same": same}), flush=True)
        assert same
        assert jumps.count >= 10


if __name__ == "__main__":
    main()
