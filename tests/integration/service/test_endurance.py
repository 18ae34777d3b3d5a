"""Deadlines, draining, bodies that never end, readers that take nothing, crowds: in a short form, with patience of a few
seconds where the service's own is a minute. Each test also asks for one check beside the trouble, which must be answered."""

import asyncio
import json
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import lacking
from tests.support.service import Service, check, service

PATIENT = ("--head-s", "4", "--body-s", "2", "--send-s", "2")
CROWD = 300


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("endurance"), "--workers", "2", *PATIENT, "--body-bytes", "2000000") as found:
        yield found


def connect(served: Service) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    found.settimeout(60)
    return found


def head(path: str, *more: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *more, "", ""]).encode()


def rest_of(peer: socket.socket) -> bytes:
    """Until the other side ends the connection."""
    said = b""
    try:
        while part := peer.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said


def code_of(said: bytes) -> tuple[int, str]:
    status = int(said.split()[1])
    return status, str(json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"])


def is_well(served: Service) -> None:
    assert httpx.post(f"{served.url}/v1/check", json=check(1, 2), timeout=60).json()["word"] == "accepted"


def calls_are_over(served: Service) -> None:
    deadline = time.monotonic() + 30
    while "reexec_queue_calls 0.0" not in httpx.get(f"{served.url}/metrics", timeout=60).text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


# -- bodies that never end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["silent", "dribbling", "chunks"])
def test_a_body_that_does_not_come_is_ended(served: Service, kind: str) -> None:
    framing = "Transfer-Encoding: chunked" if kind == "chunks" else "Content-Length: 1000000"
    with connect(served) as peer:
        peer.sendall(head("/v1/check", framing) + (b"" if kind == "chunks" else b"{"))
        deadline = time.monotonic() + 40
        while not select.select([peer], [], [], 0.2)[0]:
            assert time.monotonic() < deadline, "it is still waiting"
            if kind != "silent":
                peer.sendall(b"1\r\n \r\n" if kind == "chunks" else b" ")
        is_well(served)
        assert code_of(rest_of(peer)) == (408, "body-too-slow")


def test_a_body_without_an_end_is_cut_at_the_cap(served: Service) -> None:
    before = served.rss_bytes()
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with connect(served) as peer:
        peer.sendall(head("/v1/check", "Transfer-Encoding: chunked"))
        deadline = time.monotonic() + 40
        try:
            while not select.select([peer], [], [], 0)[0]:
                assert time.monotonic() < deadline, "it is still taken"
                peer.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
    is_well(served)
    assert 413 in [event["status"] for event in served.events()[-5:]]
    assert served.rss_bytes() - before < 60 << 20


# -- readers that take nothing ------------------------------------------------------------------------------------------


def test_a_reader_that_takes_nothing_is_ended_with_its_calls(served: Service) -> None:
    large = {"source": "def f(n):\n    return 'x' * 100_000", "entry": "f"}
    asked = [{"program": large, "call": {"args": [n], "kwargs": {}}, "expected": None} for n in range(2000)]
    body = json.dumps({"checks": asked}).encode()
    before = len(served.events("slow-reader"))
    with connect(served) as peer:
        peer.sendall(head("/v1/checks", f"Content-Length: {len(body)}") + body)
        deadline = time.monotonic() + 60
        while len(served.events("slow-reader")) == before:
            assert time.monotonic() < deadline
            is_well(served)
            time.sleep(0.2)
    calls_are_over(served)


# -- crowds -------------------------------------------------------------------------------------------------------------


def room_for(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        lacking(f"{files} open files")
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def test_a_crowd_of_half_open_connections_holds_up_nobody(served: Service) -> None:
    """A third says nothing, a third half of a head, a third half of a body. They are ended, and cost little."""
    room_for(2 * CROWD)
    before = served.rss_bytes()
    starts = [b"", b"POST /v1/check HTTP/1.1\r\nHo", head("/v1/check", "Content-Length: 90") + b"{"]
    peers = [connect(served) for _ in range(CROWD)]
    try:
        for number, peer in enumerate(peers):
            peer.sendall(starts[number % 3])
        for _ in range(3):
            is_well(served)
        assert served.rss_bytes() - before < 60 << 20
        for peer in peers:
            rest_of(peer)  # it ends
    finally:
        for peer in peers:
            peer.close()
    is_well(served)
    lines = served.log.read_text().splitlines()
    assert all(line.startswith("{") for line in lines), "the log is JSON, whatever clients do"


def test_more_connections_than_are_kept_are_told(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "1", "--connections", "10") as served:
        peers = [connect(served) for _ in range(10)]
        try:
            deadline = time.monotonic() + 30
            while (answer := httpx.get(f"{served.url}/v1/info", timeout=60)).status_code == 200:
                assert time.monotonic() < deadline
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too-many-connections")
            assert int(answer.headers["retry-after"]) >= 1
        finally:
            for peer in peers:
                peer.close()
        deadline = time.monotonic() + 30
        while httpx.get(f"{served.url}/v1/info", timeout=60).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


# -- deadlines ----------------------------------------------------------------------------------------------------------

SLEEPS = "import time; time.sleep(8)"
NAPS = {"source": "import time\ndef f():\n    time.sleep(8)", "entry": "f"}
CALL = {"program": NAPS, "call": {"args": [], "kwargs": {}}}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/check", {**CALL, "expected": None}),
        ("/v1/execute", CALL),
        ("/run_code", {"language": "python", "code": SLEEPS}),
        ("/run_code", {"language": "bash", "code": "sleep 8"}),
        ("/test_program", {"program": SLEEPS, "tests": ["assert True"], "max_execution_time": 9}),
        ("/test_program_stdio", {"program": SLEEPS, "tests": [{"input": "", "output": ""}], "max_execution_time": 9}),
    ],
)  # fmt: skip
def test_the_services_own_deadline_ends_every_kind_of_request(impatient: Service, path: str, asked: dict[str, Any]) -> None:
    if asked.get("language") == "bash":  # its workers start first
        httpx.post(f"{impatient.url}/run_code", json={"language": "bash", "code": "true"}, timeout=60)
    began = time.monotonic()
    answer = httpx.post(f"{impatient.url}{path}", json=asked, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline-exceeded")
    assert time.monotonic() - began < 7, "the program sleeps for 8 s"
    calls_are_over(impatient)
    is_well(impatient)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("impatient"), "--workers", "1", "--request-s", "1.5") as found:
        yield found


# -- turns in other languages -------------------------------------------------------------------------------------------


def test_another_languages_bulk_does_not_hold_up_another_clients_program(served: Service) -> None:
    """60 programs of one client that sleep 0.1 s on two workers; another client's is done before half of them."""

    async def ask(http: httpx.AsyncClient, code: str, client: str) -> Any:
        asked = {"language": "bash", "code": code}
        answer = await http.post("/run_code", json=asked, headers={"x-client-id": client})
        return answer.json()["run_result"]["stdout"]

    async def both() -> int:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=served.url, timeout=120, limits=limits) as http:
            await ask(http, "true", "bulk")
            bulk = [asyncio.ensure_future(ask(http, f"sleep 0.1; echo {n}", "bulk")) for n in range(60)]
            await asyncio.wait(bulk, return_when=asyncio.FIRST_COMPLETED)
            assert await ask(http, "echo one", "single") == "one\n"
            before = sum(each.done() for each in bulk)
            assert await asyncio.gather(*bulk) == [f"{n}\n" for n in range(60)]
        return before

    assert asyncio.run(both()) < 30


# -- the end ------------------------------------------------------------------------------------------------------------


def test_sigterm_waits_for_programs_in_every_language(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "2") as served:
        url = f"{served.url}/run_code"
        httpx.post(url, json={"language": "bash", "code": "true"}, timeout=60)
        answers: dict[str, Any] = {}

        def ask(language: str, code: str) -> None:
            answers[language] = httpx.post(url, json={"language": language, "code": code}, timeout=60).json()

        asked = [("python", "import time\ntime.sleep(2)\nprint('done')"), ("bash", "sleep 2; echo done")]
        threads = [threading.Thread(target=ask, args=each) for each in asked]
        for thread in threads:
            thread.start()
        served.wait_for_calls(2)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
        for thread in threads:
            thread.join()
        assert {language: answer["run_result"]["stdout"] for language, answer in answers.items()} == {
            "python": "done\n",
            "bash": "done\n",
        }
        assert served.events("ended")


def test_what_is_left_after_the_time_to_drain_is_told_in_every_language(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "1", "--drain-s", "1") as served:
        url = f"{served.url}/run_code"
        httpx.post(url, json={"language": "bash", "code": "true"}, timeout=60)
        answers: list[httpx.Response] = []
        asked = {"language": "bash", "code": "sleep 9"}
        thread = threading.Thread(target=lambda: answers.append(httpx.post(url, json=asked, timeout=60)))
        thread.start()
        served.wait_for_calls(1)
        assert served.stop() == 0
        thread.join()
        assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "shutting-down")
