"""Many connections, hostile programs among them, workers that are killed: no wrong answer, no lost answer."""

import asyncio
import os
import random
import resource
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import lacking
from tests.support.service import Service, check, service

HOSTILE: list[tuple[str, set[str]]] = [
    ("import os\ndef f(n):\n    os.kill(os.getppid(), 9)\n    return n", {"accepted", "denied", "runtime-error"}),
    ("import os\ndef f(n):\n    os._exit(0)", {"early-exit"}),
    ("def f(n):\n    return 'x' * 10_000_000", {"output-limit"}),
    ("def f(n):\n    while True:\n        pass", {"cpu-limit"}),
    ("def f(n):\n    return bytearray(4 << 30)", {"memory-limit"}),
    ("import sys\ndef f(n):\n    sys.stdout.write('y' * (3 << 20))\n    return n", {"output-limit"}),
    ("import socket\ndef f(n):\n    socket.create_connection(('127.0.0.1', 1))", {"runtime-error", "denied"}),
    ("def f(n):\n    raise SystemExit(n)", {"early-exit"}),
    ("import os\ndef f(n):\n    while True:\n        os.fork()", {"runtime-error", "process-limit", "denied", "cpu-limit"}),
]
SMALL = ("--set", "limits.cpu_s=1", "--set", "limits.idle_s=1")


def hostile(index: int) -> tuple[dict[str, Any], set[str]]:
    source, words = HOSTILE[index % len(HOSTILE)]
    asked = {"program": {"source": source, "entry": "f"}, "call": {"args": [1], "kwargs": {}}, "expected": 1}
    return asked, words


async def one_client(http: httpx.AsyncClient, number: int, requests: int) -> list[str]:
    """What was wrong with the answers of one connection."""
    faults = []
    pick = random.Random(number)
    for turn in range(requests):
        if pick.random() < 0.03:
            asked, words = hostile(pick.randrange(100))
        else:
            right = pick.random() < 0.5
            asked, words = check(number, 2 * number if right else -1, id=turn), {"accepted" if right else "wrong-answer"}
        answer = await http.post("/v1/check", json=asked, headers={"x-client-id": f"c{number % 7}"})
        if answer.status_code != 200:
            faults.append(f"{answer.status_code} {answer.text[:200]}")
        elif answer.json()["word"] not in words:
            faults.append(f"{asked['program']['source']!r}: {answer.json()['word']}, {answer.json()['outcome']['detail']}")
    return faults


async def load(served: Service, connections: int, requests: int, kill: int = 0) -> list[str]:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=served.url, timeout=280, limits=limits) as http:
        killer = asyncio.ensure_future(kill_workers(served, kill))
        found = await asyncio.gather(*(one_client(http, number, requests) for number in range(connections)))
        killer.cancel()
    return [fault for faults in found for fault in faults]


async def kill_workers(served: Service, times: int) -> None:
    """kill -9 on jails and their zygotes, one process at a time. Not on a check's own: killed twice, it counts as the program's
    doing."""
    for _ in range(times):
        await asyncio.sleep(0.4)
        jails = psutil.Process(served.process.pid).children()
        below = [*jails, *(zygote for jail in jails for zygote in _children(jail))]
        if below:
            with_luck = random.Random(len(below)).choice(below)
            try:
                os.kill(with_luck.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def enough_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            lacking(f"{wanted} open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def test_200_connections_hostile_programs_and_killed_workers(tmp_path: Path) -> None:
    enough_files(1024)
    with service(tmp_path, "--workers", "2", "--quiet", *SMALL) as served:
        faults = asyncio.run(load(served, 200, 4, kill=8))
        assert not faults, "\n".join(faults[:10])
        metrics = httpx.get(f"{served.url}/metrics").text
        assert "reexec_queue_calls 0.0" in metrics
        assert "reexec_held_bytes 0.0" in metrics


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_1000_connections_and_flat_memory(tmp_path: Path) -> None:
    enough_files(4096)
    with service(tmp_path, "--workers", "2", "--quiet", *SMALL) as served:
        assert not asyncio.run(load(served, 1000, 1))
        before = served.rss_bytes()
        faults = asyncio.run(load(served, 1000, 5, kill=20))
        assert not faults, "\n".join(faults[:10])
        assert served.rss_bytes() < before + (64 << 20)


def test_kill_9_of_the_service_leaves_no_worker(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "2") as served:
        assert httpx.post(f"{served.url}/v1/check", json=check(1, 2)).json()["word"] == "accepted"
        below = psutil.Process(served.process.pid).children(recursive=True)
        assert below
        served.stop(signal.SIGKILL)
        _, alive = psutil.wait_procs(below, timeout=30)
        assert not alive
