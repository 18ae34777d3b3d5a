"""What ordinary programs need around them: their own source, a main module, a folder, locks, a cache for libraries."""

import signal
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reexec import Executor, Outcome, Program, load_policy


def run(source: str, *settings: str, arguments: Any = (), times: int = 1) -> list[Outcome]:
    with Executor(load_policy("codeio", settings=settings), workers=1) as executor:
        program = Program(source, "f")
        return [executor.submit(program, list(arguments)).result() for _ in range(times)]


def value(source: str, *settings: str) -> Any:
    (outcome,) = run(source, *settings)
    assert outcome.ok, outcome.describe()
    return outcome.value


def test_a_program_reads_its_own_source() -> None:
    source = (
        "import inspect\n\ndef g(x):\n    # why\n    return x\n\nclass K:\n    pass\n\ndef f():\n"
        "    return [inspect.getsource(g), inspect.getsource(K)]\n"
    )
    assert value(source) == ["def g(x):\n    # why\n    return x\n", "class K:\n    pass\n"]


def test_every_program_of_a_worker_reads_its_own_source() -> None:
    with Executor("codeio", workers=1) as executor:
        for number in range(3):
            source = f"import inspect\ndef f():\n    return inspect.getsource(f)  # {number}\n"
            outcome = executor.submit(Program(source, "f"), []).result()
            assert outcome.value == source.partition("\n")[2], outcome.describe()


def test_a_traceback_shows_the_line() -> None:
    source = (
        "import traceback\ndef f():\n    try:\n        1 / 0\n    except ZeroDivisionError:\n"
        "        return traceback.format_exc()\n"
    )
    assert "\n    1 / 0\n" in value(source)


def test_the_program_is_the_main_module_and_has_its_own_name() -> None:
    assert value("import __main__\nX = 5\ndef f():\n    return [__main__.X, __main__.f is f, __name__]\n") == [
        5,
        True,
        "program",
    ]


def test_a_function_is_pickled_by_its_module() -> None:
    assert value("import pickle\ndef g():\n    return 3\ndef f():\n    return pickle.loads(pickle.dumps(g))()\n") == 3


WRITES = (
    "import os\ndef f():\n    seen = os.listdir('.')\n    open('out.txt', 'w').write('abc')\n"
    "    return [seen, open('out.txt').read(), os.getcwd()]\n"
)


def test_the_working_folder_is_the_scratch_space_where_that_is_granted() -> None:
    outcomes = run(WRITES, "limits.scratch_bytes=1048576", times=2)
    assert [outcome.value for outcome in outcomes] == [[[], "abc", "/scratch"]] * 2


def test_without_scratch_space_nothing_can_be_written() -> None:
    (outcome,) = run(WRITES)
    assert outcome.exception is not None
    assert outcome.exception.type == "OSError"


MANY = "limits.processes=16"
LOCK = "import multiprocessing\nlock = multiprocessing.Lock()\ndef f():\n    with lock:\n        return 1\n"
POOL = (
    "from multiprocessing import get_context\ndef square(x):\n    return x * x\n"
    "def f():\n    with get_context('fork').Pool(2) as pool:\n        return pool.map(square, range(5))\n"
)
THREADS = (
    "from multiprocessing.pool import ThreadPool\ndef f():\n    with ThreadPool(3) as pool:\n"
    "        return pool.map(abs, [-1, 2, -3])\n"
)
QUEUE = (
    "import multiprocessing\ndef f():\n    context = multiprocessing.get_context('fork')\n    queue = context.Queue()\n"
    "    child = context.Process(target=queue.put, args=(7,))\n    child.start()\n"
    "    value = queue.get()\n    child.join()\n    return value\n"
)


@pytest.mark.parametrize(
    ("source", "expected"), [(LOCK, 1), (POOL, [0, 1, 4, 9, 16]), (THREADS, [1, 2, 3]), (QUEUE, 7)],
    ids=["lock", "pool", "threads", "queue"],
)  # fmt: skip
def test_processes_share_locks_where_the_policy_has_several(source: str, expected: Any) -> None:
    assert value(source, MANY) == expected


@pytest.mark.parametrize("source", [LOCK, POOL, THREADS, QUEUE], ids=["lock", "pool", "threads", "queue"])
def test_with_one_process_the_word_is_process_limit(source: str) -> None:
    (outcome,) = run(source)
    assert outcome.kind == "process-limit"


def test_a_missing_file_is_no_process_limit() -> None:
    (outcome,) = run("def f():\n    open('/nowhere')\n")
    assert outcome.kind == "exception"


def test_shared_memory_is_bounded_and_empty_at_the_start_of_every_check() -> None:
    leaves = (
        "import os\ndef f():\n    seen = os.listdir('/dev/shm')\n    kept = open('/dev/shm/left', 'wb')\n    size = 0\n"
        "    try:\n        while size < 64:\n            kept.write(bytes(1 << 20))\n"
        "            kept.flush()\n            size += 1\n"
        "    except OSError:\n        pass\n    return [seen, size]\n"
    )
    assert [outcome.value for outcome in run(leaves, MANY, times=2)] == [[[], 16], [[], 16]]


PLOTTER = """
import os, pathlib, tempfile
folder = pathlib.Path(os.environ["MPLCONFIGDIR"], "plotter")
folder.mkdir(parents=True)
assert os.access(folder, os.W_OK)
(folder / "fonts.json").write_text("x" * 100_000)
backend = os.environ["MPLBACKEND"]
"""


@pytest.fixture(scope="module")
def plotter() -> Iterator[str]:
    """An interpreter with a module that writes to its cache folder when it is imported, as matplotlib does."""
    with tempfile.TemporaryDirectory(prefix="reexec-plotter-", dir="/tmp") as folder:
        venv.create(folder, with_pip=False, symlinks=True)
        Path(folder).chmod(0o755)
        packages = next(Path(folder).glob("lib/python3*/site-packages"))
        (packages / "plotter.py").write_text(PLOTTER)
        yield f"{folder}/bin/python"


@pytest.mark.parametrize("level", ["nsjail", "restricted", "none"])
def test_a_library_that_is_kept_warm_writes_to_its_cache_and_no_check_does(level: str, plotter: str) -> None:
    policy = load_policy("codeio", settings=['warm=["plotter"]', 'prelude=["import os"]', f"isolation.lowest={level}"])
    source = (
        "import os, plotter\ndef f(name):\n    try:\n        os.mkdir(os.path.join(os.environ['MPLCONFIGDIR'], name))\n"
        "        return 'made'\n    except OSError:\n        return [plotter.backend, os.path.exists(plotter.folder)]\n"
    )
    with Executor(policy, workers=1, python=plotter, isolation=level) as executor:
        outcomes = [executor.submit(Program(source, "f"), [name]).result() for name in ("left", "right")]
    assert [outcome.value for outcome in outcomes] == [["Agg", False]] * 2, outcomes[0].describe()


def test_a_program_ignores_no_signal_that_our_own_parent_ignored() -> None:
    """`nohup` does so."""
    source = "from signal import *\ndef f():\n    return [getsignal(number) == SIG_DFL for number in (SIGHUP, SIGUSR1)]\n"
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGUSR1)}
    try:
        assert value(source) == [True, True]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
