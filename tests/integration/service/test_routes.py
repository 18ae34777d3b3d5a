"""What each route answers, over a real socket."""

import base64
import json
import math
import os
import pickle
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reexec import Call, Check, Outcome, Program, Script, Verdict
from tests.conftest import lacking
from tests.support.service import DOUBLE, Service, check, service


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("service"), "--workers", "2") as found:
        yield found


@pytest.fixture(scope="module")
def http(served: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def test_a_check_gets_its_verdict(http: httpx.Client) -> None:
    right = http.post("/v1/check", json=check(21, 42, id="a")).json()
    assert (right["word"], right["id"], right["outcome"]["value"]) == ("accepted", "a", 42)
    wrong = http.post("/v1/check", json=check(21, 43)).json()
    assert (wrong["word"], wrong["comparison"]["equal"]) == ("wrong-answer", False)


def test_values_that_json_lacks_travel_exactly(http: httpx.Client) -> None:
    value = ((1, 2), {3}, b"\xff", 1 + 2j, 10**5000, {4: [None]}, math.inf, "\ud800")
    asked = Check(Program("def same(x):\n    return x", "same"), Call((value,)), value, id=("x", 1), rule="python-literal")
    answer = http.post("/v1/check", content=json.dumps(asked.to_json()))
    verdict = Verdict.from_json(answer.json())
    assert verdict.accepted
    assert verdict.id == ("x", 1)
    assert verdict.outcome is not None
    assert verdict.outcome.value == value


def test_a_batch_keeps_its_order_and_its_ids(http: httpx.Client) -> None:
    asked = [check(n, 2 * n if n % 3 else -1, id=n) for n in range(700)]
    found = http.post("/v1/checks", json={"checks": asked}).json()["verdicts"]
    assert [one["id"] for one in found] == list(range(700))
    assert [one["word"] == "accepted" for one in found] == [n % 3 != 0 for n in range(700)]
    assert http.post("/v1/checks", json={"checks": []}).json() == {"verdicts": []}


def test_a_call_is_executed_and_a_script_too(http: httpx.Client) -> None:
    asked = {"program": DOUBLE, "call": {"args": [[1]], "kwargs": {}}, "watch_arguments": True}
    outcome = Outcome.from_json(http.post("/v1/execute", json=asked).json())
    assert (outcome.value, outcome.arguments_changed) == ([1, 1], False)
    script = {"program": Script("print(input()[::-1])").to_json(), "call": {"stdin": "abc\n"}}
    outcome = Outcome.from_json(http.post("/v1/execute", json=script).json())
    assert (outcome.value, outcome.stdout) == (0, "cba\n")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "no member 'program'"),
        ('{"program": 1, "call": {"args": [], "kwargs": {}}, "expected": 1}', "expected a program as an object"),
        ("[" * 5000, "nested deeper"),
        (b"\xff", "not UTF-8"),
        (json.dumps(check(1, 2, timeout_s=0)), "$.timeout_s"),
        (json.dumps(check(1, 2, timeout_s="1")), "$.timeout_s"),
        (json.dumps(check(1, 2, more=1)), "unknown member 'more'"),
        (json.dumps(check(1, 2, rule="nix")), "nix"),
        (json.dumps(check(1, {"!": "int", "v": "zz"})), "broken tagged value"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_why(http: httpx.Client, body: Any, said: str) -> None:
    answer = http.post("/v1/check", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad-request"
    assert said in answer.json()["error"]["message"]


def test_a_bad_check_of_a_batch_is_named(http: httpx.Client) -> None:
    answer = http.post("/v1/checks", json={"checks": [check(1, 2), {"program": DOUBLE}]})
    assert answer.status_code == 400
    assert "$.checks[1]" in answer.json()["error"]["message"]


def test_a_deadline_is_an_answer_of_its_own(http: httpx.Client) -> None:
    slow = {"source": "import time\ndef nap():\n    time.sleep(3)", "entry": "nap"}
    asked = {"program": slow, "call": {"args": [], "kwargs": {}}, "expected": None}
    answer = http.post("/v1/check", json={**asked, "timeout_s": 0.3})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline-exceeded")
    batch = http.post("/v1/checks", json={"checks": [check(1, 2), {**asked, "id": 7}], "timeout_s": 0.5}).json()["verdicts"]
    assert batch[0]["word"] == "accepted"
    assert (batch[1]["error"]["code"], batch[1]["id"]) == ("deadline-exceeded", 7)


def test_the_service_says_what_it_is(http: httpx.Client) -> None:
    assert http.get("/v1/health").json() == {"status": "ok"}
    info = http.get("/v1/info").json()
    assert info["policy"]["name"] == "serve"
    assert "python" in info["languages"]
    assert info["caps"]["batch_calls"] == 4096
    assert http.get("/nix").json()["error"]["code"] == "not-found"
    assert http.get("/v1/check").status_code == 405


def test_prometheus_reads_its_counters(http: httpx.Client) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    http.post("/v1/check", json=check(2, 4))
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
    }
    assert found["reexec_verdicts_total", "accepted"] >= 1
    assert found["reexec_workers",] >= 1
    assert found["reexec_run_seconds_count",] >= 1
    assert found["reexec_queue_calls",] == 0
    assert found["reexec_worker_restarts_total",] >= 0


def run_code(http: httpx.Client, code: str, **more: Any) -> Any:
    answer = http.post("/run_code", json={"language": "python", "code": code, **more}, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_run_code_tells_ends_as_sandbox_fusion_does(http: httpx.Client) -> None:
    said = run_code(http, "import sys\nprint(sys.stdin.read() * 2)\nprint('e', file=sys.stderr)", stdin="ab")
    assert said["status"] == "Success"
    ran = said["run_result"]
    assert (ran["status"], ran["return_code"], ran["stdout"], ran["stderr"]) == ("Finished", 0, "abab\n", "e\n")
    assert said["compile_result"] is None
    failed = run_code(http, "print(1)\nraise SystemExit(3)")
    assert (failed["status"], failed["run_result"]["return_code"], failed["run_result"]["stdout"]) == ("Failed", 3, "1\n")
    raised = run_code(http, "def f():\n    return 1 / 0\nf()")
    assert (raised["status"], raised["run_result"]["return_code"]) == ("Failed", 1)
    assert raised["run_result"]["stderr"].startswith("Traceback (most recent call last):")
    assert raised["run_result"]["stderr"].endswith("ZeroDivisionError: division by zero\n")
    broken = run_code(http, "def f(:")
    assert "SyntaxError" in broken["run_result"]["stderr"]
    late = run_code(http, "import time\nprint('x', flush=True)\ntime.sleep(1.2)", run_timeout=0.5)
    assert (late["status"], late["run_result"]["status"], late["run_result"]["stdout"]) == (
        "Failed",
        "TimeLimitExceeded",
        "x\n",
    )
    endless = run_code(http, "while True: pass", run_timeout=1)
    assert endless["run_result"]["status"] == "TimeLimitExceeded"
    assert endless["run_result"]["cpu_time"] < 5, "the policy's own limit is 10 s"
    large = run_code(http, "x = bytearray(100_000_000)\nprint(len(x))", memory_limit_MB=50)
    assert (large["status"], large["run_result"]["return_code"]) == ("Failed", 1)
    assert "MemoryError" in large["run_result"]["stderr"]


def test_run_code_runs_other_languages(http: httpx.Client) -> None:
    languages = http.get("/v1/info").json()["languages"]
    assert "bash" in languages
    said = run_code(http, "read x; echo $((x * 2)); exit 3", language="bash", stdin="21\n")
    assert (said["status"], said["run_result"]["return_code"], said["run_result"]["stdout"]) == ("Failed", 3, "42\n")
    assert said["compile_result"] is None
    if "cpp" not in languages:
        lacking("a C++ compiler")
    source = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n << std::endl; }"
    said = run_code(http, source, language="cpp", stdin="21")
    if "leaves" in said["message"] and "to a check" in said["message"]:
        lacking("addresses for a C++ compiler")
    assert (said["status"], said["run_result"]["stdout"], said["compile_result"]["return_code"]) == ("Success", "42\n", 0)
    broken = run_code(http, "int main( {", language="cpp")
    assert (broken["status"], broken["run_result"]) == ("Failed", None)
    assert broken["compile_result"]["return_code"] == 1
    assert "error" in broken["compile_result"]["stderr"]
    endless = run_code(http, "int main() { for (volatile int i = 0;; i = 1 - i) {} }", language="cpp", run_timeout=1)
    assert endless["run_result"]["status"] == "TimeLimitExceeded"


def test_run_code_says_what_it_does_not_do(http: httpx.Client) -> None:
    assert "'cobol'" in http.post("/run_code", json={"language": "cobol", "code": ""}).json()["message"]
    assert run_code(http, "print(1)", files={"a.txt": None}, args=[])["status"] == "Success"
    refused = http.post("/run_code", json={"language": "python", "code": "print(1)", "args": ["-v"]}).json()
    assert (refused["status"], refused["run_result"]) == ("SandboxError", None)
    assert "$.args" in refused["message"]
    answer = http.post("/run_code", json={"code": 1, "language": "python"})
    assert answer.status_code == 400
    assert "$.code" in answer.json()["error"]["message"]


ADD = "def add(a, b):\n    return a + b"
ASSERTIONS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0", "assert add(0, 0) == 1"]


@pytest.mark.parametrize("packed", ["list", "json", "pickle"])
def test_open_instructs_assertions(http: httpx.Client, packed: str) -> None:
    forms = {
        "list": ASSERTIONS,
        "json": json.dumps(ASSERTIONS),
        "pickle": base64.b64encode(zlib.compress(pickle.dumps(ASSERTIONS))).decode(),
    }
    answer = http.post("/test_program", json={"program": ADD, "tests": forms[packed], "max_execution_time": 1.0}).json()
    assert answer["results"] == [1, 1, 0]
    assert answer["runtimes"][2] == -1.0
    assert all(0 < s < 1 for s in answer["runtimes"][:2])


def test_assertions_that_cannot_be_lifted_run_as_they_are(http: httpx.Client) -> None:
    tests = [
        "import math\nassert add(1.5, 1) > math.pi - 1",
        "x = add(1, 1)\nif x != 2:\n    raise ValueError(x)",
        "assert add(",
    ]
    answer = http.post("/test_program", json={"program": ADD, "tests": tests}).json()
    assert answer["results"] == [1, 1, 0]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_can_name_no_function(http: httpx.Client, tmp_path: Path, protocol: int) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "called"),))

    for tests in ([Evil()], ["assert add(1, 2) == 3", Evil()], [OrderedDict[str, int]()]):
        packed = base64.b64encode(zlib.compress(pickle.dumps(tests, protocol))).decode()
        answer = http.post("/test_program", json={"program": ADD, "tests": packed})
        assert answer.status_code == 400
        assert "neither JSON nor tests" in answer.json()["error"]["message"]
    assert not (tmp_path / "called").exists()


def test_a_pickle_that_unpacks_without_bound_is_refused(http: httpx.Client) -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * (80 << 20))).decode()
    assert "64 MiB" in http.post("/test_program", json={"program": ADD, "tests": bomb}).json()["error"]["message"]


def test_open_instructs_standard_input(http: httpx.Client) -> None:
    program = "import sys\nfor line in sys.stdin.read().splitlines():\n    print(int(line.strip()) + 1)"
    tests = [{"input": "1\n", "output": "2\n"}, {"input": "100\n", "output": "101"}, {"input": "x", "output": ""}]
    answer = http.post("/test_program_stdio", json={"program": program, "tests": tests, "max_execution_time": 1.0}).json()
    assert answer["results"] == [1, 1, 0]
    leaves = {"program": "print(input())\nraise SystemExit(1)", "tests": [{"input": "1", "output": "1"}]}
    assert http.post("/test_program_stdio", json=leaves).json()["results"] == [0], "right output, and then a failure"
    hang = http.post("/test_program_stdio", json={"program": "import time\ntime.sleep(3)", "tests": tests[:1]}).json()
    assert hang == {"results": [0], "runtimes": [-1.0]}
    assert http.post("/test_program_stdio", json={"program": "", "tests": []}).json() == {"results": [], "runtimes": []}


def test_logs_hold_no_bodies(http: httpx.Client, served: Service) -> None:
    http.post("/v1/check", json=check("XSECRETX", "XSECRETXXSECRETX"), headers={"x-client-id": "trainer-1"})
    http.get("/v1/health?token=XSECRETX")
    assert "XSECRETX" not in served.log.read_text()
    lines = [line for line in served.events() if line["client"] == "trainer-1"]
    assert lines
    assert lines[0]["route"] == "/v1/check"
    assert lines[0]["status"] == 200
