"""Many connections at once, hostile programs, slow readers, half-open requests and endless bodies among them, while workers are
killed: no wrong answer, no lost answer, nothing left in the books, flat memory."""

import os
import random
import resource
import signal
import time
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import lacking
from tests.support.crowd import BATCH, Crowd, Heard
from tests.support.helpers import wait_until
from tests.support.service import Service, check, service

SMALL = ("--set", "limits.cpu_s=1", "--set", "limits.idle_s=1")
PATIENT = ("--head-s", "8", "--body-s", "5", "--send-s", "60")
KILL_EVERY_S = 0.4


def load(served: Service, connections: int, requests: int, kills: int = 0) -> Heard:
    """What a crowd heard; so many workers are killed meanwhile."""
    with closing(Crowd(f"127.0.0.1:{served.port}", connections, requests)) as crowd:
        crowd.go()
        killed = 0
        while crowd.is_going and killed < kills:
            time.sleep(KILL_EVERY_S)
            killed += kill_a_worker(served, random.Random(killed))
        return crowd.heard()


def kill_a_worker(served: Service, pick: random.Random) -> int:
    """kill -9 on a jail or its zygote. Not on a check's own process: killed twice, it counts as the program's doing."""
    jails = psutil.Process(served.process.pid).children()
    below = [*jails, *(zygote for jail in jails for zygote in _children(jail))]
    if not below:
        return 0
    try:
        os.kill(pick.choice(below).pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def room_for(files: int) -> None:
    """Of the service, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        lacking(f"{files} open files")
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def all_were_answered(heard: Heard, connections: int, requests: int) -> None:
    assert not heard.faults, "\n".join(heard.faults[:10])
    fifty = connections // 50
    others = {"batch": 4 * fifty * max(1, requests // 4), "half a head": 3 * fifty, "endless body": 3 * fifty}
    assert {name: heard.answered.pop(name) for name in others} == others
    assert heard.answered.total() == 40 * fifty * requests


def nothing_is_left(served: Service) -> None:
    def text() -> str:
        return httpx.get(f"{served.url}/metrics", timeout=60).text

    wait_until(lambda: "reexec_queue_calls 0.0\n" in (now := text()) and "reexec_held_bytes 0.0\n" in now, 60)
    answer = httpx.post(f"{served.url}/v1/check", json=check(1, 2), timeout=60)
    assert answer.json()["word"] == "accepted"


def test_200_connections_and_killed_workers(tmp_path: Path) -> None:
    room_for(1024)
    with service(tmp_path, "--workers", "2", "--quiet", *SMALL, *PATIENT) as served:
        all_were_answered(load(served, 200, 3, kills=8), 200, 3)
        nothing_is_left(served)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_1000_connections_and_flat_memory(tmp_path: Path) -> None:
    room_for(4096)
    with service(tmp_path, "--workers", "2", "--quiet", *SMALL, *PATIENT) as served:
        sizes = []
        for kills in (0, 20, 20):
            all_were_answered(load(served, 1000, 4, kills), 1000, 4)
            nothing_is_left(served)
            sizes.append(served.rss_bytes() >> 20)
        print(f"1,000 connections three times, {800 * 4 + 80 * BATCH:,} checks each; MiB after each: {sizes}")
        assert sizes[2] < sizes[0] + 32


def test_kill_9_of_the_service_leaves_no_worker(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "2") as served:
        assert httpx.post(f"{served.url}/v1/check", json=check(1, 2)).json()["word"] == "accepted"
        below = psutil.Process(served.process.pid).children(recursive=True)
        assert below
        served.stop(signal.SIGKILL)
        _, alive = psutil.wait_procs(below, timeout=30)
        assert not alive
