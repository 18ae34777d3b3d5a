"""SandboxFusion's own client, as its authors publish it, against the service."""

from collections.abc import Iterator

import pytest

from tests.support.service import Service, service

fusion = pytest.importorskip("sandbox_fusion")
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module", params=["without a token", "with a token"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    token = {"REEXEC_TOKEN": TOKEN} if request.param == "with a token" else {}
    with service(tmp_path_factory.mktemp("fusion"), "--workers", "2", env=token) as found:
        if token:
            found.url = found.url.replace("http://", f"http://any:{TOKEN}@")
        yield found


def test_run_code(served: Service) -> None:
    asked = fusion.RunCodeRequest(code="print(input())", language="python", stdin="hello", run_timeout=5)
    answer = fusion.run_code(asked, endpoint=served.url, max_attempts=1)
    assert answer.status == fusion.RunStatus.Success
    assert answer.run_result.status == fusion.CommandRunStatus.Finished
    assert (answer.run_result.return_code, answer.run_result.stdout) == (0, "hello\n")
    assert answer.run_result.execution_time > 0


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("print(1)", "Success"),
        ("raise ValueError(1)", "RunFailed"),
        ("import sys; sys.exit(2)", "RunFailed"),
        ("import time; time.sleep(4)", "RunTimeout"),
        ("while True: pass", "RunTimeout"),
        ("x = bytearray(8 << 30)", "RunFailed"),
        ("import os; os.kill(os.getpid(), 9)", "RunFailed"),
        ("print('x' * 5_000_000)", "RunFailed"),
        ("import threading\nt = threading.Thread(target=lambda: print(2))\nt.start()\nt.join()", "Success"),
        ("open('a.txt', 'w').write('x')\nprint(open('a.txt').read())", "Success"),
    ],
)
def test_summaries(served: Service, code: str, word: str) -> None:
    mapping = fusion.SummaryMapping(RunFailed="RunFailed", RunTimeout="RunTimeout")
    asked = fusion.RunCodeRequest(code=code, language="python", run_timeout=1)
    answer = fusion.run_code(asked, endpoint=served.url, max_attempts=1)
    assert fusion.summary_run_code_result(answer, mapping) == word


def test_what_the_service_cannot_do_is_an_exception_there(served: Service) -> None:
    with pytest.raises(Exception, match=r"'php' does not run here"):
        fusion.run_code(fusion.RunCodeRequest(code="int", language="php"), endpoint=served.url, max_attempts=1)


def test_many_at_once(served: Service) -> None:
    requests = [fusion.RunCodeRequest(code=f"print({n})", language="python") for n in range(60)]
    answers = fusion.run_concurrent(
        fusion.run_code, kwargs=[{"request": one, "endpoint": served.url, "max_attempts": 1} for one in requests], concurrency=8
    )
    assert [one.run_result.stdout for one in answers] == [f"{n}\n" for n in range(60)]
