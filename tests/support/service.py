"""`reexec serve` as a real process, for tests over a socket."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.helpers import COMMAND, Row, environment, temporary_folder, wait_until

DOUBLE = {"source": "def double(n):\n    return 2 * n", "entry": "double"}


def check(n: Any, expected: Any, **more: Any) -> Row:
    return {"program": DOUBLE, "call": {"args": [n], "kwargs": {}}, "expected": expected, **more}


@dataclass
class Service:
    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def events(self, event: str = "request") -> list[Row]:
        whole = self.log.read_text().rpartition("\n")[0]  # the last line may be on its way
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def wait_for_calls(self, count: int, token: str = "") -> None:
        """Until so many calls are on their way."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        line = f"reexec_queue_calls {count:.1f}\n"
        wait_until(lambda: line in httpx.get(f"{self.url}/metrics", headers=headers, timeout=60).text, 60, line)

    def rss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 60) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout)


@contextmanager
def service(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Service]:
    """Serving on a free port of loopback; told to stop at the end, and the test fails where it then ends otherwise."""
    log = folder / f"serve-{time.monotonic_ns()}.log"
    # Its children allow few addresses on some hosts, and the policy's default is 1 GiB: what the host's tests do holds here.
    kept = {name: os.environ[name] for name in ("REEXEC_POLICY",) if name in os.environ}
    with open(log, "w") as err:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env=environment({"TMPDIR": temporary_folder(), **kept, **(env or {})}),
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("reexec: serving on http://"), log.read_text()
        found = Service(line.split()[-1], process, log)
        yield found
        if process.poll() is None:
            assert found.stop() == 0, log.read_text()[-2000:]
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()
