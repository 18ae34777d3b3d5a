"""What SandboxFusion's own tests of its Python, C++, node and Bash runners check, and what its API says of files and limits,
asked by its published client. docs/service.md lists where the service differs."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import lacking
from tests.support.service import Service, service

fusion = pytest.importorskip("sandbox_fusion")
Ran, Status = fusion.RunStatus, fusion.CommandRunStatus


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("fusion"), "--workers", "2", "--set", "limits.idle_s=120") as found:
        yield found


@pytest.fixture(scope="module")
def languages(served: Service) -> list[str]:
    found: list[str] = httpx.get(f"{served.url}/v1/info", timeout=60).json()["languages"]
    return found


def ask(served: Service, language: str, code: str, **more: Any) -> Any:
    """The client's own answer. A language that does not fit this host is lacking here."""
    request = fusion.RunCodeRequest(language=language, code=code, **more)
    try:
        return fusion.run_code(request, endpoint=served.url, max_attempts=1, client_timeout=120)
    except Exception as error:
        if "leaves" in str(error) and "to a check" in str(error):
            lacking(f"addresses for {language}")
        raise


def by_http(served: Service, **asked: Any) -> Any:
    """For members that the client's package does not know yet, and answers that it turns into exceptions."""
    answer = httpx.post(f"{served.url}/run_code", content=json.dumps(asked), timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def failed(answer: Any) -> Any:
    """The run of a program that ended by itself, and badly."""
    assert (answer.status, answer.run_result.status) == (Ran.Failed, Status.Finished)
    assert answer.run_result.return_code != 0
    return answer.run_result


def late(answer: Any) -> Any:
    assert (answer.status, answer.run_result.status) == (Ran.Failed, Status.TimeLimitExceeded)
    assert answer.run_result.return_code is None
    return answer.run_result


def well(answer: Any) -> str:
    assert (answer.status, answer.message) == (Ran.Success, "")
    assert (answer.run_result.status, answer.run_result.return_code) == (Status.Finished, 0)
    return str(answer.run_result.stdout)


# -- Python -------------------------------------------------------------------------------------------------------------


def test_python_prints_and_reads(served: Service) -> None:
    answer = ask(served, "python", "print(321)", run_timeout=5)
    assert well(answer) == "321\n"
    assert answer.compile_result is None
    assert answer.run_result.execution_time > 0
    assert well(ask(served, "python", "print(int(input()) + 1)", stdin="65535", run_timeout=5)) == "65536\n"
    assert well(ask(served, "python", "import sys; print(repr(sys.stdin.read()))")) == "''\n", "no stdin is an empty one"


def test_python_errors_are_on_stderr(served: Service) -> None:
    assert "AssertionError" in failed(ask(served, "python", "assert [] == [1]", run_timeout=5)).stderr
    assert "SyntaxError: invalid syntax" in failed(ask(served, "python", "int number = 1", run_timeout=5)).stderr
    assert failed(ask(served, "python", "import sys; sys.exit(7)")).return_code == 7
    assert failed(ask(served, "python", "import os; os.kill(os.getpid(), 11)")).return_code == -11


def test_python_time_is_over(served: Service) -> None:
    late(ask(served, "python", "import time; time.sleep(0.5)", run_timeout=0.1))
    began = time.monotonic()
    said = "import sys, time\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\n"
    ran = late(ask(served, "python", f"{said}time.sleep(100)", run_timeout=0.5))
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n"), "what was printed before is kept"
    ran = late(ask(served, "python", f"{said}while True: pass", run_timeout=0.5))
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")
    assert ran.cpu_time >= 0.5
    assert time.monotonic() - began < 60


def test_python_reads_files_below_folders(served: Service) -> None:
    files = {"one/two/three/flag": b64(b"this is the flag"), "left_out": None, "IGNORE_THIS_FILE.txt": "not base64!"}
    answer = ask(served, "python", "import os\nprint(open('one/two/three/flag').read(), os.listdir())", files=files)
    assert well(answer) == "this is the flag ['one']\n"


def test_python_imports_files(served: Service) -> None:
    answer = ask(
        served, "python", "from helper import double\nprint(double(4))", files={"helper.py": b64(b"double = lambda n: 2 * n")}
    )
    assert well(answer) == "8\n"


def test_files_come_back_as_base64(served: Service) -> None:
    code = "open('a.txt', 'w').write('kept')\nimport os\nos.mkdir('d')\nopen('d/b', 'wb').write(bytes(range(256)))"
    answer = ask(served, "python", code, fetch_files=["a.txt", "d/b", "absent", "d"])
    well(answer)
    assert {name: base64.b64decode(content) for name, content in answer.files.items()} == {
        "a.txt": b"kept",
        "d/b": bytes(range(256)),
    }
    answer = ask(served, "python", "open('a', 'w').write('kept')\nwhile True: pass", fetch_files=["a"], run_timeout=0.3)
    late(answer)
    assert base64.b64decode(answer.files["a"]) == b"kept"


def test_the_next_request_finds_nothing_of_the_one_before(served: Service) -> None:
    for _ in range(4):
        ask(served, "python", "open('left', 'w').write('x')", files={"d/given": b64(b"x")})
        assert well(ask(served, "python", "import os; print(os.listdir())")) == "[]\n"


# -- hostile files --------------------------------------------------------------------------------------------------------

ESCAPES = ["../x", "/etc/x", "/tmp/x", "a/../../x", "", "a/", "..", "a\0b", "x" * 300, "d/" * 40 + "x", "\ud800"]


@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
def test_no_given_file_leaves_the_folder(served: Service, name: str) -> None:
    said = by_http(served, language="python", code="print(1)", files={name: "YQ=="})
    assert (said["status"], said["run_result"]) == ("SandboxError", None)
    assert "name of a file" in said["message"] or "path of a file" in said["message"]


def test_a_wanted_file_outside_of_the_folder_is_not_there(served: Service) -> None:
    code = "import os\nos.symlink('/etc/passwd', 'link')\nos.symlink('/', 'root')\nopen('mine', 'w').write('m')"
    wanted = ["/etc/passwd", "../etc/passwd", "link", "root/etc/passwd", "mine"]
    said = by_http(served, language="python", code=code, fetch_files=wanted)
    assert said["status"] == "Success"
    assert said["files"] == {"mine": b64(b"m")}
    assert "'/etc/passwd'" in said["message"]


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"a": "not base64"}, "base64"),
        ({"a": "YQ"}, "base64"),
        ({"a": b64(bytes(17 << 10)), "b": "YQ==", "b/c": "YQ=="}, "folder"),
        ({str(n): "YQ==" for n in range(100)}, "the most is 64"),
        ({"a": b64(bytes(3_500_000))}, ""),
    ],
    ids=["text", "padding", "file as folder", "many", "large"],
)
def test_files_that_cannot_be(served: Service, files: dict[str, str], word: str) -> None:
    said = by_http(served, language="python", code="print(1)", files=files)
    if word:
        assert (said["status"], said["run_result"]) == ("SandboxError", None)
        assert word in said["message"]
    else:
        assert said["status"] in {"Success", "SandboxError"}, "how large files may be follows from the host's addresses"


def test_what_comes_back_has_a_cap(served: Service) -> None:
    code = "open('large', 'wb').truncate(1 << 23)\nopen('small', 'w').write('s')"
    answer = ask(served, "python", code, fetch_files=["large", "small"])
    assert answer.files == {"small": b64(b"s")}


# -- limits that a request sets ---------------------------------------------------------------------------------------------


def test_memory_is_refused_while_the_program_runs(served: Service) -> None:
    catches = "try:\n    bytearray(100_000_000)\n    print('got it')\nexcept MemoryError:\n    print('refused')"
    assert by_http(served, language="python", code=catches)["run_result"]["stdout"] == "got it\n"
    assert by_http(served, language="python", code=catches, memory_limit_MB=50)["run_result"]["stdout"] == "refused\n"
    said = by_http(served, language="python", code="x = bytearray(100_000_000)", memory_limit_MB=50)
    assert (said["status"], said["run_result"]["return_code"]) == ("Failed", 1)
    assert "MemoryError" in said["run_result"]["stderr"]


def test_no_request_gets_more_than_the_policy(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = ("--set", "limits.cpu_s=0.5", "--set", "limits.idle_s=0.5", "--set", "limits.memory_bytes=100MiB")
    with service(tmp_path_factory.mktemp("small"), "--workers", "1", *small) as served:
        spins = by_http(served, language="python", code="while True: pass", run_timeout=1e300, memory_limit_MB=1 << 60)
        assert spins["run_result"]["status"] == "TimeLimitExceeded"
        assert spins["run_result"]["cpu_time"] < 2
        large = by_http(served, language="python", code="bytearray(150 << 20)", memory_limit_MB=1 << 60)
        assert "MemoryError" in large["run_result"]["stderr"]
        bash = by_http(served, language="bash", code="while :; do :; done", run_timeout=1e300)
        assert bash["run_result"]["status"] == "TimeLimitExceeded"


# -- C++ --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cpp(languages: list[str]) -> None:
    if "cpp" not in languages:
        lacking("a C++ compiler")


@pytest.mark.usefixtures("cpp")
def test_cpp_prints_and_reads(served: Service) -> None:
    answer = ask(served, "cpp", '#include <iostream>\nint main() { std::cout << "321" << std::endl; }', run_timeout=5)
    assert well(answer) == "321\n"
    assert (answer.compile_result.status, answer.compile_result.return_code) == (Status.Finished, 0)
    assert answer.compile_result.execution_time > 0
    reads = '#include <cstdio>\nint main() { int n; if (scanf("%d", &n) == 1) printf("%d\\n", n + 1); }'
    assert well(ask(served, "cpp", reads, stdin="65535", run_timeout=5)) == "65536\n"


@pytest.mark.usefixtures("cpp")
def test_cpp_failures(served: Service) -> None:
    ran = failed(ask(served, "cpp", "#include <cassert>\nint main(int c, char **) { assert(c == 5); }"))
    assert "Assertion" in ran.stderr
    assert ran.return_code == -6
    broken = ask(served, "cpp", "int main() { thing x = ?; }")
    assert (broken.status, broken.run_result, broken.compile_result.status) == (Ran.Failed, None, Status.Finished)
    assert broken.compile_result.return_code != 0
    assert "error" in broken.compile_result.stderr


@pytest.mark.usefixtures("cpp")
def test_cpp_time_is_over(served: Service) -> None:
    sleeps = "#include <unistd.h>\nint main() { sleep(5); }"
    late(ask(served, "cpp", sleeps, run_timeout=0.3, compile_timeout=8))
    late(ask(served, "cpp", "int main() { for (volatile int i = 0;; i = 1 - i) {} }", run_timeout=0.3))
    slow = ask(served, "cpp", f"// {time.monotonic_ns()}\n#include <cstdio>\nint main() {{}}", compile_timeout=0.001)
    assert (slow.status, slow.run_result, slow.compile_result.status) == (Ran.Failed, None, Status.TimeLimitExceeded)


@pytest.mark.usefixtures("cpp")
def test_cpp_has_threads(served: Service) -> None:
    code = """
    #include <cstdio>
    #include <thread>
    #include <mutex>
    #include <vector>
    int main() {
        std::mutex guard; long sum = 0; std::vector<std::thread> all;
        for (int n = 1; n <= 4; n++) all.emplace_back([&, n] { std::lock_guard<std::mutex> held(guard); sum += n; });
        for (auto &each : all) each.join();
        printf("%ld\\n", sum);
    }
    """
    assert well(ask(served, "cpp", code, run_timeout=4)) == "10\n"


@pytest.mark.usefixtures("cpp")
def test_cpp_reads_and_leaves_files(served: Service) -> None:
    code = """
    #include <cstdio>
    int main() {
        int n = 0; FILE *in = fopen("d/n", "r"); if (!in || fscanf(in, "%d", &n) != 1) return 3;
        FILE *out = fopen("twice", "w"); fprintf(out, "%d", 2 * n); fclose(out);
    }
    """
    answer = ask(served, "cpp", code, files={"d/n": b64(b"21")}, fetch_files=["twice"])
    well(answer)
    assert base64.b64decode(answer.files["twice"]) == b"42"


# -- node -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def node(languages: list[str]) -> None:
    if "nodejs" not in languages:
        lacking("node")


def node_or_lacking(answer: Any) -> Any:
    ran = answer.run_result
    if ran is not None and ("out of memory" in ran.stderr or "Fatal process" in ran.stderr or "FATAL ERROR" in ran.stderr):
        lacking("addresses for node")
    return answer


@pytest.mark.usefixtures("node")
def test_node_prints_reads_and_asserts(served: Service) -> None:
    assert well(node_or_lacking(ask(served, "nodejs", "console.log(321)", run_timeout=5))) == "321\n"
    reads = "process.stdin.on('data', text => { console.log(parseInt(text) + 1); process.exit(); })"
    assert well(node_or_lacking(ask(served, "nodejs", reads, stdin="65535", run_timeout=5))) == "65536\n"
    asserts = "require('assert').strictEqual(3, 4, 'three is not four')"
    assert "AssertionError" in failed(node_or_lacking(ask(served, "nodejs", asserts))).stderr
    only_says = node_or_lacking(ask(served, "nodejs", "console.assert(3 === 4)"))
    well(only_says)
    assert "Assertion failed" in only_says.run_result.stderr


@pytest.mark.usefixtures("node")
def test_node_time_is_over(served: Service) -> None:
    late(node_or_lacking(ask(served, "nodejs", "setTimeout(() => {}, 20000)", run_timeout=1)))


@pytest.mark.usefixtures("node")
def test_node_files(served: Service) -> None:
    code = "const fs = require('fs'); fs.writeFileSync('out', fs.readFileSync('d/in', 'utf8').toUpperCase())"
    answer = node_or_lacking(ask(served, "nodejs", code, files={"d/in": b64(b"text")}, fetch_files=["out"]))
    well(answer)
    assert base64.b64decode(answer.files["out"]) == b"TEXT"


# -- Bash -------------------------------------------------------------------------------------------------------------------


def test_bash_prints_reads_and_fails(served: Service) -> None:
    assert well(ask(served, "bash", 'echo "Hi there"', run_timeout=5)) == "Hi there\n"
    assert well(ask(served, "bash", "read line\necho $line", stdin="65535", run_timeout=5)) == "65535\n"
    assert failed(ask(served, "bash", "test 3 -eq 4", run_timeout=5)).return_code == 1
    assert "syntax error" in failed(ask(served, "bash", "if [", run_timeout=5)).stderr


def test_bash_time_is_over(served: Service) -> None:
    late(ask(served, "bash", "sleep 5", run_timeout=0.2))
    ran = late(ask(served, "bash", "echo before; while :; do :; done", run_timeout=0.3))
    assert ran.stdout == "before\n"


def test_bash_files(served: Service) -> None:
    code = "cat one/two/three/flag; tr a-z A-Z <one/two/three/flag >out"
    answer = ask(served, "bash", code, files={"one/two/three/flag": b64(b"the flag")}, fetch_files=["out", "absent"])
    assert well(answer) == "the flag"
    assert {name: base64.b64decode(content) for name, content in answer.files.items()} == {"out": b"THE FLAG"}
