"""What the tests of the runners, the command line and whole runs share: the command as a real process, rows on disk, and
processes seen from outside."""

import functools
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT
from tests.support import leftovers, limited_host, warm_command

EXAMPLES = ROOT / "examples"
FUNCTIONS = EXAMPLES / "functions.jsonl"
RESPONSES = EXAMPLES / "responses.jsonl"
COMMAND = str(Path(sys.executable).with_name("reexec"))
SMALL = ("--set", "limits.cpu_s=1", "--set", "limits.idle_s=1")
"""Limits for programs that are meant to hit them."""
SLOW_WORDS = ("cpu-limit", "wall-limit", "memory-limit", "process-limit", "output-limit")

Row = dict[str, Any]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def summary(self) -> Row:
        """The last line of stdout, as JSON."""
        found = json.loads(self.out.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    def one_line(self) -> str:
        """The only line of stderr, but for the one that says where a run goes on."""
        assert "Traceback" not in self.err, self.err
        lines = [line for line in self.err.splitlines() if not line.startswith("resuming after ")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("reexec: "), self.err
        return lines[0]


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Ours without what would change a run's result or its printing."""
    kept = {name: value for name, value in os.environ.items() if name not in ("REEXEC_POLICY", "FORCE_COLOR", "COLUMNS")}
    kept |= extra or {}
    if limited_host.is_limited():
        kept["REEXEC_POLICY"] = f"{limited_host.SETTING} {kept.get('REEXEC_POLICY', '')}"
    return kept


def reexec(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 120,
) -> Done:
    """The command, to its end, in a fork of a process that has imported it already."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        code = warm_command.call(list(map(str, arguments)), cwd or Path.cwd(), environment(env), out, err, timeout)
        return Done(code, out.read_text(), err.read_text())


def reexec_cold(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 280,
    prefix: Sequence[str] = (),
    preexec: Callable[[], None] | None = None,
    stdout: Any = subprocess.PIPE,
) -> Done:
    """The command, to its end, as a shell starts it."""
    done = subprocess.run(
        [*prefix, COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(env),
        timeout=timeout,
        check=False,
        preexec_fn=preexec,
    )
    return Done(done.returncode, done.stdout or "", done.stderr)


@functools.cache
def temporary_folder() -> str:
    """Where commands that will be killed keep their workers' files, which nobody else cleans up after SIGKILL."""
    folder = leftovers.run_folder() / "killed"
    folder.mkdir()
    folder.chmod(0o755)
    return str(folder)


def start(*arguments: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    """The command, running in a session of its own."""
    return subprocess.Popen(
        [COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment({"TMPDIR": temporary_folder()}),
        start_new_session=True,
    )


def wait_until(holds: Callable[[], Any], timeout: float = 120, what: str = "") -> Any:
    """Asks every 2 ms; what `holds` gave when it was true."""
    end = time.monotonic() + timeout
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"not within {timeout} s: {what or holds}"
        time.sleep(0.002)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_and_look(process: subprocess.Popen[str], timeout: float = 5) -> None:
    """SIGKILL to the command alone; nothing that it had started is left after a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)  # so that the list of its children is complete
        children = descendants(process)
        process.kill()
    else:
        children = []
    process.communicate(timeout=30)
    all_gone(children, timeout)


def all_gone(processes: Iterable[psutil.Process], timeout: float = 5) -> None:
    _, alive = psutil.wait_procs(list(processes), timeout=timeout)
    alive = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"left over: {alive}"


# -- files ----------------------------------------------------------------------------------------------------


def write_rows(path: Path, rows: Iterable[Row | bytes | str]) -> Path:
    """Rows as JSON lines; bytes and text are written as they are."""
    lines = [
        row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else json.dumps(row).encode() for row in rows
    ]
    data = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read_bytes(path: Path) -> bytes:
    """The content of a plain or .gz file."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in read_bytes(path).splitlines()]


def function_row(source: str, *pairs: tuple[Any, Any], entry: str = "f") -> Row:
    return {"refcode": source, "funcname": entry, "ios": [{"input": given, "output": output} for given, output in pairs]}


def response(itemid: Any, ioid: Any, answer: Any, io_pred: str = "o", **more: Any) -> Row:
    """A response row whose text holds the answer as a model would write it."""
    name = "output" if io_pred == "o" else "input"
    text = f"So:\n```json\n{json.dumps({name: answer})}\n```"
    return {"itemid": itemid, "ioid": ioid, "io_pred": io_pred, "output": text, **more}


def manifest_of(output: Path) -> Row:
    """The manifest beside an output; empty where there is none yet."""
    name = output.name.removesuffix(".gz").removesuffix(".zst").removesuffix(".jsonl")
    path = output.with_name(f"{name}.manifest.json")
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    assert isinstance(found, dict)
    return found


def lines_done(output: Path) -> int:
    return int(manifest_of(output).get("progress", {}).get("lines", 0))


def example_responses(copies: int = 1, *, fast: bool = True) -> list[Row]:
    """The bundled responses, for each copy of `example_functions`; `fast` leaves out those that hit a limit."""
    rows = [json.loads(line) for line in RESPONSES.read_text().splitlines()]
    kept = [row for row in rows if not (fast and row["expected_verdict"] in SLOW_WORDS)]
    functions = len(FUNCTIONS.read_text().splitlines())
    return [{**row, "itemid": row["itemid"] + functions * copy} for copy in range(copies) for row in kept]


def sleeper(position: int, seconds: float = 1.5) -> tuple[Row, Row]:
    """A function at `position` of its file and a response about it that sleeps: a run with it lasts on a machine of any speed,
    and saves meanwhile what came before it."""
    source = f"import time\ndef f(n):\n    time.sleep({seconds})\n    return n"
    row = response(position, 0, {"n": position}, "i", index=0, expected_verdict="accepted")
    return function_row(source, ({"n": position}, position)), row


def example_functions(copies: int) -> list[Row]:
    """The bundled functions, each copy another program: identical checks of one run would be executed once."""
    rows = [json.loads(line) for line in FUNCTIONS.read_text().splitlines()]
    return [{**row, "refcode": f"{row['refcode']}\n# copy {copy}\n"} for copy in range(copies) for row in rows]
