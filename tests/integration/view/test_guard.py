"""`reexec view` shows a run to whoever has its address, and to nobody else: no other user, no page in a browser, no host."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.helpers import reexec
from tests.support.large_run import LargeRun
from tests.support.viewing import View, viewing


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LargeRun(rows=60, functions=5).write(tmp_path_factory.mktemp("guard"))


@pytest.fixture(scope="module")
def view(run: Path) -> Iterator[View]:
    with viewing(run) as found:
        yield found


def raw(view: View, request: bytes) -> bytes:
    """The answer to bytes as they are: httpx sends no wrong Host."""
    host, port = httpx.URL(view.address).host, httpx.URL(view.address).port
    with socket.create_connection((host, port or 0), timeout=10) as connection:
        connection.sendall(request)
        found = b""
        while piece := connection.recv(65536):
            found += piece
    return found


def ask(view: View, host: str, *more: str, method: str = "GET", path: str = "") -> bytes:
    lines = [f"{method} /{view.token}/{path} HTTP/1.1", f"Host: {host}", "Connection: close", *more, "", ""]
    return raw(view, "\r\n".join(lines).encode())


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("path", ["/", "/rows", "/row/0", "/look.css", "/x/rows", "/../", "//", "/%2e%2e/rows"])
def test_without_the_token_nothing_is_told(view: View, path: str) -> None:
    base = view.address.removesuffix(f"{view.token}/").rstrip("/")
    for prefix in ("", f"/{view.token[:-1]}", f"/{view.token}x", f"/{view.token.swapcase()}"):
        answer = view.client.get(base + prefix + path)
        assert answer.status_code == 404
        assert answer.text == "There is nothing here. The whole address stands where `reexec view` was started.\n"
        assert answer.headers["content-type"].startswith("text/plain")


def test_tokens_cannot_be_guessed_and_are_new_each_time(view: View, run: Path) -> None:
    assert re.fullmatch(r"[\w-]{43}", view.token)
    with viewing(run) as other:
        assert other.token != view.token
        assert httpx.URL(other.address).port != httpx.URL(view.address).port


def test_no_process_has_the_token_among_its_arguments(view: View) -> None:
    for process in psutil.process_iter(["cmdline"]):
        assert not any(view.token in argument for argument in process.info["cmdline"] or [])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "",
                                  "a b", "127.0.0.1:80:evil", "[::1", "xn--localhost"])  # fmt: skip
def test_a_name_that_an_attacker_lets_point_here_is_refused(view: View, host: str) -> None:
    answer = ask(view, host)
    assert status(answer) in (400, 421)
    assert b"<html" not in answer


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:9000", "localhost:1", "LOCALHOST", "[::1]:5"])
def test_this_machine_and_a_tunnel_to_it_are_served(view: View, host: str) -> None:
    assert status(ask(view, host)) == 200


def test_two_hosts_and_none_are_refused(view: View) -> None:
    assert status(ask(view, "127.0.0.1", "Host: evil.example")) in (400, 421)
    assert status(raw(view, f"GET /{view.token}/ HTTP/1.0\r\n\r\n".encode())) in (400, 421)


def test_every_answer_forbids_what_a_page_does_not_need(view: View) -> None:
    for path in ("", "rows", "row/0", "look.css", "nothing"):
        headers = view.client.get(view.address + path, headers={"Origin": "http://evil.example"}).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["style-src"] == policy["form-action"] == "'self'"
        assert "script-src" not in policy
        assert "unsafe" not in headers["content-security-policy"]
        assert not [name for name in headers if name.startswith("access-control")]
        assert "set-cookie" not in headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"


def test_pages_ask_for_nothing_but_their_own_style(view: View) -> None:
    for path in ("", "rows", "row/1"):
        page = view.get(path)
        own = f"/{view.token}/"
        for element in page.all():
            for name in ("src", "href", "action", "data", "poster", "srcset"):
                target = element.get(name, own)
                assert target.startswith((own, "#")), (element.tag, target)
        assert [element.get("href") for element in page.all("link")] == [f"{own}look.css"]
    style = view.client.get(f"{view.address}look.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert "prefers-color-scheme: dark" in style.text


def test_another_page_cannot_start_anything(view: View) -> None:
    assert status(ask(view, "127.0.0.1", "Sec-Fetch-Site: cross-site", "Content-Length: 0", method="POST", path="again")) == 403
    assert status(ask(view, "127.0.0.1", "Sec-Fetch-Site: same-site", "Content-Length: 0", method="POST", path="again")) == 403
    assert status(ask(view, "127.0.0.1", "Content-Length: 0", method="POST", path="rows")) == 405
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        assert status(ask(view, "127.0.0.1", method=method)) == 405


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])
def test_other_machines_are_not_served_unless_that_is_said(run: Path, host: str) -> None:
    done = reexec("view", run, "--host", host)
    assert done.code == 2
    assert f"--host {host}: other machines could read the run" in done.one_line()


def test_a_port_can_be_chosen_and_one_that_is_taken_is_said(run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = reexec("view", run, "--port", port)
        assert done.code == 2
        assert f"--port {port}: cannot be bound" in done.one_line()
    with viewing(run, "--port", port, "--host", "localhost") as view:
        assert httpx.URL(view.address).port == int(port)
        assert view.get("rows").count == 60
    assert "a port is a number" in reexec("view", run, "--port", "70000").one_line()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_one_line(run: Path, number: signal.Signals) -> None:
    with viewing(run, "--no-browser") as view:
        view.get("rows")
        assert view.end(number) == (0, "", f"reexec: the view of {run} has ended\n")


def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n")
    for source in ("x.jsonl", "nothing", "."):
        done = reexec("view", source, cwd=tmp_path)
        assert done.code == 2
        assert source in done.one_line()
