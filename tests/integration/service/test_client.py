"""The client of clients/python: Executor's methods, over a socket, with the same answers as an Executor's."""

import ast
import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import reexec_client
from reexec_client import (
    AsyncClient,
    Call,
    Check,
    Client,
    DeadlineExceededError,
    EngineError,
    Program,
    Script,
    UsageError,
    wire,
)

from reexec import Check as OwnCheck
from reexec import Executor, load_policy
from reexec import Program as OwnProgram
from tests.conftest import ROOT
from tests.support.service import Service, service

DOUBLE = Program("def double(n):\n    return 2 * n", "double")
NAP = Program("import time\ndef nap(s):\n    time.sleep(s)\n    return s", "nap")
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(
        tmp_path_factory.mktemp("service"), "--workers", "2", "--set", "limits.idle_s=120", env={"REEXEC_TOKEN": TOKEN}
    ) as found:
        yield found


@pytest.fixture
def client(served: Service) -> Iterator[Client]:
    with Client(served.url, token=TOKEN, retry_s=20) as found:
        yield found


def test_one_check_and_one_call(client: Client) -> None:
    assert client.check(DOUBLE, {"n": 21}, expected=42).accepted
    assert client.check(DOUBLE, [21], 43).word == "wrong-answer"
    outcome = client.submit(DOUBLE, Call(((1, "a"),)), watch_arguments=True).result(30)
    assert (outcome.value, outcome.arguments_changed) == ([1, "a", 1, "a"], False)
    assert client.submit(Script("print(input())"), "hello\n").result(30).stdout == "hello\n"
    raised = client.submit(Program("def f():\n    import nix", "f"), []).result(30)
    assert raised.exception is not None
    assert raised.exception.missing_module == "nix"
    assert client.info()["workers"] == 2


def test_many_checks_as_an_executor_judges_them(client: Client) -> None:
    source = (
        "def f(x):\n    if x == 13:\n        raise ValueError(x)\n    if x == 14:\n        exit()\n"
        "    return {'v': (x, {x}), 3: b'x'}"
    )
    asked = [(x, {"v": (x, {x}), 3: b"x"} if x % 5 else None) for x in range(900)]
    policy = load_policy("serve", environment=os.environ)
    with Executor(policy, workers=1) as executor:
        own = OwnProgram(source, "f")
        wanted = [
            (v.word, v.id) for v in executor.check_many(OwnCheck(own, [x], y, id=x, rule="python-literal") for x, y in asked)
        ]
    program = Program(source, "f")
    assert {word for word, _ in wanted} == {"accepted", "wrong-answer", "runtime-error", "early-exit"}
    found = [(v.word, v.id) for v in client.check_many(Check(program, [x], y, id=x, rule="python-literal") for x, y in asked)]
    assert found == wanted
    loose = [
        (v.word, v.id)
        for v in client.check_many((OwnCheck(own, [x], y, id=x, rule="python-literal") for x, y in asked), ordered=False)
    ]
    assert sorted(loose, key=lambda one: one[1]) == wanted


def test_many_calls_keep_their_order_and_tags(client: Client) -> None:
    assert [found.value for found in client.map(DOUBLE, ([n] for n in range(50)))] == [2 * n for n in range(50)]
    items: list[Any] = [(DOUBLE if n % 2 else None, [n], n) for n in range(20)]
    found = [(one and one.value, tag) for one, tag in client.run_many(items)]
    assert found == [(2 * n if n % 2 else None, n) for n in range(20)]


def test_a_timeout_is_the_callers_and_no_verdict(client: Client) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        client.check(NAP, [4], 4, timeout=0.3)
    with pytest.raises(DeadlineExceededError):
        list(client.check_many([Check(NAP, [4], 4)] * 3, timeout=0.3))
    with pytest.raises(DeadlineExceededError):
        client.submit(NAP, [4], timeout=0.3).result(30)
    assert time.monotonic() - began < 20


def test_mistakes_are_told_before_anything_is_sent(client: Client, served: Service) -> None:
    with pytest.raises(UsageError, match=r"\$\.kwargs\.n"):
        client.check(DOUBLE, {"n": object()}, 1)
    with pytest.raises(UsageError, match="not as int"):
        client.submit(DOUBLE, 3)
    with pytest.raises(UsageError, match="nix"):
        client.check(DOUBLE, [1], 2, rule="nix")
    with Client(served.url, token="wrong" * 5) as wrong, pytest.raises(UsageError, match="401"):
        wrong.check(DOUBLE, [1], 2)
    with Client("http://127.0.0.1:1", retry_s=0.5) as nobody, pytest.raises(EngineError, match="ConnectError"):
        nobody.check(DOUBLE, [1], 2)


def test_a_client_takes_its_address_from_the_environment(served: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REEXEC_URL", served.url)
    monkeypatch.setenv("REEXEC_TOKEN", TOKEN)
    with Client() as client:
        assert client.check(DOUBLE, [1], 2).accepted


def test_a_shut_client_takes_nothing(served: Service) -> None:
    client = Client(served.url, token=TOKEN)
    client.shutdown()
    client.shutdown()
    with pytest.raises(UsageError, match="shut down"):
        client.submit(DOUBLE, [1])


def test_asyncio(served: Service) -> None:
    async def all_of_it() -> None:
        async with AsyncClient(served.url, token=TOKEN) as client:
            verdict, outcome = await asyncio.gather(client.check(DOUBLE, [1], 2), client.submit(DOUBLE, [4]))
            assert verdict.accepted
            assert outcome.value == 8
            checks = [Check(DOUBLE, [n], 2 * n, id=n) for n in range(600)]
            assert [v.id async for v in client.check_many(checks) if v.accepted] == list(range(600))
            assert sorted([v.id async for v in client.check_many(checks, ordered=False)]) == list(range(600))
            assert [o.value async for o in client.map(DOUBLE, ([n] for n in range(30)))] == [2 * n for n in range(30)]
            with pytest.raises(DeadlineExceededError):
                await client.check(NAP, [4], 4, timeout=0.2)

    asyncio.run(all_of_it())


def test_a_cancelled_task_ends_its_call_in_the_service(served: Service) -> None:
    """Two workers, two naps of 100 s that are cancelled: a check right behind them need not wait for them."""

    async def cancel() -> float:
        async with AsyncClient(served.url, token=TOKEN) as client:
            naps = [client.submit(NAP, [100]) for _ in range(2)]
            await asyncio.to_thread(served.wait_for_calls, 2, TOKEN)
            for nap in naps:
                nap.cancel()
            await asyncio.gather(*naps, return_exceptions=True)
            began = time.monotonic()
            assert (await client.check(DOUBLE, [1], 2)).accepted
            return time.monotonic() - began

    assert asyncio.run(cancel()) < 60


def test_a_failure_of_the_service_names_the_request_in_its_log() -> None:
    asked = httpx.Request("POST", "http://service/v1/check")
    body = {"error": {"code": "internal-error", "message": "an error"}}
    named = httpx.Response(500, json=body, headers={"x-request-id": "0a1b"}, request=asked)
    with pytest.raises(wire.AskAgain) as told:
        wire.read(named)
    assert str(told.value) == "http://service/v1/check: an error (500 internal-error, request 0a1b in its log)"
    with pytest.raises(wire.AskAgain, match=r"an error \(500 internal-error\)$"):
        wire.read(httpx.Response(500, json=body, request=asked))


def test_every_name_of_the_client_is_one_of_reexecs() -> None:
    import reexec
    from reexec.engine.outcome import RaisedException

    own = {"AsyncClient", "Client", "RaisedException"}
    assert set(reexec_client.__all__) - own <= set(reexec.__all__)
    for name in ("submit", "map", "check", "check_many", "run_many", "shutdown"):
        assert hasattr(Executor, name)
        assert hasattr(Client, name)
        assert hasattr(AsyncClient, name)
    for ours, theirs in ((reexec.Outcome, reexec_client.Outcome), (reexec.Verdict, reexec_client.Verdict),
                         (RaisedException, reexec_client.RaisedException), (reexec.Usage, reexec_client.Usage)):  # fmt: skip
        assert set(theirs.__dataclass_fields__) == set(ours.__dataclass_fields__)


def test_its_sources_are_python_3_9() -> None:
    """By the grammar, and by a real one where it is there."""
    pythons = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python"))[:1]
    for path in sorted((ROOT / "clients" / "python" / "reexec_client").glob("*.py")):
        ast.parse(path.read_text(), feature_version=(3, 9))
        for python in pythons:
            words = [str(python), "-c", "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')", str(path)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
