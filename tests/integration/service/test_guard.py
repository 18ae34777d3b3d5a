"""Who is served, how much at a time, and what becomes of clients that misbehave."""

import gzip
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.helpers import reexec, wait_until
from tests.support.service import DOUBLE, Service, check, service

TOKENS = ("first-token-0123456789", "second-token-0123456789")
NAP = {"source": "import time\ndef nap(s):\n    time.sleep(s)\n    return s", "entry": "nap"}


def nap(seconds: float) -> dict[str, Any]:
    return {"program": NAP, "call": {"args": [seconds], "kwargs": {}}, "expected": seconds}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With tokens and small caps."""
    arguments = ("--workers", "1", "--body-bytes", "20000", "--calls", "20", "--client-calls", "12")
    with service(tmp_path_factory.mktemp("small"), *arguments, env={"REEXEC_TOKEN": ",".join(TOKENS)}) as found:
        yield found


@pytest.fixture(scope="module")
def open_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Without tokens."""
    with service(tmp_path_factory.mktemp("open"), "--workers", "2", "--head-s", "4", "--set", "limits.idle_s=60") as found:
        yield found


def bearer(token: str = TOKENS[0], **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}


# -- who ------------------------------------------------------------------------------------------------------------


def test_without_the_token_only_health_is_told(small: Service) -> None:
    assert httpx.get(f"{small.url}/v1/health").status_code == 200
    for path in ("/v1/info", "/metrics", "/openapi.json", "/nix"):
        answer = httpx.get(small.url + path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for wrong in (
        "",
        "Bearer",
        f"Bearer {TOKENS[0]}x",
        f"Bearer {TOKENS[0][:-1]}",
        "Basic !!",
        f"Token {TOKENS[0]}",
    ):
        answer = httpx.post(f"{small.url}/v1/check", json=check(1, 2), headers={"authorization": wrong})
        assert answer.status_code == 401, wrong


@pytest.mark.parametrize("token", TOKENS)
def test_each_token_opens(small: Service, token: str) -> None:
    assert httpx.post(f"{small.url}/v1/check", json=check(1, 2), headers=bearer(token)).json()["word"] == "accepted"


def test_a_token_can_travel_in_a_url(small: Service) -> None:
    url = small.url.replace("http://", f"http://any:{TOKENS[1]}@")
    assert httpx.post(f"{url}/v1/check", json=check(1, 2)).json()["word"] == "accepted"


def test_a_client_id_is_a_short_name(small: Service) -> None:
    answer = httpx.post(f"{small.url}/v1/check", json=check(1, 2), headers=bearer(**{"x-client-id": "a b"}))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8317"}, 200),
        ({"host": "[::1]:8317"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_without_tokens_no_web_page_is_served(open_one: Service, headers: dict[str, str], status: int) -> None:
    assert httpx.get(f"{open_one.url}/v1/info", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("--host", "0.0.0.0"), {}, "REEXEC_TOKEN"),
        (("--host", "::"), {}, "REEXEC_TOKEN"),
        (("--host", "example.org"), {}, "REEXEC_TOKEN"),
        ((), {"REEXEC_TOKEN": "short"}, "at least 16"),
        ((), {"REEXEC_TOKEN": " , "}, "holds no token"),
        (("--port", "70000"), {}, "--port 70000"),
        (("--calls", "0"), {}, "--calls 0"),
        (("--policy", "nix"), {}, "nix"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(arguments: tuple[str, ...], env: dict[str, str], said: str) -> None:
    done = reexec("serve", *arguments, env=env)
    assert done.code == 2
    assert said in done.one_line()


def test_a_port_that_is_taken_is_said(open_one: Service) -> None:
    done = reexec("serve", "--port", str(open_one.port), "--workers", "1", "--set", "limits.memory_bytes=192MiB")
    assert done.code == 2
    assert "cannot be bound (Address already in use)" in done.one_line()


# -- how much -------------------------------------------------------------------------------------------------------


def test_a_body_over_the_cap_is_refused(small: Service) -> None:
    long = json.dumps(check("x" * 30_000, "")).encode()
    for content in (long, iter([long[:9000]] * 5)):  # with its length told, and without
        answer = httpx.post(f"{small.url}/v1/check", content=content, headers=bearer())
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body-too-large")


def test_too_many_checks_of_a_request_are_refused(small: Service) -> None:
    answer = httpx.post(f"{small.url}/v1/checks", json={"checks": [check(1, 2)] * 13}, headers=bearer())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too-many-checks")


def test_a_full_queue_says_when_to_come_again(small: Service) -> None:
    """12 calls of one token are all it gets, under whatever names; 20 of all are all there are."""
    found: list[httpx.Response] = []

    def batch(token: str, name: str, count: int) -> None:
        body = {"checks": [nap(0.3)] * count, "timeout_s": 60}
        headers = bearer(token, **{"x-client-id": name})
        found.append(httpx.post(f"{small.url}/v1/checks", json=body, headers=headers, timeout=60))

    threads = [
        threading.Thread(target=batch, args=(TOKENS[0], "a", 10)),
        threading.Thread(target=batch, args=(TOKENS[1], "", 8)),
    ]
    for thread in threads:
        thread.start()
    small.wait_for_calls(18, TOKENS[0])
    own = httpx.post(f"{small.url}/v1/checks", json={"checks": [check(1, 2)] * 3}, headers=bearer(**{"x-client-id": "b"}))
    all_of_them = httpx.post(f"{small.url}/v1/checks", json={"checks": [check(1, 2)] * 3}, headers=bearer(TOKENS[1]))
    for thread in threads:
        thread.join()
    assert (own.status_code, own.json()["error"]["code"]) == (429, "too-many-requests")
    assert (all_of_them.status_code, all_of_them.json()["error"]["code"]) == (503, "queue-full")
    assert 1 <= int(own.headers["retry-after"]) <= 60
    assert [one.status_code for one in found] == [200, 200]
    assert {one["word"] for answer in found for one in answer.json()["verdicts"]} == {"accepted"}


def test_a_short_request_need_not_wait_for_anothers_batch(open_one: Service) -> None:
    """200 naps of 50 ms by one client take 5 s on two workers; another client's check takes its turn between them."""
    batch = {"checks": [nap(0.05)] * 200}
    answers: list[httpx.Response] = []

    def bulk() -> None:
        answers.append(httpx.post(f"{open_one.url}/v1/checks", json=batch, headers={"x-client-id": "bulk"}, timeout=120))

    thread = threading.Thread(target=bulk)
    thread.start()
    open_one.wait_for_calls(200)
    began = time.monotonic()
    for _ in range(3):
        answer = httpx.post(f"{open_one.url}/v1/check", json=check(1, 2), headers={"x-client-id": "one"}, timeout=60)
        assert answer.json()["word"] == "accepted"
    done = time.monotonic()
    thread.join()
    assert done - began < time.monotonic() - done, "they waited for most of the batch"
    assert [one["word"] for one in answers[0].json()["verdicts"]] == ["accepted"] * 200


# -- clients that misbehave -----------------------------------------------------------------------------------------


def connect(served: Service) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", served.port), timeout=60)
    found.settimeout(60)
    return found


def ended_after(peer: socket.socket) -> float:
    """Seconds until the other side ends the connection."""
    began = time.monotonic()
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - began


def test_half_open_requests_are_ended_and_others_served(open_one: Service) -> None:
    starts = [b"", b"POST /v1/check HTTP/1.1\r\nHost: loc", b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/he"]
    peers = [connect(open_one) for _ in starts]
    for peer, start in zip(peers, starts, strict=True):
        peer.sendall(start)
    assert httpx.post(f"{open_one.url}/v1/check", json=check(1, 2)).json()["word"] == "accepted"
    for peer in peers:
        assert ended_after(peer) < 25
        peer.close()


def test_a_request_has_a_name_in_its_answer_and_in_the_log(small: Service) -> None:
    own = httpx.post(f"{small.url}/v1/check", json=check(1, 2), headers=bearer(**{"x-request-id": "run-7.step:12"}))
    assert own.headers["x-request-id"] == "run-7.step:12"
    made = [
        httpx.get(f"{small.url}/v1/health").headers["x-request-id"],
        httpx.get(f"{small.url}/v1/info").headers["x-request-id"],  # refused
        httpx.get(f"{small.url}/nothing", headers=bearer()).headers["x-request-id"],
        httpx.post(f"{small.url}/v1/checks", json={"checks": [check(1, 2)]}, headers=bearer()).headers["x-request-id"],
        httpx.get(f"{small.url}/v1/health", headers={"x-request-id": 'a b; "c"'}).headers["x-request-id"],
        httpx.get(f"{small.url}/v1/health", headers={"x-request-id": "x" * 65}).headers["x-request-id"],
    ]
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in made)
    assert len(set(made)) == len(made)
    wait_until(lambda: {"run-7.step:12", *made} <= {line["id"] for line in small.events()})


def test_a_compressed_body_is_refused_with_its_reason(open_one: Service) -> None:
    body = gzip.compress(json.dumps(check(1, 2)).encode())
    answer = httpx.post(f"{open_one.url}/v1/check", content=body, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported-encoding")
    plain = httpx.post(f"{open_one.url}/v1/check", json=check(1, 2), headers={"content-encoding": "Identity"})
    assert plain.json()["word"] == "accepted"


def test_what_is_no_route_is_said_and_leads_nowhere_else(open_one: Service) -> None:
    for path in ("/v1/check/", "/v2/check", "/", "//evil.example/", "/v1/%63heck%00"):
        answer = httpx.post(open_one.url + path, json=check(1, 2))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not-found")
        assert "/openapi.json" in answer.json()["error"]["message"]
        assert "location" not in answer.headers
    answer = httpx.get(f"{open_one.url}/v1/check")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["message"] == "this route takes POST"


def test_health_can_be_asked_for_without_a_body(small: Service) -> None:
    with httpx.Client() as http:
        for _ in range(3):  # the connection stays in step
            answer = http.head(f"{small.url}/v1/health")
            assert (answer.status_code, answer.content) == (200, b"")
            assert http.get(f"{small.url}/v1/health").json() == {"status": "ok"}


def test_requests_that_come_at_once_are_answered_in_order(open_one: Service) -> None:
    asked = b""
    for number in range(20):
        body = json.dumps(check(number, 2 * number, id=number)).encode()
        asked += b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    answers = b""
    with connect(open_one) as peer:
        peer.sendall(asked)
        while len(re.findall(rb'"id": \d+}', answers)) < 20:
            part = peer.recv(65536)
            assert part, answers
            answers += part
    assert [int(number) for number in re.findall(rb'"id": (\d+)}', answers)] == list(range(20))
    assert answers.count(b'"word": "accepted"') == 20


def test_garbage_gets_an_answer_and_no_more(open_one: Service) -> None:
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
        b"\r\n" * 9,
    ):
        with connect(open_one) as peer:
            try:
                peer.sendall(sent + b"\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                continue
            assert ended_after(peer) < 25
    assert httpx.get(f"{open_one.url}/v1/health").status_code == 200


def test_a_client_that_leaves_ends_its_calls(open_one: Service) -> None:
    body = json.dumps({"checks": [nap(50)] * 40}).encode()
    with connect(open_one) as peer:
        peer.sendall(b"POST /v1/checks HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(1)
    began = time.monotonic()
    assert httpx.post(f"{open_one.url}/v1/check", json=check(1, 2), timeout=60).json()["word"] == "accepted"
    assert time.monotonic() - began < 40
    deadline = time.monotonic() + 60
    while "reexec_queue_calls 0.0" not in httpx.get(f"{open_one.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("route", ["/v1/check", "/v1/execute", "/run_code"])
def test_a_client_that_leaves_ends_its_one_call(open_one: Service, route: str) -> None:
    asked = nap(50)
    if route == "/v1/execute":
        del asked["expected"]
    if route == "/run_code":
        asked = {"code": "import time\ntime.sleep(50)", "language": "python"}
    body = json.dumps(asked).encode()
    with connect(open_one) as peer:
        peer.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (route.encode(), len(body)) + body)
        wait_until(lambda: "reexec_queue_calls 1.0" in httpx.get(f"{open_one.url}/metrics").text)
    wait_until(lambda: "reexec_queue_calls 0.0" in httpx.get(f"{open_one.url}/metrics").text, 40)


def test_a_slow_reader_holds_up_nobody(open_one: Service) -> None:
    """4,000 answers of 100 kB each, of which the client takes 100 kB a second: the service keeps a few MiB of them."""
    large = {"source": "def f(n):\n    return 'x' * 100_000", "entry": "f"}
    asked = {"program": large, "call": {"args": [1], "kwargs": {}}, "expected": None}
    body = json.dumps({"checks": [asked] * 4000}).encode()
    before = open_one.rss_bytes()
    with connect(open_one) as peer:
        peer.sendall(b"POST /v1/checks HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        for _ in range(5):
            peer.recv(100_000)
            assert httpx.post(f"{open_one.url}/v1/check", json=check(1, 2), timeout=30).json()["word"] == "accepted"
            time.sleep(0.5)
        assert open_one.rss_bytes() - before < 150 << 20


# -- the end --------------------------------------------------------------------------------------------------------


def is_closed(served: Service) -> bool:
    try:
        httpx.get(f"{served.url}/v1/health", timeout=60)
    except httpx.TransportError:
        return True
    return False


def test_sigterm_lets_requests_end(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "1") as served:
        answers: list[httpx.Response] = []
        body = {"checks": [nap(0.4)] * 5}
        thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{served.url}/v1/checks", json=body, timeout=60)))
        thread.start()
        served.wait_for_calls(5)
        served.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_closed(served), 60)
        assert served.process.wait(60) == 0
        thread.join()
        assert [one["word"] for one in answers[0].json()["verdicts"]] == ["accepted"] * 5
        assert [line["signal"] for line in served.events("stopping")] == ["SIGTERM"]


def test_what_takes_too_long_to_drain_is_told(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "1", "--drain-s", "1") as served:
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(httpx.post(f"{served.url}/v1/check", json=nap(9), timeout=60)))
        thread.start()
        served.wait_for_calls(1)
        assert served.stop() == 0
        thread.join()
        assert (answers[0].status_code, answers[0].json()["error"]["code"]) == (503, "shutting-down")


def test_curl(open_one: Service) -> None:
    asked = json.dumps({"program": DOUBLE, "call": {"args": [4], "kwargs": {}}, "expected": 8})
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "--max-time", "30", f"{open_one.url}/v1/check", "-d", asked],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["word"] == "accepted"
